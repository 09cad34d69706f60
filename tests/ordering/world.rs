//! Callers that publish what a script says to a simulated topic on a simulated clock, and a consumer that reads it:
//! attempts end in doubt, records come again, and the consumer dies when the plan says so.

use std::collections::{BTreeMap, VecDeque};

use fireassay::fault::{Fault, Heal, Plan, ServerFault, Trigger};
use fireassay::history::{
    AttemptId, ClientId, Doubt, End, Event as Line, FaultChange, History, InstanceName, IntentId, Moment, Outcome,
    Phase, ProcessChange, Record, StepId, What,
};
use fireassay::profile::script::Arrival;
use fireassay::profile::{Pending, Profile as _, Script, ordering::Ordering};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::service::{Defect, Event, MS, Service, partition_of};

/// How long the simulated target may take to settle.
const SETTLE: u64 = 4_000 * MS;

/// How the world behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nature {
    pub(crate) defect: Option<Defect>,
    /// Of 100 attempts of the load, how many end in doubt.
    pub(crate) doubt: u32,
}

struct World<'a> {
    random: ChaCha8Rng,
    script: &'a Script,
    nature: Nature,
    service: Service,
    events: Vec<Line>,
    now: u64,
    attempts: u32,
    /// Those of the set-up.
    attempts_before: u32,
    /// By partition: when each record may be read, and what it says.
    topic: BTreeMap<i32, VecDeque<(u64, Event)>>,
    offsets: BTreeMap<i32, i64>,
    told: BTreeMap<i32, i64>,
    /// The consumer is away until then.
    away: u64,
    shown: BTreeMap<&'static str, Vec<Value>>,
}

/// What happened when the script was carried out.
pub(crate) fn run(script: &Script, plan: &Plan, nature: Nature, seed: u64) -> History {
    let mut world = World {
        random: ChaCha8Rng::seed_from_u64(seed),
        script,
        nature,
        service: Service::new(nature.defect),
        events: Vec::new(),
        now: 0,
        attempts: 0,
        attempts_before: 0,
        topic: BTreeMap::new(),
        offsets: BTreeMap::new(),
        told: BTreeMap::new(),
        away: 0,
        shown: BTreeMap::new(),
    };
    world.play(plan);
    History { events: world.events }
}

impl World<'_> {
    fn play(&mut self, plan: &Plan) {
        self.phase(Phase::Setup);
        for intent in self.script.setup.clone() {
            self.publish(intent, 0, 0);
        }
        self.advance(self.now + 100 * MS);
        self.attempts_before = self.attempts;
        self.phase(Phase::Load);
        let mut due: Vec<(u64, usize, usize)> = Vec::new();
        let is_open = self.script.arrival == Arrival::Open;
        for (client, steps) in self.script.clients.iter().enumerate() {
            let mut at = self.now;
            for (number, step) in steps.iter().enumerate() {
                let after = u64::try_from(step.after.as_nanos()).unwrap();
                // A caller waits for an answer before its next step.
                at = if is_open { self.now + after } else { at + after + 3 * MS };
                due.push((at, client, number));
            }
        }
        due.sort_unstable();
        let mut faults = plan.steps.iter().enumerate().peekable();
        let mut read = 0;
        for (at, client, number) in due {
            self.advance(at.max(self.now));
            let intent = self.script.clients[client][number].intent;
            self.publish(intent, client, self.nature.doubt);
            while let Some((step, it)) = faults.next_if(|(_, step)| self.is_due(step.trigger)) {
                self.inject(step, &it.fault, it.heal);
            }
            if self.now >= read {
                (read, _) = (self.now + 100 * MS, self.read());
            }
        }
        for (step, it) in faults {
            self.inject(step, &it.fault, it.heal);
        }
        self.settle();
    }

    fn is_due(&self, trigger: Trigger) -> bool {
        match trigger {
            Trigger::Operations(count) | Trigger::OperationsThen { count, .. } => {
                self.attempts - self.attempts_before >= count
            }
            Trigger::At(_) | Trigger::After { .. } => true,
        }
    }

    fn settle(&mut self) {
        self.advance(self.away.max(self.now) + 20 * MS);
        self.phase(Phase::Settle);
        self.service.load_is_over = true;
        for intent in self.script.probes.clone() {
            self.publish(intent, 0, 0);
        }
        let end = self.now + SETTLE;
        loop {
            self.advance(self.now + 40 * MS);
            self.read();
            if self.now >= end || Ordering.pending(&self.events) == Pending::Nothing {
                break;
            }
        }
        self.phase(Phase::Audit);
        self.read();
        self.record(What::EventsRead);
        self.exit("consumer-1", true);
        self.record(What::End { why: End::Completed });
    }

    /// Lets time pass: what is due is consumed and told.
    fn advance(&mut self, to: u64) {
        while self.now < to {
            self.now = (self.now + 2 * MS).min(to);
            if self.now < self.away {
                continue;
            }
            for (partition, queue) in &mut self.topic {
                while let Some((_, event)) = queue.pop_front_if(|(at, _)| *at <= self.now) {
                    self.service.take(event, *partition, self.now);
                }
            }
            self.service.look(self.now);
            self.tell();
        }
    }

    fn tell(&mut self) {
        for told in std::mem::take(&mut self.service.told) {
            // Some of it twice, as a relay that begins again does.
            for _ in 0..if self.random.random_range(0..20) == 0 { 2 } else { 1 } {
                let offset = self.told.entry(told.partition).or_default();
                let fields = json!({ "event": told.key, "entity": told.entity, "sequence": told.sequence });
                let record = Record {
                    topic: "ordering.applied".into(),
                    partition: told.partition,
                    offset: *offset,
                    key: Some(told.entity.clone()),
                    headers: BTreeMap::new(),
                    fields: object(fields),
                };
                *offset += 1;
                self.record(What::Record(record));
            }
        }
    }

    /// Publishes until the broker says that it has it.
    fn publish(&mut self, intent: IntentId, client: usize, doubt: u32) {
        let call = self.script.intents[intent.0 as usize].call.clone();
        let text = |field: &str| call.fields[field].as_str().unwrap().to_owned();
        let number = |field: &str| call.fields[field].as_i64().unwrap();
        let event = Event {
            key: text("key"),
            entity: text("entity"),
            sequence: number("sequence"),
            amount: number("amount"),
            at: text("at"),
        };
        for left in (0..3).rev() {
            let attempt = AttemptId(self.attempts);
            self.attempts += 1;
            let to = InstanceName { role: "api".into(), number: 1 };
            let client = ClientId(u16::try_from(client).unwrap());
            self.record(What::Invoke { attempt, intent, client, to, call: call.clone() });
            let is_doubtful = left > 0 && self.random.random_range(0..100) < doubt;
            let arrives = !is_doubtful || self.random.random_range(0..2) == 0;
            let place = arrives.then(|| self.append(event.clone()));
            self.now += MS;
            let outcome = match place.filter(|_| !is_doubtful) {
                Some((partition, offset)) => {
                    Outcome::Ok { status: 0, reply: object(json!({ "partition": partition, "offset": offset })) }
                }
                None => Outcome::Unknown(Doubt::Timeout),
            };
            self.record(What::Return { attempt, outcome });
            if !is_doubtful {
                return;
            }
        }
    }

    fn append(&mut self, event: Event) -> (i32, i64) {
        let partition = partition_of(&event.entity);
        let offset = self.offsets.entry(partition).or_default();
        *offset += 1;
        let at = self.now + self.random.random_range(1..5) * MS;
        self.topic.entry(partition).or_default().push_back((at, event));
        (partition, *offset - 1)
    }

    fn inject(&mut self, step: usize, fault: &Fault, heal: Heal) {
        let step = StepId(u16::try_from(step).unwrap());
        let change = |change| What::Fault { step, change };
        self.record(change(FaultChange::Injected("done".into())));
        self.record(change(FaultChange::Bit("seen".into())));
        let killed =
            fault.instances().iter().any(|name| name.role == "consumer") && !matches!(fault, Fault::Clock { .. });
        if let Fault::Server(ServerFault::Reproduce { count, .. }) = fault {
            for _ in 0..count.get() {
                self.reproduce();
            }
        } else if killed {
            let rest = match heal {
                Heal::After(after) => u64::try_from(after.as_nanos()).unwrap(),
                Heal::Operations(_) | Heal::AtEnd => 100 * MS,
            };
            self.exit("consumer-1", true);
            self.service.die();
            self.away = self.away.max(self.now + rest);
        }
        self.record(change(FaultChange::Healed("over".into())));
    }

    /// Some event of the topic once more.
    fn reproduce(&mut self) {
        let sent = self.script.clients.iter().flatten().next().unwrap();
        let fields = &self.script.intents[sent.intent.0 as usize].call.fields;
        let text = |field: &str| fields[field].as_str().unwrap().to_owned();
        let (sequence, amount) = (fields["sequence"].as_i64().unwrap(), fields["amount"].as_i64().unwrap());
        let event = Event { key: text("key"), entity: text("entity"), sequence, amount, at: text("at") };
        let (partition, offset) = self.append(event);
        self.record(What::Reproduced { topic: "ordering.movements".into(), partition, of: 0, offset });
    }

    fn exit(&mut self, name: &str, expected: bool) {
        let change = ProcessChange::Exited { status: "signal: 9 (SIGKILL)".into(), expected };
        self.record(What::Process { name: name.into(), change });
    }

    fn read(&mut self) {
        for source in Ordering.readings() {
            let rows = self.service.rows(source);
            let before = self.shown.insert(*source, rows.clone()).unwrap_or_default();
            // What both begin with need not be compared with all the rest.
            let same = before.iter().zip(&rows).take_while(|(old, new)| old == new).count();
            let (old, new) = (&before[same..], &rows[same..]);
            let added = new.iter().filter(|row| !old.contains(row)).cloned().collect();
            let removed = old.iter().filter(|row| !new.contains(row)).cloned().collect();
            self.record(What::Rows { sent: Moment(self.now), source: (*source).into(), added, removed });
        }
    }

    fn phase(&mut self, phase: Phase) {
        self.record(What::Phase { phase });
    }

    fn record(&mut self, what: What) {
        // No two lines at one moment.
        self.now += 1;
        self.events.push(Line { at: Moment(self.now), what });
    }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("not an object") };
    map
}
