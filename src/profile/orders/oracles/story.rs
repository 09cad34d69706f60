//! Telling an anomaly so that a stranger can follow it: names instead of numbers, witnesses in the order of events.

use super::Seen;
use crate::history::{IntentId, Moment};
use crate::judgement::Witness;
use crate::profile::faults::injected_between;
use crate::profile::orders::facts::{Ask, Delivery, GatewayCall, KEYS, Letter, Money, Order, Sighting};

/// The most calls of the gateway that one story names.
const CALLS_MAX: usize = 6;

/// The most events of one order that a story names.
const DELIVERIES_MAX: usize = 6;

impl Seen<'_> {
    /// `EUR 250`: a code and minor units.
    pub(super) fn money(&self, money: Option<Money>) -> String {
        money.map_or_else(
            || "an amount that is not told".to_owned(),
            |money| format!("{} {}", self.facts.currencies.name(money.currency), money.amount),
        )
    }

    /// `o-17 (k-3)`: the target's name and ours.
    pub(super) fn order(&self, order: Order) -> String {
        self.books.life(order).name(self.facts, order)
    }

    /// What an intent asks for.
    pub(super) fn intent(&self, id: IntentId) -> String {
        let key = KEYS.name(id.0);
        match self.facts.intents.get(id.0 as usize).map(|intent| intent.ask) {
            Some(Ask::Create(create)) => format!("the order of {} (key {key})", self.money(Some(create.money))),
            Some(Ask::Replay(order)) => format!("the replay of {}", self.order(order)),
            _ => format!("intent {}", id.0),
        }
    }

    /// How an order came about and the faults in its course.
    pub(super) fn course(&self, order: Order) -> Vec<Witness> {
        let life = self.books.life(order);
        let intent = life.intent.map(Witness::Intent);
        let last_call = life.attempts(self.facts).map(|call| call.at).max();
        let ended = life.seen(self.facts).last().and_then(|last| self.facts.readings.get(last.reading as usize));
        let to = last_call.into_iter().chain(ended.map(|reading| reading.at)).max().unwrap_or_default();
        intent.into_iter().chain(self.faults_between(self.asked(order), to)).collect()
    }

    /// When an order was first asked for, or else the beginning.
    pub(super) fn asked(&self, order: Order) -> Moment {
        let intent = self.books.life(order).intent.and_then(|id| self.facts.intents.get(id.0 as usize));
        let sent = intent.and_then(|intent| self.facts.attempts_of(intent).map(|(_, attempt)| attempt.invoked).min());
        sent.unwrap_or_default()
    }

    /// The faults that were injected in this time, the earliest first.
    pub(super) fn faults_between(&self, first: Moment, last: Moment) -> impl Iterator<Item = Witness> {
        injected_between(&self.facts.faults, first, last)
    }

    /// The row in which an order was seen so.
    pub(super) fn sighting(&self, sighting: &Sighting) -> Option<Witness> {
        let event = self.facts.readings.get(sighting.reading as usize)?.event;
        Some(Witness::Rows { event, rows: vec![sighting.place], removed: sighting.gone })
    }

    /// The row in which an order was seen last.
    pub(super) fn last_row(&self, order: Order) -> Option<Witness> {
        let last = *self.books.life(order).sightings.last()?;
        self.sighting(self.facts.sightings.get(last as usize)?)
    }

    /// The row in which a dead letter was seen last.
    pub(super) fn letter(&self, letter: &Letter) -> Option<Witness> {
        let event = self.facts.letter_readings.get(letter.reading as usize)?.event;
        Some(Witness::Rows { event, rows: vec![letter.place], removed: letter.gone })
    }
}

/// Calls of the gateway.
pub(super) fn calls<'a>(calls: impl Iterator<Item = &'a GatewayCall>) -> impl Iterator<Item = Witness> {
    calls.map(|call| Witness::Event(call.event)).take(CALLS_MAX)
}

/// Events of an order.
pub(super) fn deliveries<'a>(told: impl Iterator<Item = &'a Delivery>) -> impl Iterator<Item = Witness> {
    told.map(|delivery| Witness::Event(delivery.event)).take(DELIVERIES_MAX)
}
