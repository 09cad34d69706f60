//! One oracle for each requirement: from what was seen to what is wrong with it, and how much was seen.
//!
//! An oracle never blames where a doubt could explain what it sees: an answer that never came, a row that cannot be
//! read, a run that was broken off, a worker that was killed with something in its hands.

mod broker_down;
mod correlated;
mod database_down;
mod duplicate;
mod event;
mod idempotent_create;
mod not_lost;
mod once_charged;
mod order;
mod paid_means_charged;
mod poison;
mod rebalance;
mod recovers;
mod replay;
mod retry_bound;
mod secret;
mod story;
mod throttle;
mod version;
mod windows;

use super::books::{Books, Life};
use super::facts::Facts;
use crate::fault::Plan;
use crate::history::{Event, Phase};
use crate::judgement::Finding;
use crate::profile::found::{Found, because};
use crate::profile::{JudgedCase, Script};

/// What an oracle judges by.
#[derive(Debug)]
struct Seen<'a> {
    facts: &'a Facts,
    books: &'a Books,
    plan: &'a Plan,
    script: &'a Script,
    events: &'a [Event],
    /// How many orders were asked for until the end of the load, those before it among them.
    load: u64,
}

type Oracle = fn(&Seen<'_>) -> Found;

const ORACLES: &[(&str, Oracle)] = &[
    ("orders.once-charged", once_charged::judge),
    ("orders.paid-means-charged", paid_means_charged::judge),
    ("orders.not-lost", not_lost::judge),
    ("orders.event", event::judge),
    ("orders.duplicate", duplicate::judge),
    ("orders.order", order::judge),
    ("orders.version", version::judge),
    ("orders.poison", poison::judge),
    ("orders.retry-bound", retry_bound::judge),
    ("orders.replay", replay::judge),
    ("orders.throttle", throttle::judge),
    ("orders.broker-down", broker_down::judge),
    ("orders.database-down", database_down::judge),
    ("orders.rebalance", rebalance::judge),
    ("orders.idempotent-create", idempotent_create::judge),
    ("orders.correlated", correlated::judge),
    ("orders.secret", secret::judge),
    ("orders.recovers", recovers::judge),
];

/// The ids of the requirements that have an oracle.
pub fn requirements() -> impl Iterator<Item = &'static str> {
    ORACLES.iter().map(|(id, _)| *id)
}

/// Judges by the requirements of the case: a finding for each, in the same order. A requirement that no oracle
/// knows has a finding without evidence, which is inconclusive.
#[must_use]
pub fn judge(events: &[Event], case: &JudgedCase<'_>) -> Vec<Finding> {
    let facts = Facts::read(events);
    let books = Books::new(&facts);
    let load = facts.creates().filter(|(_, intent, _)| intent.phase <= Phase::Load).count() as u64;
    let seen = Seen { facts: &facts, books: &books, plan: case.plan, script: case.script, events, load };
    let findings = case.requirements.iter().map(|id| {
        let oracle = ORACLES.iter().find(|(known, _)| known == id);
        oracle.map_or_else(Found::default, |(_, oracle)| oracle(&seen)).finding(id)
    });
    findings.collect()
}

impl Seen<'_> {
    /// What a case has to have seen is measured by the orders that were asked for until the end of its load, up to `most`: a share that a right
    /// target reaches even if faults leave many a caller without an answer.
    fn share_of_load(&self, divisor: u64, most: u64) -> u64 {
        (self.load / divisor).clamp(1, most)
    }

    /// Whether a dead letter about an order waits, or one that names an event alone, while events could not be read, so that
    /// nobody can tell whose it is.
    fn may_be_dead(&self, life: &Life) -> bool {
        let nameless = || self.facts.letters.iter().any(|letter| letter.order.is_none() && letter.event.is_some());
        life.is_dead(self.facts) || (!self.facts.events_read && nameless())
    }

    /// Whether an order had all the time of the settling to come to its end.
    fn had_time(&self, life: &Life) -> bool {
        self.facts.began(Phase::Settle).zip(life.known(self.facts)).is_some_and(|(settle, known)| known < settle)
    }
}

impl Found {
    /// All orders and dead letters have to have been read in the audit of a run that went its way.
    fn needs_all_read(&mut self, seen: &Seen<'_>) {
        let unreadable = |readings: &[super::facts::Reading]| readings.last().is_some_and(|last| last.unreadable > 0);
        let hidden = unreadable(&seen.facts.readings) || unreadable(&seen.facts.letter_readings);
        let why = seen.facts.unreadable_row.as_ref().filter(|_| hidden);
        self.needs(
            &because("times that all orders and dead letters were read in the audit", why),
            seen.facts.audited().is_some(),
        );
    }

    /// Every event of the target's own has to have been readable.
    fn needs_readable_records(&mut self, seen: &Seen<'_>) {
        let what = because("event topics without an unreadable record", seen.facts.unreadable_record.as_ref());
        self.needs(&what, seen.facts.unreadable_records == 0);
    }
}
