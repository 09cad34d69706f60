//! Callers that carry a script out against a simulated order service on a simulated clock: attempts overlap, answers get
//! lost, requests arrive after their callers have given up, and the plan's faults happen.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use fireassay::fault::{Act, AtGateway, Does, Fault, Heal, Node, Pick, Plan, ServerFault, Trigger};
use fireassay::history::{
    AttemptId, Call, ClientId, Doubt, End, Event, FaultChange, History, InstanceName, IntentId, Moment, Outcome, Phase,
    StepId, What,
};
use fireassay::profile::Script;
use fireassay::profile::script::Arrival;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};

use super::service::{Defect, Gateway, Job, MS, Service};

/// The pause between two readings in the load.
const READ_PAUSE: u64 = 150 * MS;

/// How the world behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nature {
    pub(crate) defect: Option<Defect>,
    /// Of 100 attempts of the load, how many end in doubt.
    pub(crate) doubt: u32,
}

/// What happened when the script was carried out.
pub(crate) fn run(script: &Script, plan: &Plan, nature: Nature, seed: u64) -> History {
    let mut world = World {
        random: ChaCha8Rng::seed_from_u64(seed),
        script,
        plan,
        nature,
        service: Service::new(nature.defect, seed),
        events: Vec::new(),
        queue: BinaryHeap::new(),
        turn: 0,
        now: 0,
        attempts: Vec::new(),
        replies: HashMap::new(),
        callers: vec![Caller::default(); script.clients.len()],
        sent: 0,
        injected: vec![None; plan.steps.len()],
        healed: vec![false; plan.steps.len()],
        shown: HashMap::new(),
        load: false,
        began: 0,
    };
    world.play();
    History { events: world.events }
}

struct World<'a> {
    random: ChaCha8Rng,
    script: &'a Script,
    plan: &'a Plan,
    nature: Nature,
    service: Service,
    events: Vec<Event>,
    queue: BinaryHeap<Reverse<(u64, u64, Due)>>,
    turn: u64,
    now: u64,
    attempts: Vec<Sent>,
    replies: HashMap<IntentId, Map<String, Value>>,
    callers: Vec<Caller>,
    sent: u32,
    /// When each step was injected.
    injected: Vec<Option<u64>>,
    healed: Vec<bool>,
    shown: HashMap<(&'static str, String), Value>,
    load: bool,
    began: u64,
}

#[derive(Clone, Default)]
struct Caller {
    step: usize,
    attempts: u8,
    sent: usize,
    open: u8,
    definite: bool,
}

#[derive(Clone)]
struct Sent {
    client: Option<usize>,
    intent: IntentId,
    call: Call,
    returned: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Step(usize),
    /// A request arrives; its answer takes this long, or never comes.
    Arrive(u32, Option<u64>),
    Answer(u32, String),
    Job(Job),
    Heal(usize),
    Read,
}

impl World<'_> {
    fn play(&mut self) {
        self.record(What::Phase { phase: Phase::Setup });
        self.read();
        self.record(What::Phase { phase: Phase::Load });
        (self.load, self.began, self.service.plants) = (true, self.now, true);
        for client in 0..self.callers.len() {
            let pause = self.pause(client);
            self.schedule(pause, Due::Step(client));
        }
        self.schedule(READ_PAUSE, Due::Read);
        while !self.callers_are_done() {
            self.next_due();
        }
        for step in 0..self.plan.steps.len() {
            self.heal(step);
        }
        self.load = false;
        self.service.plants = false;
        self.record(What::Phase { phase: Phase::Settle });
        for (number, &intent) in self.script.probes.iter().enumerate() {
            self.pass(5 * MS);
            self.ask(intent, number);
        }
        self.pass(60_000 * MS);
        self.read();
        self.record(What::Phase { phase: Phase::Audit });
        self.read();
        self.words();
        self.record(What::EventsRead);
        self.record(What::End { why: End::Completed });
    }

    fn callers_are_done(&self) -> bool {
        let through = |(number, caller): (usize, &Caller)| caller.step >= self.script.clients[number].len();
        self.callers.iter().enumerate().all(through)
    }

    fn next_due(&mut self) {
        let Some(Reverse((at, _, due))) = self.queue.pop() else { panic!("nobody has anything to do") };
        self.now = self.now.max(at);
        match due {
            Due::Step(client) => self.step(client),
            Due::Arrive(attempt, back) => self.arrive(attempt, back),
            Due::Answer(attempt, outcome) => self.answer(attempt, serde_json::from_str(&outcome).unwrap()),
            Due::Job(job) => {
                self.service.perform(job, self.now);
                self.flush();
            }
            Due::Heal(step) => self.heal(step),
            Due::Read => {
                self.read();
                if self.load {
                    self.schedule(READ_PAUSE, Due::Read);
                }
            }
        }
    }

    /// Lets this much time pass, and happen what falls into it.
    fn pass(&mut self, time: u64) {
        let end = self.now + time;
        while self.queue.peek().is_some_and(|Reverse((at, ..))| *at <= end) {
            self.next_due();
        }
    }

    fn schedule(&mut self, pause: u64, due: Due) {
        self.turn += 1;
        self.queue.push(Reverse((self.now + pause, self.turn, due)));
    }

    fn record(&mut self, what: What) {
        self.now += 1_000;
        self.events.push(Event { at: Moment(self.now), what });
    }

    /// Takes over what the service did and what it has to do.
    fn flush(&mut self) {
        for what in std::mem::take(&mut self.service.out) {
            self.record(what);
        }
        for (pause, job) in std::mem::take(&mut self.service.later) {
            self.schedule(pause, Due::Job(job));
        }
    }

    // --------------------------------------------------------------------------------------------- the callers

    fn bound(&self, id: IntentId) -> Option<Call> {
        let intent = &self.script.intents[id.0 as usize];
        let mut call = intent.call.clone();
        for bind in &intent.binds {
            call.fields.insert(bind.field.clone(), self.replies.get(&bind.intent)?.get(&bind.reply)?.clone());
        }
        Some(call)
    }

    fn step(&mut self, client: usize) {
        let Some(step) = self.script.clients[client].get(self.callers[client].step).copied() else { return };
        let Some(call) = self.bound(step.intent) else { return self.next(client) };
        let caller = &mut self.callers[client];
        (caller.attempts, caller.open, caller.definite) = (caller.attempts + 1, step.copies.max(1), false);
        for _ in 0..step.copies.max(1) {
            self.callers[client].sent += 1;
            let instance = client + self.callers[client].sent;
            let attempt = self.invoke(Some(client), step.intent, instance, call.clone());
            self.send(attempt);
        }
    }

    fn invoke(&mut self, client: Option<usize>, intent: IntentId, instance: usize, call: Call) -> u32 {
        let attempt = self.attempts.len() as u32;
        let to = InstanceName { role: "api".into(), number: (instance % 2 + 1) as u16 };
        self.attempts.push(Sent { client, intent, call: call.clone(), returned: false });
        let client = ClientId(client.unwrap_or_default() as u16);
        self.record(What::Invoke { attempt: AttemptId(attempt), intent, client, to, call });
        if self.load {
            self.sent += 1;
            self.nemesis();
        }
        attempt
    }

    /// Lets a request take its way: it arrives and is answered, or something is lost on the way.
    fn send(&mut self, attempt: u32) {
        let way = self.random.random_range(MS..8 * MS);
        let back = self.random.random_range(MS / 10..2 * MS);
        if self.random.random_range(0..100) >= self.nature.doubt {
            return self.schedule(way, Due::Arrive(attempt, Some(back)));
        }
        let lost = |doubt| serde_json::to_string(&Outcome::Unknown(doubt)).unwrap();
        let patience = self.script.patience.timeout.as_nanos() as u64;
        match self.random.random_range(0..3) {
            0 => self.schedule(way, Due::Answer(attempt, lost(Doubt::Reset("lost".into())))),
            1 => {
                self.schedule(way, Due::Arrive(attempt, None));
                self.schedule(way + back, Due::Answer(attempt, lost(Doubt::Reset("lost".into()))));
            }
            _ => {
                self.schedule(patience, Due::Answer(attempt, lost(Doubt::Timeout)));
                self.schedule(patience + 100 * MS, Due::Arrive(attempt, None));
            }
        }
    }

    fn arrive(&mut self, attempt: u32, back: Option<u64>) {
        let call = self.attempts[attempt as usize].call.clone();
        let outcome = self.service.apply(&call);
        self.flush();
        if let Some(back) = back {
            self.schedule(back, Due::Answer(attempt, serde_json::to_string(&outcome).unwrap()));
        }
    }

    /// Sends an intent and waits for the answer.
    fn ask(&mut self, intent: IntentId, instance: usize) {
        let Some(call) = self.bound(intent) else { return };
        let attempt = self.invoke(None, intent, instance, call.clone());
        let outcome = if self.service.is_down() {
            Outcome::Refused { status: None, why: "not sent".into(), reply: Map::new() }
        } else {
            self.service.apply(&call)
        };
        self.flush();
        self.answer(attempt, outcome);
    }

    fn answer(&mut self, attempt: u32, outcome: Outcome) {
        let sent = &mut self.attempts[attempt as usize];
        if std::mem::replace(&mut sent.returned, true) {
            return;
        }
        let (client, intent) = (sent.client, sent.intent);
        if let Outcome::Ok { reply, .. } | Outcome::Refused { reply, .. } = &outcome {
            self.replies.entry(intent).or_insert_with(|| reply.clone());
        }
        let definite = matches!(outcome, Outcome::Ok { .. } | Outcome::Refused { status: Some(_), .. });
        self.record(What::Return { attempt: AttemptId(attempt), outcome });
        let Some(client) = client else { return };
        let caller = &mut self.callers[client];
        caller.definite |= definite;
        caller.open = caller.open.saturating_sub(1);
        if caller.open > 0 {
            return;
        }
        if caller.definite || caller.attempts >= self.script.patience.attempts {
            self.next(client);
        } else {
            self.schedule(self.script.patience.pause.as_nanos() as u64, Due::Step(client));
        }
    }

    fn next(&mut self, client: usize) {
        let caller = &mut self.callers[client];
        (caller.step, caller.attempts) = (caller.step + 1, 0);
        let pause = self.pause(client);
        self.schedule(pause, Due::Step(client));
    }

    /// Until the next step of a caller. Open arrival is played with one step of each caller at a time, none too early.
    fn pause(&self, client: usize) -> u64 {
        let step = self.script.clients[client].get(self.callers[client].step);
        let after = step.map_or(0, |step| step.after.as_nanos() as u64);
        match self.script.arrival {
            Arrival::Open => (self.began + after).saturating_sub(self.now),
            Arrival::Closed => after,
        }
    }

    // ---------------------------------------------------------------------------------------------- the faults

    fn nemesis(&mut self) {
        for step in 0..self.plan.steps.len() {
            let due = match self.plan.steps[step].trigger {
                Trigger::Operations(count) | Trigger::OperationsThen { count, .. } => self.sent >= count,
                Trigger::At(_) => self.sent >= 30,
                Trigger::After { step, pause } => {
                    self.injected[usize::from(step.0)].is_some_and(|at| at + pause.as_nanos() as u64 <= self.now)
                }
            };
            if due && self.injected[step].is_none() {
                self.inject(step);
            }
        }
    }

    fn inject(&mut self, step: usize) {
        self.injected[step] = Some(self.now);
        self.fault(step, FaultChange::Injected("done".into()));
        let fault = &self.plan.steps[step].fault;
        let on = |role: &str| fault.instances().iter().any(|name| name.role == role);
        match fault {
            Fault::KillPostgres => self.service.database_away = true,
            Fault::KillKafka => self.service.broker_away = true,
            Fault::Partition { edge, .. } if edge.to == Node::Kafka && on("relay") => self.service.broker_away = true,
            Fault::Latency { .. } => {}
            Fault::Server(ServerFault::Poison { records, .. }) => {
                (0..usize::from(records.get())).for_each(|number| self.service.poison(number));
                self.flush();
            }
            Fault::Server(ServerFault::Reproduce { count, .. }) => {
                (0..usize::from(count.get())).for_each(|number| self.service.copy(number % 4));
                self.flush();
            }
            Fault::Server(ServerFault::PhantomMember { .. }) => self.service.disturbed += 3,
            Fault::Gateway(at) => self.service.gateway = gateway(*at),
            Fault::Exchange(at) if at.edge.to == Node::Gateway => self.service.gateway = Gateway::Silent,
            Fault::Exchange(at) if matches!(at.act, Act::CrashAfter) && on("relay") => self.service.unconfirmed = 3,
            _ if on("relay") => self.service.unconfirmed = 2,
            _ if on("worker") => self.service.disturbed += 3,
            _ if on("api") => self.cut(),
            _ => {}
        }
        self.fault(step, FaultChange::Bit("it did".into()));
        if let Heal::After(pause) = self.plan.steps[step].heal {
            self.schedule(pause.as_nanos() as u64, Due::Heal(step));
        }
    }

    /// Nobody hears any more of what he has asked.
    fn cut(&mut self) {
        let lost = serde_json::to_string(&Outcome::Unknown(Doubt::Reset("killed".into()))).unwrap();
        for attempt in 0..self.attempts.len() {
            if !self.attempts[attempt].returned && attempt % 2 == 0 {
                self.schedule(MS / 100, Due::Answer(attempt as u32, lost.clone()));
            }
        }
    }

    fn heal(&mut self, step: usize) {
        if self.injected[step].is_none() || std::mem::replace(&mut self.healed[step], true) {
            return;
        }
        let fault = &self.plan.steps[step].fault;
        match fault {
            Fault::KillPostgres => self.service.database_away = false,
            Fault::KillKafka => self.service.broker_away = false,
            Fault::Partition { edge, .. } if edge.to == Node::Kafka => self.service.broker_away = false,
            Fault::Gateway(_) => self.service.gateway = Gateway::Fine,
            _ => {}
        }
        self.service.back();
        self.flush();
        self.fault(step, FaultChange::Healed("over".into()));
    }

    fn fault(&mut self, step: usize, change: FaultChange) {
        self.record(What::Fault { step: StepId(step as u16), change });
    }

    // -------------------------------------------------------------------------------------------- the readings

    fn read(&mut self) {
        let sent = Moment(self.now);
        let (orders, letters) = (self.service.rows(), self.service.letters());
        for (source, rows) in [("orders", orders), ("letters", letters)] {
            let (mut added, mut removed) = (Vec::new(), Vec::new());
            for row in rows {
                let before = self.shown.insert((source, row["id"].to_string()), row.clone());
                if before.as_ref() != Some(&row) {
                    added.push(row);
                    removed.extend(before);
                }
            }
            self.record(What::Rows { sent, source: source.into(), added, removed });
        }
    }

    fn words(&mut self) {
        for place in ["log of api-1", "log of worker-1", "topic orders.events"] {
            let logged = place.starts_with("log").then(|| self.service.printed(&self.script.watch));
            self.record(What::Words { place: place.into(), found: logged.unwrap_or_default() });
        }
        // Nothing was under way any more.
        self.record(What::Words { place: "log of api-2".into(), found: Vec::new() });
    }
}

/// What a fault of the gateway's makes of the simulated one.
fn gateway(at: AtGateway) -> Gateway {
    match (at.does, at.pick) {
        (Does::Throttle(_), Pick::First(first)) => Gateway::Throttles(first),
        (Does::Fail, Pick::Every) => Gateway::Down,
        _ => Gateway::Silent,
    }
}
