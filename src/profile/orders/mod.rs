//! Orders that are paid by a worker: an API with an outbox, a relay, events, a payment gateway, dead letters.
//!
//! A history is read once into [`facts`]; what belongs to each order is put together once in [`books`]; then each
//! requirement has its oracle in `oracles`. What was charged is known from the gateway, which the harness plays.

pub mod books;
mod contract;
pub mod facts;
mod oracles;
mod pending;
mod probes;
mod state;
mod trim;
pub mod workload;

pub use oracles::{judge, requirements};
pub use state::State;

use self::facts::Facts;
use self::workload::OrdersWorkload;
use super::{Field, JudgedCase, Operation, Pending, Profile, Script};
use crate::history::{Call, Event, History};
use crate::judgement::Finding;
use crate::suite::{Suite, SuiteError};

/// The role that takes requests.
const API: &str = "api";

/// The role that charges.
const WORKER: &str = "worker";

/// The orders profile.
#[derive(Clone, Copy, Debug)]
pub struct Orders;

impl Profile for Orders {
    fn name(&self) -> &'static str {
        "orders"
    }

    fn operations(&self) -> &'static [Operation] {
        contract::OPERATIONS
    }

    fn readings(&self) -> &'static [&'static str] {
        contract::READINGS
    }

    fn event_fields(&self) -> &'static [Field] {
        contract::EVENT_FIELDS
    }

    fn has_gateway(&self) -> bool {
        true
    }

    fn begins_at_rest(&self) -> bool {
        true
    }

    fn read_suite(&self, path: &str, text: &str) -> Result<Suite, SuiteError> {
        crate::suite::read::<OrdersWorkload>(self.name(), path, text)
    }

    fn pending(&self, events: &[Event]) -> Pending {
        pending::pending(&Facts::read(events))
    }

    fn judge(&self, history: &History, case: &JudgedCase<'_>) -> Vec<Finding> {
        judge(&history.events, case)
    }

    fn touches(&self, call: &Call) -> Vec<String> {
        trim::touches(call)
    }

    fn trim(&self, script: &Script) -> Script {
        trim::trim(script)
    }
}
