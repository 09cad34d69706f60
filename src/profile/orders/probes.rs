//! What became of the new orders that are sent once all faults have been healed.

use super::books::Books;
use super::facts::{Answer, Facts, Order};
use crate::history::{IntentId, Moment, Phase};

/// A new order that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    /// Its intent.
    pub(super) intent: IntentId,
    /// When it was first sent.
    pub(super) sent: Moment,
    /// When it was taken.
    pub(super) acknowledged: Option<Moment>,
    /// When it was read to be paid or failed.
    pub(super) settled: Option<Moment>,
    /// When the events of all its versions had come; where no event can come, when it was settled.
    pub(super) told: Option<Moment>,
}

/// The new orders that were sent, in the order of their intents.
pub(super) fn read(facts: &Facts, books: &Books) -> Vec<Probe> {
    let sent = facts.creates().filter(|(_, intent, _)| intent.phase == Phase::Settle);
    let probes = sent.map(|(id, intent, _)| {
        let attempts = || facts.attempts_of(intent).map(|(_, attempt)| attempt);
        let taken = attempts().find_map(|attempt| match attempt.answer {
            Answer::Ok { order, .. } => Some((attempt.returned?, order)),
            _ => None,
        });
        let order = taken.and_then(|(_, order)| order);
        let settled = order.and_then(|order| settled(facts, books, order));
        let told = settled.filter(|_| facts.eventless).or_else(|| told(facts, books, order?));
        let sent = attempts().map(|attempt| attempt.invoked).min().unwrap_or_default();
        Probe { intent: id, sent, acknowledged: taken.map(|(at, _)| at), settled, told }
    });
    probes.collect()
}

fn settled(facts: &Facts, books: &Books, order: Order) -> Option<Moment> {
    let ended = books.life(order).seen(facts).find(|sighting| sighting.state.is_terminal())?;
    facts.readings.get(ended.reading as usize).map(|reading| reading.at)
}

fn told(facts: &Facts, books: &Books, order: Order) -> Option<Moment> {
    let life = books.life(order);
    let last = life.last(facts)?.state.version()?;
    (1..=last).map(|version| life.told(facts, version)).collect::<Option<Vec<_>>>()?.into_iter().max()
}
