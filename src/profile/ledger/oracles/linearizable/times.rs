//! Between what moments a transfer took effect, as far as that is certain.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::super::Seen;
use crate::history::{IntentId, Moment};
use crate::profile::ledger::facts::{Answer, Ask, Instance, Transfer};

/// When things were asked for and acknowledged.
#[derive(Debug)]
pub(super) struct Times {
    /// When the first attempt of each intent was sent.
    begun: Vec<Moment>,
    /// The first acknowledgement that names each transfer, and by which instance.
    named: Vec<Option<(Moment, Instance)>>,
    /// The first attempt to reverse each transfer.
    reversing: HashMap<Transfer, Moment, RandomState>,
}

impl Times {
    /// Reads them from all attempts.
    pub(super) fn new(seen: &Seen<'_>) -> Self {
        let facts = seen.facts;
        let mut begun = vec![Moment(u64::MAX); facts.intents.len()];
        let mut named = vec![None; facts.transfers.len()];
        for attempt in &facts.attempts {
            let first = &mut begun[attempt.intent.0 as usize];
            *first = attempt.invoked.min(*first);
            if let (Answer::Ok { transfer: Some(transfer) }, Some(at)) = (attempt.answer, attempt.returned) {
                let first = &mut named[transfer.0 as usize];
                *first = Some(first.map_or((at, attempt.to), |known| (at, attempt.to).min(known)));
            }
        }
        let mut reversing = HashMap::<_, Moment, RandomState>::default();
        for (intent, begun) in facts.intents.iter().zip(&begun) {
            if let Ask::Reverse(original) = intent.ask {
                let first = reversing.entry(original).or_insert(*begun);
                *first = (*first).min(*begun);
            }
        }
        Self { begun, named, reversing }
    }

    /// When an intent was first sent.
    pub(super) fn begun(&self, intent: IntentId) -> Moment {
        self.begun.get(intent.0 as usize).copied().unwrap_or_default()
    }

    /// Between what moments a transfer took effect, and which instance acknowledged it first.
    pub(super) fn of(&self, seen: &Seen<'_>, transfer: Transfer) -> (Moment, Option<(Moment, Instance)>) {
        let end = self.named.get(transfer.0 as usize).copied().flatten();
        let posted = seen.books.posted(transfer);
        let Some((id, intent)) = posted.intent.and_then(|id| Some((id, seen.facts.intents.get(id.0 as usize)?))) else {
            return (Moment::default(), end);
        };
        // Others may have asked for the same: with this key, or for the same reversal.
        let same_key = intent.key.into_iter().flat_map(|key| seen.books.with_key(key)).map(|other| self.begun(other));
        let mut begun = same_key.fold(self.begun(id), Moment::min);
        if let Ask::Reverse(original) = intent.ask {
            begun = self.reversing.get(&original).copied().unwrap_or(begun).min(begun);
        }
        // A reply may use another name than the journal.
        let is_its_own = seen.books.effects(id).count == 1 && !seen.books.is_reused(intent.key);
        let heard = || {
            let answers = seen.facts.attempts_of(intent).filter(|(_, it)| matches!(it.answer, Answer::Ok { .. }));
            answers.filter_map(|(_, it)| Some((it.returned?, it.to))).min()
        };
        let end = end.or_else(|| if is_its_own && matches!(intent.ask, Ask::Transfer(_)) { heard() } else { None });
        (end.map_or(begun, |(at, _)| begun.min(at)), end)
    }
}
