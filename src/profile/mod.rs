//! Abstract kinds of system: what they do, what is demanded of them, what work they are given, how the evidence is judged.
//!
//! **Invariant:** nothing in here does I/O or reads a clock. A profile turns a seed into a script, and a history into findings.

pub mod callers;
pub mod faults;
mod found;
pub mod ledger;
pub mod names;
pub mod ordering;
pub mod orders;
mod programme;
mod renumber;
pub mod script;
mod silence;

use std::fmt;
use std::sync::Arc;

use crate::history::{Call, Event, History, InstanceName};
use crate::judgement::Finding;
use crate::suite::{Suite, SuiteError};
pub use script::Script;

/// An abstract kind of system.
pub trait Profile: fmt::Debug + Send + Sync {
    /// Its name, for example `ledger`.
    fn name(&self) -> &'static str;

    /// The operations a target has to offer, with the default HTTP mapping of each.
    fn operations(&self) -> &'static [Operation];

    /// The records that callers put on the topic that a target consumes from, with the default form of each. They are
    /// asked for like operations; only they are carried out by the harness as a producer.
    fn publications(&self) -> &'static [Publication] {
        &[]
    }

    /// What is read back from the target besides the replies: for example `journal`.
    /// Each is an operation without fields whose reply has one field `rows`, or a SQL query of the manifest.
    fn readings(&self) -> &'static [&'static str];

    /// The fields of an event record, with the default JSONPath of each.
    fn event_fields(&self) -> &'static [Field];

    /// Reads a suite of this profile.
    ///
    /// # Errors
    /// When the text is not a suite; the error names line and column and suggests what was meant.
    fn read_suite(&self, path: &str, text: &str) -> Result<Suite, SuiteError>;

    /// What the target still owes after the load, as far as the events so far show.
    fn pending(&self, events: &[Event]) -> Pending;

    /// Judges a history by the requirements with these ids. One finding for each, in the same order.
    fn judge(&self, history: &History, case: &JudgedCase<'_>) -> Vec<Finding>;

    /// Whether its services use a payment gateway, which the harness then plays.
    fn has_gateway(&self) -> bool {
        false
    }

    /// Whether the load is to begin only when all that the set-up asked for has been done to its end. Where work goes through a
    /// queue, those who take it from there are then known to have joined, and a fault finds them at work.
    fn begins_at_rest(&self) -> bool {
        false
    }

    /// The things, as accounts, that a call speaks of: what two calls have in common when one can disturb the other.
    fn touches(&self, _call: &Call) -> Vec<String> {
        Vec::new()
    }

    /// The same work without the preparations that nothing in it needs, as after steps were taken out of it.
    fn trim(&self, script: &Script) -> Script {
        script.clone()
    }
}

/// What a judge may know of a case besides its history.
#[derive(Clone, Copy, Debug)]
pub struct JudgedCase<'a> {
    /// The ids of the requirements to judge by.
    pub requirements: &'a [String],
    /// The script that was run.
    pub script: &'a Script,
    /// The plan that was carried out.
    pub plan: &'a crate::fault::Plan,
}

/// Work for a case, with all its parameters read.
pub trait Workload: fmt::Debug + Send + Sync {
    /// The callers' programme for a target with this many instances that take requests. The same seed gives the same script.
    fn script(&self, seed: u64, instances: &[InstanceName]) -> Script;
}

/// A shared workload.
pub type SharedWorkload = Arc<dyn Workload>;

/// What the target still owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pending {
    /// Nothing: everything that was done has been read back in full.
    Nothing,
    /// Something may still come.
    Waiting {
        /// What, for people: `3 transfers without an event`.
        what: String,
    },
}

/// An operation of a profile, with its mapping onto the default HTTP contract.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Its name, for example `transfer`.
    pub name: &'static str,
    /// Method and path template: `POST /transfers`, `GET /accounts/{{ account }}`.
    pub request: &'static str,
    /// Header templates; one that renders to nothing is left out.
    pub headers: &'static [(&'static str, &'static str)],
    /// Body fields: name in the body and field of the call; the value keeps its JSON type. Empty: `{}` where the method has a body at all.
    pub body: &'static [(&'static str, &'static str)],
    /// Fields of a 2xx reply: name and JSONPath.
    pub reply: &'static [Field],
    /// Fields that a refusal may have: name and JSONPath.
    pub refusal: &'static [Field],
}

/// A record that callers publish for a target to consume, with its default form.
#[derive(Clone, Copy, Debug)]
pub struct Publication {
    /// Its name, for example `publish`.
    pub name: &'static str,
    /// Template of the record's key.
    pub key: &'static str,
    /// Header templates; one that renders to nothing is left out.
    pub headers: &'static [(&'static str, &'static str)],
    /// Members of its JSON value: name in the value and field of the call; the value keeps its JSON type.
    pub body: &'static [(&'static str, &'static str)],
}

/// A field that is read from JSON.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in the profile's terms.
    pub name: &'static str,
    /// Where it is, RFC 9535.
    pub path: &'static str,
    /// Whether a reply without it can still be read.
    pub required: bool,
}

/// Every profile there is.
#[must_use]
pub fn all() -> &'static [&'static dyn Profile] {
    &[&ledger::Ledger, &orders::Orders, &ordering::Ordering]
}

/// The profile with this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static dyn Profile> {
    all().iter().copied().find(|profile| profile.name() == name)
}
