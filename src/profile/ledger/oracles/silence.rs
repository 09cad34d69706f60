//! Telling a service that does not answer from a machine that stood still for a moment.
//!
//! A standstill spoils what is under way at that time, and nothing else. So a failure counts once one of another intent
//! had ended before the request was even sent: the two have no moment in common.

use std::collections::BTreeMap;

use crate::history::{IntentId, Moment};
use crate::profile::ledger::facts::Attempt;

/// The failure that ended first, by the kind of request.
#[derive(Debug)]
pub(super) struct Silence<Kind> {
    first: BTreeMap<Kind, (Moment, IntentId)>,
}

impl<Kind> Default for Silence<Kind> {
    fn default() -> Self {
        Self { first: BTreeMap::new() }
    }
}

impl<Kind: Ord> Silence<Kind> {
    /// Notes a failure; whether there was another one before it that no standstill explains together with it.
    pub(super) fn is_repeated(&mut self, kind: Kind, failed: &Attempt) -> bool {
        let new = (failed.returned.unwrap_or(Moment(u64::MAX)), failed.intent);
        let first = self.first.entry(kind).or_insert(new);
        let (ended, intent) = *first;
        *first = new.min(*first);
        intent != failed.intent && ended < failed.invoked
    }
}
