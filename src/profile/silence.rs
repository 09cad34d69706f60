//! Telling a service that does not answer from a machine that stood still for a moment.
//!
//! A standstill spoils what is under way at that time, and nothing else. So a failure counts once one of another intent
//! had ended before the request was even sent: the two have no moment in common.

use std::collections::BTreeMap;

use crate::history::{IntentId, Moment};

/// The failures that ended first, of two different intents, by the kind of request.
#[derive(Debug)]
pub(in crate::profile) struct Silence<Kind> {
    first: BTreeMap<Kind, Vec<(Moment, IntentId)>>,
}

impl<Kind> Default for Silence<Kind> {
    fn default() -> Self {
        Self { first: BTreeMap::new() }
    }
}

impl<Kind: Ord> Silence<Kind> {
    /// Notes a failure of an intent, sent at one moment and over at the other; whether there was another one before it that no
    /// standstill explains together with it.
    pub(in crate::profile) fn is_repeated(
        &mut self,
        kind: Kind,
        of: IntentId,
        sent: Moment,
        end: Option<Moment>,
    ) -> bool {
        let end = end.unwrap_or(Moment(u64::MAX));
        let first = self.first.entry(kind).or_default();
        let is_repeated = first.iter().any(|(ended, intent)| *intent != of && *ended < sent);
        match first.iter_mut().find(|(_, intent)| *intent == of) {
            Some((ended, _)) => *ended = end.min(*ended),
            None => first.push((end, of)),
        }
        first.sort_unstable();
        // One of the two is of another intent than any that comes.
        first.truncate(2);
        is_repeated
    }
}
