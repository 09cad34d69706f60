//! One oracle for each requirement: from what was seen to what is wrong with it, and how much was seen.
//!
//! An oracle never blames where a doubt could explain what it sees: an attempt without an answer, a row that cannot
//! be read, a reading that was asked for too early. It then lacks evidence, and the verdict is inconclusive.

mod acked;
mod append_only;
mod atomic;
mod bad_input;
mod cache_loss;
mod clock;
mod conserved;
mod contention;
mod drains;
mod event;
mod event_order;
mod found;
mod key_mismatch;
mod linearizable;
mod once;
mod overdraft;
pub(super) mod probes;
mod projection;
mod recovers;
mod refused;
mod reverse_once;
mod same_answer;
mod story;
mod wall;

use crate::profile::found::Found;

use super::books::Books;
use super::facts::{Account, Ask, Facts, Intent, Terms};
use crate::fault::{Fault, Plan};
use crate::history::Phase;
use crate::judgement::Finding;
use crate::profile::JudgedCase;

/// What an oracle judges by.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    facts: &'a Facts,
    books: &'a Books,
    plan: &'a Plan,
    /// How many probes the script has.
    probes: usize,
    /// How many transfers and reversals the load sent.
    load: u64,
}

type Oracle = fn(&Seen<'_>) -> Found;

const ORACLES: &[(&str, Oracle)] = &[
    ("ledger.once", once::judge),
    ("ledger.acked", acked::judge),
    ("ledger.refused", refused::judge),
    ("ledger.atomic", atomic::judge),
    ("ledger.conserved", conserved::judge),
    ("ledger.projection", projection::judge),
    ("ledger.overdraft", overdraft::judge),
    ("ledger.same-answer", same_answer::judge),
    ("ledger.key-mismatch", key_mismatch::judge),
    ("ledger.append-only", append_only::judge),
    ("ledger.reverse-once", reverse_once::judge),
    ("ledger.linearizable", linearizable::judge),
    ("ledger.event", event::judge),
    ("ledger.event-order", event_order::judge),
    ("ledger.cache-loss", cache_loss::judge),
    ("ledger.clock", clock::judge),
    ("ledger.contention", contention::judge),
    ("ledger.bad-input", bad_input::judge),
    ("ledger.recovers", recovers::judge),
    ("ledger.drains", drains::judge),
];

/// The ids of the requirements that have an oracle.
pub fn requirements() -> impl Iterator<Item = &'static str> {
    ORACLES.iter().map(|(id, _)| *id)
}

/// Judges by the requirements of the case: a finding for each, in the same order. A requirement that no oracle
/// knows has a finding without evidence, which is inconclusive.
#[must_use]
pub fn judge(facts: &Facts, case: &JudgedCase<'_>) -> Vec<Finding> {
    let books = Books::new(facts);
    let of_load = |intent: &&Intent| intent.phase == Phase::Load && Seen::moves(intent);
    let load = facts.intents.iter().filter(of_load).count() as u64;
    let seen = Seen { facts, books: &books, plan: case.plan, probes: case.script.probes.len(), load };
    let findings = case.requirements.iter().map(|id| {
        let oracle = ORACLES.iter().find(|(known, _)| known == id);
        oracle.map_or_else(Found::default, |(_, oracle)| oracle(&seen)).finding(id)
    });
    findings.collect()
}

impl Seen<'_> {
    /// Whether an intent asks for money to be moved, in a way that can be granted.
    fn moves(intent: &Intent) -> bool {
        matches!(intent.ask, Ask::Transfer(_) | Ask::Reverse(_))
    }

    /// What an account was opened with.
    fn terms(&self, account: Account) -> Option<Terms> {
        self.facts.terms.get(account.0 as usize).copied().flatten()
    }

    /// What a case has to have seen is measured by the transfers that its load sent, up to `most`: a share that a right
    /// target reaches even if faults leave many a caller without an answer.
    fn share_of_load(&self, divisor: u64, most: u64) -> u64 {
        (self.load / divisor).clamp(1, most)
    }

    /// Whether the plan does no more than make links slower, so that no request has a reason to fail.
    fn is_undisturbed(&self) -> bool {
        self.plan.steps.iter().all(|step| matches!(step.fault, Fault::Latency { .. }))
    }
}
