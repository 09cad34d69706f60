//! Events of several entities, interleaved, with everything that can happen to them on their way.

use std::time::{Duration, SystemTime};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::fault::spec::Span;
use crate::history::{Call, IntentId};
use crate::profile::Script;
use crate::profile::callers::Callers;
use crate::profile::names::Pattern;
use crate::profile::ordering::contract::PUBLISH;
use crate::profile::ordering::facts::KEYS;
use crate::profile::programme::{Programme, pick};
use crate::profile::script::{Arrival, Intent, Step};

/// The stream of random numbers that workloads draw from, apart from the fault plan's.
const WORKLOAD_STREAM: u64 = 2;

/// How entities are called.
const ENTITIES: Pattern = Pattern { prefix: "e-", width: 4 };

/// How many new events are published after the load at least, so that every partition has a good chance of some.
const PROBES_MIN: usize = 6;

/// How many entities get an event before the load begins: some for each partition that a topic usually has, so that it
/// begins with consumers that have joined their group.
const WARM_UP: u32 = 12;

/// When the first event is said to have happened: an arbitrary day, for what is drawn must not depend on today's.
const EPOCH_S: u64 = 1_767_225_600;

/// See [`super::OrderingWorkload::Stream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stream {
    /// Who publishes; each entity belongs to one of them.
    pub callers: Callers,
    /// How many entities.
    pub entities: u32,
    /// How many events each has.
    pub events: u32,
    /// By how many places of its caller's programme an event may come too early.
    pub window: u32,
    /// How many times one of the events is published once more later, by the same name.
    pub again: u32,
    /// How many entities have an event that comes after all others.
    pub late: u32,
    /// How long the callers wait before they publish these.
    pub hold: Span,
    /// How many further entities have an event that never comes.
    pub missing: u32,
    /// What the events say about when they happened.
    pub timestamps: Timestamps,
}

/// What events say about when they happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timestamps {
    /// As their sequences say.
    #[default]
    Rising,
    /// The other way round.
    Falling,
    /// Anything.
    Random,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            callers: Callers::default(),
            entities: 16,
            events: 12,
            window: 6,
            again: 20,
            late: 0,
            hold: Span(Duration::ZERO),
            missing: 0,
            timestamps: Timestamps::Rising,
        }
    }
}

/// A script in the making.
struct Composer {
    random: ChaCha8Rng,
    intents: Vec<Intent>,
}

impl Stream {
    pub(super) fn script(&self, seed: u64, instances: usize) -> Script {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(WORKLOAD_STREAM);
        let mut composer = Composer { random, intents: Vec::new() };
        let mut programme = Programme::new(&self.callers);
        let clients = programme.clients();
        let mut late = vec![Vec::new(); clients];
        let mut sent = Vec::new();
        for (client, late) in late.iter_mut().enumerate() {
            let mine = (0..self.entities).filter(|entity| *entity as usize % clients == client);
            let queues = mine.map(|entity| self.events_of(&mut composer, entity, late)).collect();
            for intent in composer.interleaved(queues, self.window) {
                programme.send(client, intent);
                sent.push(intent);
            }
        }
        for _ in 0..self.again {
            if let Some(intent) = pick(&mut composer.random, &sent).copied() {
                programme.send_after(&mut composer.random, intent, intent);
            }
        }
        let setup = (self.entities..).take(WARM_UP as usize).map(|entity| composer.event(entity, 1, 0)).collect();
        let probes = (self.entities + WARM_UP..).take(PROBES_MIN.max(instances * 2));
        let probes = probes.map(|entity| composer.event(entity, 1, 0)).collect();
        let mut clients = programme.finish(&mut composer.random, &self.callers);
        for (steps, late) in clients.iter_mut().zip(late) {
            self.append(&mut composer.random, steps, &late);
        }
        Script {
            intents: composer.intents,
            setup,
            clients,
            arrival: self.callers.arrival(),
            patience: self.callers.patience(),
            probes,
            audit: Vec::new(),
            watch: Vec::new(),
        }
    }

    /// What is published of an entity in its order. The first entities have an event that comes late, the next ones one
    /// that never comes; the first and the last events of an entity always come in time.
    fn events_of(&self, composer: &mut Composer, entity: u32, late: &mut Vec<IntentId>) -> Vec<IntentId> {
        let is_apart = entity < self.late.saturating_add(self.missing) && self.events > 2;
        let apart = if is_apart { composer.random.random_range(2..self.events) } else { 0 };
        let mut events = Vec::new();
        for sequence in 1..=self.events {
            let is_late = sequence == apart && entity < self.late;
            if sequence == apart && !is_late {
                continue;
            }
            let second = match self.timestamps {
                Timestamps::Rising => sequence,
                Timestamps::Falling => self.events - sequence,
                Timestamps::Random => composer.random.random_range(0..=self.events.saturating_mul(10)),
            };
            let intent = composer.event(entity, sequence, second);
            if is_late { late.push(intent) } else { events.push(intent) }
        }
        events
    }

    /// What a caller publishes after all else.
    fn append(&self, random: &mut ChaCha8Rng, steps: &mut Vec<Step>, late: &[IntentId]) {
        for (place, intent) in late.iter().enumerate() {
            let hold = if place == 0 { self.hold.0 } else { Duration::ZERO };
            let after = match self.callers.arrival() {
                Arrival::Open => hold + steps.last().map_or(Duration::ZERO, |last| last.after),
                Arrival::Closed => hold + random.random_range(Duration::ZERO..=self.callers.pause.0),
            };
            steps.push(Step { intent: *intent, after, copies: 1 });
        }
    }
}

impl Composer {
    fn event(&mut self, entity: u32, sequence: u32, second: u32) -> IntentId {
        let number = u32::try_from(self.intents.len()).unwrap_or(u32::MAX);
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(EPOCH_S + u64::from(second));
        let fields = json!({
            "key": KEYS.name(number),
            "entity": ENTITIES.name(entity),
            "sequence": sequence,
            // No two alike and none a sum of a few others, so that a total tells what is in it.
            "amount": self.random.random_range(1..=1_000_000_000_i64),
            "at": humantime::format_rfc3339_millis(at).to_string(),
        });
        let fields = if let Value::Object(fields) = fields { fields } else { Map::new() };
        let call = Call { operation: PUBLISH.into(), fields, raw: None };
        self.intents.push(Intent { call, binds: Vec::new() });
        IntentId(number)
    }

    /// One after the other from any of the queues, and then each up to `window` places earlier than that.
    fn interleaved(&mut self, queues: Vec<Vec<IntentId>>, window: u32) -> Vec<IntentId> {
        let mut queues: Vec<_> = queues.into_iter().map(Vec::into_iter).collect();
        let mut all = Vec::new();
        while !queues.is_empty() {
            let at = self.random.random_range(0..queues.len());
            match queues[at].next() {
                Some(intent) => all.push(intent),
                None => drop(queues.swap_remove(at)),
            }
        }
        for place in 0..all.len() {
            let last = (place + window as usize).min(all.len() - 1);
            let other = self.random.random_range(place..=last);
            all[place..=other].rotate_right(1);
        }
        all
    }
}
