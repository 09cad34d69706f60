//! One oracle for each requirement: from what was seen to what is wrong with it, and how much was seen.
//!
//! An oracle never blames where a doubt could explain what it sees: a record that may or may not be on the topic, a row
//! that cannot be read, a run that was broken off.

mod clock;
mod complete;
mod contiguous;
mod gap;
mod isolated;
mod once;
mod recovers;
mod restart;
mod story;

use super::books::{Books, Life};
use super::facts::{Entity, Facts};
use crate::history::{Event, Phase};
use crate::judgement::Finding;
use crate::profile::found::{Found, because};
use crate::profile::{JudgedCase, Script};

/// What an oracle judges by.
#[derive(Debug)]
struct Seen<'a> {
    facts: &'a Facts,
    books: &'a Books,
    script: &'a Script,
    /// How many events the load published, each counted once.
    load: u64,
}

type Oracle = fn(&Seen<'_>) -> Found;

const ORACLES: &[(&str, Oracle)] = &[
    ("ordering.contiguous", contiguous::judge),
    ("ordering.once", once::judge),
    ("ordering.complete", complete::judge),
    ("ordering.gap", gap::judge),
    ("ordering.isolated", isolated::judge),
    ("ordering.restart", restart::judge),
    ("ordering.clock", clock::judge),
    ("ordering.recovers", recovers::judge),
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
    let load = facts.events().filter(|(_, intent)| intent.phase == Phase::Load).count() as u64;
    let seen = Seen { facts: &facts, books: &books, script: case.script, load };
    let findings = case.requirements.iter().map(|id| {
        let oracle = ORACLES.iter().find(|(known, _)| known == id);
        oracle.map_or_else(Found::default, |(_, oracle)| oracle(&seen)).finding(id)
    });
    findings.collect()
}

impl<'a> Seen<'a> {
    /// What a case has to have seen is measured by the events that its load published, up to `most`: a share that a right
    /// target reaches even if faults leave many in doubt.
    fn share_of_load(&self, divisor: u64, most: u64) -> u64 {
        (self.load / divisor).clamp(1, most)
    }

    /// The entities of the load that are meant.
    fn entities(&self, is_meant: impl Fn(Entity, &Life) -> bool) -> impl Iterator<Item = (Entity, &'a Life)> {
        self.books.entities().filter(move |(entity, life)| is_meant(*entity, life))
    }
}

impl Found {
    /// Log, entities and gaps have to have been read in the audit of a run that went its way.
    fn needs_whole_audit(&mut self, seen: &Seen<'_>) {
        let is_hidden = seen.facts.readings.iter().any(|all| all.last().is_some_and(|last| last.unreadable > 0));
        let why = seen.facts.unreadable_row.as_ref().filter(|_| is_hidden);
        let what = because("times that log, entities and gaps were read in the audit", why);
        self.needs(&what, seen.facts.audited().is_some());
    }

    /// What the target tells has to have been read to its end.
    fn needs_news_read(&mut self, seen: &Seen<'_>) {
        if !seen.facts.eventless {
            let what = because("event topics read in full in the audit", seen.facts.unreadable_record.as_ref());
            self.needs(&what, seen.facts.is_told_in_full());
        }
    }
}
