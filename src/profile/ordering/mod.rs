//! A sequenced consumer: events carry an entity and a sequence, and are applied in that order whatever order they come in.
//!
//! The harness is the producer: callers publish events out of order, twice, late or not at all. A history is read once
//! into [`facts`]; what belongs to each entity is put together once in [`books`]; then each requirement has its oracle in
//! `oracles`.

pub mod books;
mod contract;
pub mod facts;
mod oracles;
mod pending;
mod trim;
pub mod workload;

pub use oracles::{judge, requirements};

use self::facts::Facts;
use self::workload::OrderingWorkload;
use super::{Field, JudgedCase, Operation, Pending, Profile, Publication, Script};
use crate::history::{Call, Event, History};
use crate::judgement::Finding;
use crate::suite::{Suite, SuiteError};

/// The role that applies events.
const CONSUMER: &str = "consumer";

/// The ordering profile.
#[derive(Clone, Copy, Debug)]
pub struct Ordering;

impl Profile for Ordering {
    fn name(&self) -> &'static str {
        "ordering"
    }

    fn operations(&self) -> &'static [Operation] {
        contract::OPERATIONS
    }

    fn publications(&self) -> &'static [Publication] {
        contract::PUBLICATIONS
    }

    fn readings(&self) -> &'static [&'static str] {
        contract::READINGS
    }

    fn event_fields(&self) -> &'static [Field] {
        contract::EVENT_FIELDS
    }

    fn begins_at_rest(&self) -> bool {
        true
    }

    fn read_suite(&self, path: &str, text: &str) -> Result<Suite, SuiteError> {
        crate::suite::read::<OrderingWorkload>(self.name(), path, text)
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
