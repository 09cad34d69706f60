//! Double-entry ledgers: accounts, transfers under idempotency keys, reversals, a journal, one event per transfer.
//!
//! A history is read once into [`facts`]; what follows from them is worked out once in [`books`]; then each
//! requirement has its oracle in `oracles`.

pub mod books;
mod contract;
pub mod facts;
mod oracles;
mod pending;
mod trim;
pub mod workload;

pub use oracles::{judge, requirements};

use self::facts::Facts;
use self::workload::LedgerWorkload;
use super::{Field, JudgedCase, Operation, Pending, Profile, Script};
use crate::history::{Call, Event, History};
use crate::judgement::Finding;
use crate::suite::{Suite, SuiteError};

/// The ledger profile.
#[derive(Clone, Copy, Debug)]
pub struct Ledger;

impl Profile for Ledger {
    fn name(&self) -> &'static str {
        "ledger"
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

    fn read_suite(&self, path: &str, text: &str) -> Result<Suite, SuiteError> {
        crate::suite::read::<LedgerWorkload>(self.name(), path, text)
    }

    fn pending(&self, events: &[Event]) -> Pending {
        pending::pending(&Facts::read(events))
    }

    fn judge(&self, history: &History, case: &JudgedCase<'_>) -> Vec<Finding> {
        judge(&Facts::read(&history.events), case)
    }

    fn touches(&self, call: &Call) -> Vec<String> {
        trim::touches(call)
    }

    fn trim(&self, script: &Script) -> Script {
        trim::trim(script)
    }
}
