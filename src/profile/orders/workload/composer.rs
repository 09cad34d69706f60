//! Composing a script: orders with all that is their own, probes, replays, and what is watched for.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use crate::history::{Call, IntentId};
use crate::profile::Script;
use crate::profile::callers::Callers;
use crate::profile::orders::facts::KEYS;
use crate::profile::programme::Programme;
use crate::profile::script::{Bind, Intent};

/// The stream of random numbers that workloads draw from, apart from the fault plan's.
const WORKLOAD_STREAM: u64 = 2;

/// How many orders are watched: three texts of each, 39 in all.
const WATCHED_MAX: usize = 13;

/// How many new orders each instance is sent after the load.
const PROBES_EACH: usize = 2;

/// How many orders are to be paid before the load begins: a few for each partition that a topic usually has.
const WARM_UP: usize = 12;

/// What cards begin with that are charged, and that are declined.
const GOOD: &str = "5100";
const DECLINED: &str = "4000";

/// A script in the making.
#[derive(Debug)]
pub(super) struct Composer {
    pub(super) random: ChaCha8Rng,
    intents: Vec<Intent>,
    orders: Vec<IntentId>,
}

impl Composer {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(WORKLOAD_STREAM);
        Self { random, intents: Vec::new(), orders: Vec::new() }
    }

    /// An order that the gateway charges.
    pub(super) fn order(&mut self) -> IntentId {
        self.create(GOOD)
    }

    /// An order that the gateway declines.
    pub(super) fn declined(&mut self) -> IntentId {
        self.create(DECLINED)
    }

    fn create(&mut self, card: &str) -> IntentId {
        let number = self.intents.len();
        let currency = if self.random.random_range(0..4) == 0 { "USD" } else { "EUR" };
        let fields = json!({
            "key": KEYS.name(index(number)),
            // Ids of their own, none of which is a part of another, so that a text is found or not.
            "correlation": format!("c-{:016x}", self.random.random::<u64>()),
            "token": format!("tok-{:024x}", self.random.random::<u128>() >> 32),
            "card": format!("{card}{:012}", self.random.random_range(0..1_000_000_000_000_u64)),
            "customer": format!("customer-{}", self.random.random_range(0..40)),
            "amount": self.random.random_range(100..=99_999),
            "currency": currency,
        });
        let id = self.intent("create", fields, None);
        self.orders.push(id);
        id
    }

    /// A look at the order that another intent's reply names.
    pub(super) fn look(&mut self, at: IntentId) -> IntentId {
        self.intent("order", json!({}), Some(at))
    }

    /// The dead letters of the order that another intent's reply names, back to work.
    fn replay(&mut self, of: IntentId) -> IntentId {
        self.intent("replay", json!({}), Some(of))
    }

    /// The script: before the load a few orders, so that it begins with workers that have joined their group; what was
    /// composed; after the load new orders for each instance, then the replays of some orders,
    /// each through two instances at the same time; and some of what is secret or has to be carried on, to be watched.
    pub(super) fn finish(
        mut self,
        programme: Programme,
        callers: &Callers,
        instances: usize,
        replayed: &[IntentId],
    ) -> Script {
        let watch = self.watch();
        let setup = (0..WARM_UP).map(|_| self.order()).collect();
        let mut probes: Vec<_> = (0..instances * PROBES_EACH).map(|_| self.order()).collect();
        for order in replayed {
            probes.extend((0..instances.min(2)).map(|_| self.replay(*order)).collect::<Vec<_>>());
        }
        let clients = programme.finish(&mut self.random, callers);
        let (arrival, patience) = (callers.arrival(), callers.patience());
        Script { intents: self.intents, setup, clients, arrival, patience, probes, audit: Vec::new(), watch }
    }

    /// The texts of some orders, spread over all.
    fn watch(&self) -> Vec<String> {
        let step = self.orders.len().div_ceil(WATCHED_MAX).max(1);
        let watched = self.orders.iter().step_by(step).filter_map(|id| self.intents.get(id.0 as usize));
        let texts = watched.flat_map(|intent| {
            let fields = &intent.call.fields;
            ["correlation", "card", "token"].into_iter().filter_map(|field| fields.get(field)?.as_str())
        });
        texts.map(str::to_owned).collect()
    }

    fn intent(&mut self, operation: &str, fields: Value, of: Option<IntentId>) -> IntentId {
        let fields = if let Value::Object(fields) = fields { fields } else { Map::new() };
        let binds = of.map(|intent| Bind { field: "order".into(), intent, reply: "order".into() });
        let call = Call { operation: operation.into(), fields, raw: None };
        self.intents.push(Intent { call, binds: binds.into_iter().collect() });
        IntentId(index(self.intents.len() - 1))
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
