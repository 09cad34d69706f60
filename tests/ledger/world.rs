//! Callers that carry a script out against a simulated ledger on a simulated clock: attempts overlap, answers get
//! lost, requests arrive after their callers have given up, instances are killed and stopped.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::time::Duration;

use fireassay::fault::{ClockChange, Fault, Plan, Trigger};
use fireassay::history::{
    AttemptId, Call, ClientId, Doubt, Event, FaultChange, History, InstanceName, IntentId, Moment, Outcome, Phase,
    ProcessChange, StepId, What,
};
use fireassay::profile::Script;
use fireassay::profile::script::{Arrival, Patience};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};

use super::service::{Defect, Service};

/// How the world behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nature {
    pub(crate) defect: Option<Defect>,
    /// Of 100 attempts of the load, how many end in doubt.
    pub(crate) doubt: u32,
    /// Whether the journal shows keys.
    pub(crate) keys: bool,
    pub(crate) read_every: Option<Duration>,
    /// Of 100 requests of the load that arrive, how many arrive a second time, at once or late.
    pub(crate) repeats: u32,
    /// The longest time between a transfer being carried out and the journal showing it; nobody is answered before.
    pub(crate) commit: Duration,
    /// Whether requests that nobody waits for any more may arrive after the load, even in the middle of the audit.
    pub(crate) stragglers: bool,
}

/// What happened when the script was carried out.
pub(crate) fn run(script: &Script, plan: &Plan, nature: Nature, seed: u64) -> History {
    let instances: Vec<_> = (1..=2).map(|number| InstanceName { role: "api".into(), number }).collect();
    let mut world = World {
        random: ChaCha8Rng::seed_from_u64(seed),
        script,
        plan,
        nature,
        instances,
        events: Vec::new(),
        queue: BinaryHeap::new(),
        order: 0,
        now: 0,
        attempts: Vec::new(),
        replies: HashMap::new(),
        clients: vec![Caller::default(); script.clients.len()],
        sent: 0,
        injected: vec![false; plan.steps.len()],
        down: BTreeMap::new(),
        clocks: [Clock::default(); 2],
        shown: HashMap::new(),
        service: Service::new(nature.defect, nature.keys, nature.commit, seed),
        load: false,
        began: 0,
    };
    world.play();
    History { events: world.events }
}

const MS: u64 = 1_000_000;

struct World<'a> {
    random: ChaCha8Rng,
    script: &'a Script,
    plan: &'a Plan,
    nature: Nature,
    instances: Vec<InstanceName>,
    events: Vec<Event>,
    queue: BinaryHeap<Reverse<(u64, u64, Due)>>,
    order: u64,
    now: u64,
    attempts: Vec<Sent>,
    replies: HashMap<IntentId, Map<String, Value>>,
    clients: Vec<Caller>,
    sent: u32,
    injected: Vec<bool>,
    /// Until when an instance takes no requests.
    down: BTreeMap<usize, u64>,
    clocks: [Clock; 2],
    shown: HashMap<i64, Value>,
    service: Service,
    load: bool,
    began: u64,
}

/// How wrong an instance's clock is.
#[derive(Clone, Copy, Default)]
struct Clock {
    since: u64,
    error: i64,
    gains: f64,
}

impl Clock {
    fn error(self, now: u64) -> i64 {
        self.error + ((now - self.since) as f64 * self.gains) as i64
    }

    fn changed(self, change: ClockChange, now: u64) -> Self {
        let here = Self { since: now, error: self.error(now), ..self };
        match change {
            ClockChange::Step(shift) => Self { error: here.error + shift.nanoseconds(), ..here },
            ClockChange::Drift(rate) => Self { gains: rate.get() - 1.0, ..here },
            ClockChange::Freeze => Self { gains: -1.0, ..here },
            ClockChange::Back => Self::default(),
        }
    }
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
    client: usize,
    intent: IntentId,
    instance: usize,
    call: Call,
    returned: bool,
    executed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Step(usize),
    Execute(u32),
    /// The same request again, of which only the service knows.
    Repeat(u32),
    Answer(u32, String),
    GiveUp(u32),
    Read,
    Publish,
    Exit(usize, String),
    Up(usize),
}

impl World<'_> {
    fn play(&mut self) {
        self.record(What::Phase { phase: Phase::Setup });
        for &intent in &self.script.setup {
            self.serially(intent, 0);
        }
        self.drain();
        self.record(What::Phase { phase: Phase::Load });
        self.load = true;
        self.began = self.now;
        for client in 0..self.script.clients.len() {
            self.schedule(self.pause(client), Due::Step(client));
        }
        if self.nature.read_every.is_some() {
            self.schedule(50 * MS, Due::Read);
        }
        self.drain();
        let late = self.stragglers();
        self.load = false;
        self.clocks = [Clock::default(); 2];
        for step in 0..self.plan.steps.len() {
            if self.injected[step] {
                self.fault(step, FaultChange::Healed("over".into()));
            }
        }
        self.now += MS;
        self.record(What::Phase { phase: Phase::Settle });
        let served = if self.nature.defect == Some(Defect::StaysDown) { 0 } else { self.script.probes.len() };
        for (instance, &probe) in self.script.probes.iter().enumerate().take(served) {
            self.serially(probe, instance);
        }
        for &probe in self.script.probes.iter().skip(served) {
            let attempt = self.invoke(0, probe, 0);
            self.answer(attempt, Outcome::Refused { status: None, why: "not sent".into(), reply: Map::new() });
        }
        self.drain();
        for due in late {
            let pause = self.random.random_range(0..200 * MS);
            self.schedule(pause, due);
        }
        self.pass(100 * MS);
        self.read();
        self.record(What::Phase { phase: Phase::Audit });
        self.pass(MS);
        self.read();
        for (number, &intent) in self.script.audit.iter().enumerate() {
            self.pass(MS);
            self.serially(intent, number % self.instances.len());
        }
        self.read();
        self.record(What::EventsRead);
    }

    /// Takes what has not arrived yet, though its callers wait no longer, out of the queue.
    fn stragglers(&mut self) -> Vec<Due> {
        let queue = std::mem::take(&mut self.queue);
        let (late, rest): (Vec<_>, Vec<_>) =
            queue.into_sorted_vec().into_iter().partition(|Reverse((_, _, due))| self.is_straggler(due));
        self.queue = rest.into();
        late.into_iter().map(|Reverse((_, _, due))| due).collect()
    }

    fn is_straggler(&self, due: &Due) -> bool {
        let (Due::Execute(attempt) | Due::Repeat(attempt)) = due else { return false };
        self.nature.stragglers && self.attempts[*attempt as usize].returned
    }

    /// Lets everything happen; while there may be stragglers only until no caller has anything more to do.
    fn drain(&mut self) {
        while !(self.load && self.nature.stragglers && self.callers_are_done()) {
            let Some(Reverse((at, _, due))) = self.queue.pop() else { return };
            self.happen(at, due);
        }
    }

    fn callers_are_done(&self) -> bool {
        let done = |(number, caller): (usize, &Caller)| caller.step >= self.script.clients[number].len();
        self.clients.iter().enumerate().all(done) && self.attempts.iter().all(|sent| sent.returned)
    }

    /// Lets this much time pass, and happen what falls into it.
    fn pass(&mut self, time: u64) {
        let end = self.now + time;
        while self.queue.peek().is_some_and(|Reverse((at, ..))| *at <= end) {
            let Some(Reverse((at, _, due))) = self.queue.pop() else { return };
            self.happen(at, due);
        }
        self.now = self.now.max(end);
    }

    fn happen(&mut self, at: u64, due: Due) {
        self.now = self.now.max(at);
        match due {
            Due::Step(client) => self.step(client),
            Due::Execute(attempt) => self.execute(attempt),
            Due::Repeat(attempt) => _ = self.apply(AttemptId(attempt)),
            Due::Answer(attempt, outcome) => {
                self.answer(AttemptId(attempt), serde_json::from_str(&outcome).unwrap());
            }
            Due::GiveUp(attempt) => self.answer(AttemptId(attempt), Outcome::Unknown(Doubt::Timeout)),
            Due::Read => {
                self.read();
                let every = self.nature.read_every.unwrap().as_nanos() as u64;
                if self.clients.iter().enumerate().any(|(n, c)| c.step < self.script.clients[n].len()) {
                    self.schedule(every, Due::Read);
                }
            }
            Due::Publish => self.publish(),
            Due::Exit(instance, status) => {
                let name = self.instances[instance].to_string();
                self.record(What::Process { name, change: ProcessChange::Exited { status, expected: true } });
            }
            Due::Up(instance) => {
                let name = self.instances[instance].to_string();
                self.record(What::Process { name, change: ProcessChange::Ready });
            }
        }
    }

    fn schedule(&mut self, pause: u64, due: Due) {
        self.order += 1;
        self.queue.push(Reverse((self.now + pause, self.order, due)));
    }

    fn record(&mut self, what: What) {
        self.now += 1_000;
        self.events.push(Event { at: Moment(self.now), what });
    }

    fn fault(&mut self, step: usize, change: FaultChange) {
        self.record(What::Fault { step: StepId(step as u16), change });
    }

    fn serially(&mut self, intent: IntentId, instance: usize) {
        let attempt = self.invoke(0, intent, instance);
        self.now += 200_000;
        let outcome = self.apply(attempt);
        self.now = self.now.max(self.service.committed);
        self.answer(attempt, outcome);
    }

    fn step(&mut self, client: usize) {
        let (steps, patience) = (&self.script.clients[client], self.script.patience);
        let Some(step) = steps.get(self.clients[client].step) else { return };
        let intent = &self.script.intents[step.intent.0 as usize];
        if intent.binds.iter().any(|bind| !self.replies.get(&bind.intent).is_some_and(|r| r.contains_key(&bind.reply)))
        {
            return self.next(client);
        }
        self.clients[client].attempts += 1;
        self.clients[client].open = step.copies;
        self.clients[client].definite = false;
        for _ in 0..step.copies.max(1) {
            self.clients[client].sent += 1;
            let instance = (client + self.clients[client].sent) % self.instances.len();
            let attempt = self.invoke(client, step.intent, instance);
            self.send(attempt, patience);
        }
    }

    fn invoke(&mut self, client: usize, id: IntentId, instance: usize) -> AttemptId {
        let intent = &self.script.intents[id.0 as usize];
        let mut call = intent.call.clone();
        for bind in &intent.binds {
            call.fields.insert(bind.field.clone(), self.replies[&bind.intent][&bind.reply].clone());
        }
        let attempt = AttemptId(self.attempts.len() as u32);
        let to = self.instances[instance].clone();
        self.attempts.push(Sent { client, intent: id, instance, call: call.clone(), returned: false, executed: false });
        self.record(What::Invoke { attempt, intent: id, client: ClientId(client as u16), to, call });
        if self.load {
            self.sent += 1;
            self.nemesis();
        }
        attempt
    }

    /// Lets a request take its way: it is executed and answered, or something is lost on the way.
    fn send(&mut self, AttemptId(attempt): AttemptId, patience: Patience) {
        let instance = self.attempts[attempt as usize].instance;
        if self.down.get(&instance).is_some_and(|until| *until > self.now) {
            let outcome = Outcome::Refused { status: None, why: "not sent".into(), reply: Map::new() };
            return self.schedule(50_000, Due::Answer(attempt, serde_json::to_string(&outcome).unwrap()));
        }
        let way = self.random.random_range(100_000..20 * MS);
        let slow = self.stops();
        let way = if slow { way + 400 * MS } else { way };
        if self.random.random_range(0..100) < self.nature.repeats {
            let later = if self.random.random() { 0 } else { 300 * MS };
            self.schedule(way + later + 1, Due::Repeat(attempt));
        }
        if self.random.random_range(0..100) >= self.nature.doubt {
            return self.schedule(way, Due::Execute(attempt));
        }
        let reset = serde_json::to_string(&Outcome::Unknown(Doubt::Reset("lost".into()))).unwrap();
        match self.random.random_range(0..4) {
            // Never arrives.
            0 => self.schedule(way, Due::Answer(attempt, reset)),
            // Arrives, but the answer is lost.
            1 => {
                self.schedule(way, Due::Execute(attempt));
                self.schedule(way / 2, Due::Answer(attempt, reset));
            }
            // Arrives long after the caller has given up.
            2 => {
                self.schedule(patience.timeout.as_nanos() as u64, Due::GiveUp(attempt));
                self.schedule(patience.timeout.as_nanos() as u64 + 300 * MS, Due::Execute(attempt));
            }
            _ => {
                let doubt = Doubt::Status { status: 503, body: String::new() };
                let outcome = serde_json::to_string(&Outcome::Unknown(doubt)).unwrap();
                self.schedule(way, Due::Answer(attempt, outcome));
            }
        }
    }

    fn stops(&self) -> bool {
        self.plan.steps.iter().any(|step| matches!(step.fault, Fault::Stop(_)))
    }

    fn execute(&mut self, attempt: u32) {
        if std::mem::replace(&mut self.attempts[attempt as usize].executed, true) {
            return;
        }
        let outcome = self.apply(AttemptId(attempt));
        let committed = self.service.committed.saturating_sub(self.now);
        let back = committed + self.random.random_range(50_000..3 * MS);
        self.schedule(back, Due::Answer(attempt, serde_json::to_string(&outcome).unwrap()));
    }

    fn apply(&mut self, attempt: AttemptId) -> Outcome {
        let Sent { call, instance, .. } = &self.attempts[attempt.0 as usize];
        self.service.plants = self.load;
        self.service.clock = self.now as i64 + self.clocks[*instance].error(self.now);
        let (outcome, published) = self.service.apply(call, self.now);
        for _ in 0..published {
            self.schedule(30 * MS, Due::Publish);
        }
        outcome
    }

    fn publish(&mut self) {
        self.service.plants = self.load;
        for record in self.service.publish() {
            self.record(What::Record(record));
        }
    }

    fn read(&mut self) {
        let sent = Moment(self.now);
        let rows = self.service.journal(self.now);
        // The simulated ledger never shows a sequence twice.
        let by_sequence = |rows: &[Value]| -> HashMap<i64, Value> {
            rows.iter().map(|row| (row["sequence"].as_i64().unwrap(), row.clone())).collect()
        };
        let now = by_sequence(&rows);
        let is_new = |row: &&Value| self.shown.get(&row["sequence"].as_i64().unwrap()) != Some(*row);
        let added = rows.iter().filter(is_new).cloned().collect();
        let is_gone = |(sequence, row): &(&i64, &Value)| now.get(sequence) != Some(*row);
        let removed = self.shown.iter().filter(is_gone).map(|(_, row)| row.clone()).collect();
        self.shown = now;
        self.record(What::Rows { sent, source: "journal".into(), added, removed });
    }

    fn answer(&mut self, attempt: AttemptId, outcome: Outcome) {
        let sent = &mut self.attempts[attempt.0 as usize];
        if std::mem::replace(&mut sent.returned, true) {
            return;
        }
        let (client, intent) = (sent.client, sent.intent);
        if let Outcome::Ok { reply, .. } | Outcome::Refused { reply, .. } = &outcome {
            self.replies.insert(intent, reply.clone());
        }
        let definite = !matches!(outcome, Outcome::Unknown(_) | Outcome::Refused { status: None, .. });
        self.record(What::Return { attempt, outcome });
        if !self.load {
            return;
        }
        let caller = &mut self.clients[client];
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
        let caller = &mut self.clients[client];
        (caller.step, caller.attempts) = (caller.step + 1, 0);
        let pause = self.pause(client);
        self.schedule(pause, Due::Step(client));
    }

    /// Until the next step of a caller. Open arrival is played with one step of each caller at a time, none too early.
    fn pause(&self, client: usize) -> u64 {
        let step = self.script.clients[client].get(self.clients[client].step);
        let after = step.map_or(0, |step| step.after.as_nanos() as u64);
        match self.script.arrival {
            Arrival::Open => (self.began + after).saturating_sub(self.now),
            Arrival::Closed => after,
        }
    }

    fn nemesis(&mut self) {
        for step in 0..self.plan.steps.len() {
            let due = match self.plan.steps[step].trigger {
                Trigger::Operations(count) | Trigger::OperationsThen { count, .. } => self.sent >= count,
                Trigger::At(_) => self.sent >= 30,
                Trigger::After { step, .. } => self.injected[usize::from(step.0)],
            };
            if !due || std::mem::replace(&mut self.injected[step], true) {
                continue;
            }
            self.fault(step, FaultChange::Injected("done".into()));
            match &self.plan.steps[step].fault {
                Fault::FlushRedis => self.service.flushed = true,
                Fault::Stop(name) => self.stop(name),
                Fault::Kill(name) if name.role == "relay" => self.service.redeliver(),
                Fault::Kill(name) if name.role == "api" => self.kill(usize::from(name.number - 1)),
                Fault::Clock { of, change } if of.role == "api" => {
                    let clock = &mut self.clocks[usize::from(of.number - 1)];
                    *clock = clock.changed(*change, self.now);
                }
                _ => {}
            }
            self.fault(step, FaultChange::Bit("it did".into()));
        }
    }

    fn kill(&mut self, instance: usize) {
        self.down.insert(instance, self.now + 150 * MS);
        let open: Vec<_> = (0..self.attempts.len() as u32)
            .filter(|id| {
                let sent = &self.attempts[*id as usize];
                sent.instance == instance && !sent.returned && self.load
            })
            .collect();
        for attempt in open {
            // What had been executed stays so; the rest never happens.
            self.attempts[attempt as usize].executed = true;
            let reset = Outcome::Unknown(Doubt::Reset("killed".into()));
            self.schedule(10_000, Due::Answer(attempt, serde_json::to_string(&reset).unwrap()));
        }
    }

    fn stop(&mut self, name: &InstanceName) {
        let instance = usize::from(name.number - 1);
        match self.nature.defect {
            Some(Defect::CutsShort) => {
                self.kill(instance);
                self.schedule(MS, Due::Exit(instance, "signal: 15 (SIGTERM)".into()));
            }
            Some(Defect::IgnoresSigterm) => {
                self.schedule(4_000 * MS, Due::Exit(instance, "signal: 9 (SIGKILL)".into()));
            }
            _ => {
                self.down.insert(instance, self.now + 1_500 * MS);
                self.schedule(600 * MS, Due::Exit(instance, "exit status: 0".into()));
            }
        }
        self.schedule(5_000 * MS, Due::Up(instance));
    }
}
