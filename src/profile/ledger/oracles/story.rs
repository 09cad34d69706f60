//! Telling an anomaly so that a stranger can follow it: names instead of numbers, witnesses in the order of events.

use super::Seen;
use crate::history::{AttemptId, IntentId, Moment};
use crate::judgement::Witness;
use crate::profile::faults::injected_between;
use crate::profile::ledger::facts::{Account, Ask, Body, Currency, KEYS, Transfer};

/// The most deliveries of one transfer that a story names.
const DELIVERIES_MAX: usize = 4;

impl Seen<'_> {
    /// `EUR 250`: a code and minor units.
    pub(super) fn money(&self, amount: impl Into<i128>, currency: Currency) -> String {
        format!("{} {}", self.facts.currencies.name(currency.0), amount.into())
    }

    pub(super) fn account(&self, account: Account) -> &str {
        self.facts.accounts.name(account.0)
    }

    pub(super) fn transfer(&self, transfer: Transfer) -> &str {
        self.facts.transfers.name(transfer.0)
    }

    pub(super) fn body(&self, body: &Body) -> String {
        let Body { from, to, amount, currency } = *body;
        format!("{} from {} to {}", self.money(amount, currency), self.account(from), self.account(to))
    }

    /// What a transfer in the journal moves.
    pub(super) fn posted(&self, transfer: Transfer) -> String {
        let moves = self.books.body(self.facts, transfer).map_or_else(
            || format!("{} entries that do not cancel out", self.books.posted(transfer).legs),
            |body| self.body(&body),
        );
        format!("{} ({moves})", self.transfer(transfer))
    }

    /// What an intent asks for.
    pub(super) fn intent(&self, id: IntentId) -> String {
        let intent = &self.facts.intents[id.0 as usize];
        let key = intent.key.map_or_else(|| "no key".to_owned(), |key| format!("key {}", KEYS.name(key.0)));
        match &intent.ask {
            Ask::Transfer(body) => format!("the transfer of {} ({key})", self.body(body)),
            Ask::Reverse(original) => format!("the reversal of {} ({key})", self.transfer(*original)),
            Ask::Bad { flaw, .. } => format!("the request with the flaw {flaw:?} ({key})"),
            _ => format!("intent {}", id.0),
        }
    }

    /// The intent and what went wrong in its course, in the order of the story.
    pub(super) fn course(&self, id: IntentId) -> Vec<Witness> {
        let intent = &self.facts.intents[id.0 as usize];
        let attempts = || self.facts.attempts_of(intent).map(|(_, attempt)| attempt);
        let first = attempts().map(|attempt| attempt.invoked).min().unwrap_or_default();
        let last = attempts().map(|attempt| attempt.returned.unwrap_or(Moment(u64::MAX))).max().unwrap_or_default();
        let mut witnesses = vec![Witness::Intent(id)];
        witnesses.extend(self.faults_between(first, last));
        witnesses
    }

    /// The faults that were injected in this time, the earliest first.
    pub(super) fn faults_between(&self, first: Moment, last: Moment) -> impl Iterator<Item = Witness> {
        injected_between(&self.facts.faults, first, last)
    }

    /// The journal rows of a transfer.
    pub(super) fn rows(&self, transfer: Transfer) -> Vec<Witness> {
        let posted = self.books.posted(transfer);
        let mut numbers = [posted.debit, posted.credit];
        numbers.sort_unstable();
        let mut witnesses: Vec<Witness> = Vec::new();
        for number in numbers {
            let Some(row) = self.facts.rows.get(number as usize) else { continue };
            let Some(reading) = self.facts.readings.get(row.reading as usize) else { continue };
            match witnesses.last_mut() {
                Some(Witness::Rows { event, rows, .. }) if *event == reading.event => rows.push(row.place),
                _ => witnesses.extend(self.row(number)),
            }
        }
        witnesses
    }

    /// One journal row.
    pub(super) fn row(&self, row: u32) -> Option<Witness> {
        let row = self.facts.rows.get(row as usize)?;
        let event = self.facts.readings.get(row.reading as usize)?.event;
        Some(Witness::Rows { event, rows: vec![row.place], removed: false })
    }

    /// The events of a transfer.
    pub(super) fn deliveries(&self, transfer: Transfer) -> impl Iterator<Item = Witness> {
        let told = self.facts.deliveries.iter().filter(move |delivery| delivery.transfer == transfer);
        told.map(|delivery| Witness::Event(delivery.event)).take(DELIVERIES_MAX)
    }

    /// An attempt and the faults that were injected while it was under way.
    pub(super) fn attempt(&self, id: AttemptId) -> Vec<Witness> {
        let Some(attempt) = self.facts.attempts.get(id.0 as usize) else { return Vec::new() };
        let end = attempt.returned.unwrap_or(Moment(u64::MAX));
        let mut witnesses = vec![Witness::Attempt(id)];
        witnesses.extend(self.faults_between(attempt.invoked, end));
        witnesses
    }
}
