//! The beginnings of a search, in the order in which they are tried.
//!
//! What an anomaly names is tried alone. But alone everything is quicker than it was in a crowd, so that the moment which
//! a fault hit comes sooner: where a fault comes some time after an attempt was sent, other times are tried too, with
//! latency that is always the same, so that a moment stays where it is. Where it is the readings that meet the moment,
//! they are made to follow each other more quickly. Before all that, what needs no right moment is tried: where the history
//! tells of messages, a fault at one of them.

use std::collections::VecDeque;

use super::cut::{Base, Keep};
use super::passes::Rung;
use super::pinned::pinned;
use super::terms::Ran;
use super::values::{has_pauses, reading_often, stretched, without_jitter};
use super::witness::ladder;
use crate::explore::Signature;
use crate::judgement::Anomaly;
use crate::profile::Profile;

/// By how much the pauses before faults are stretched, for the first anomaly and for the second.
const STRETCHES: [&[f64]; 2] = [&[0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 1.0, 1.15], &[0.85, 0.7, 0.55, 1.0]];

/// How often a beginning is tried as it was.
const EXACT_TRIES: u32 = 2;

/// How often it is tried with each stretch: neighbours overlap.
const STRETCHED_TRIES: u32 = 1;

/// How often it is tried with a fault at a message, which is the same in every run.
const PINNED_TRIES: u32 = 1;

/// How often a larger one is tried, which has to be right.
const LARGER_TRIES: u32 = 4;

/// The two smallest beginnings of two anomalies, then the larger ones of the first.
pub(super) fn beginnings(base: &Base, ran: &Ran, goal: &Signature, profile: &'static dyn Profile) -> VecDeque<Rung> {
    let mut ladders = ladders(base, ran, goal, profile);
    // What other faults are involved in is likely to be of another nature than the first.
    let first = ladders.first().map(|rungs| rungs[0].faults.len());
    let other = ladders.iter().position(|rungs| Some(rungs[0].faults.len()) != first);
    if let Some(other) = other.filter(|other| *other > 1) {
        ladders.swap(1, other);
    }
    let rung = |case, tries| Rung { case, is_larger: false, tries };
    let mut rungs = VecDeque::new();
    for all in ladders.iter().take(STRETCHES.len()) {
        let faults = all.iter().flat_map(|keep| keep.faults.iter().copied()).collect();
        let cases = all.first().map_or_else(Vec::new, |keep| pinned(base, &ran.history, &keep.steps, &faults));
        rungs.extend(cases.into_iter().map(|case| rung(case, PINNED_TRIES)));
    }
    for (keep, stretches) in ladders.iter().filter_map(|rungs| rungs.first()).zip(STRETCHES) {
        let exact = base.cut(keep);
        rungs.push_back(rung(exact.clone(), EXACT_TRIES));
        if exact.read_every.is_some() {
            rungs.push_back(rung(reading_often(&exact), EXACT_TRIES));
        }
        if has_pauses(&exact) {
            let steady = without_jitter(&exact);
            rungs.extend(stretches.iter().map(|times| rung(stretched(&steady, *times), STRETCHED_TRIES)));
        }
    }
    // The second rung of both, as the first may have been an unlucky one, then the rest of the first.
    let second = ladders.iter().take(STRETCHES.len()).filter_map(|rungs| rungs.get(1));
    let rest = second.chain(ladders.first().into_iter().flatten().skip(2));
    rungs.extend(rest.map(|keep| Rung { case: base.cut(keep), is_larger: true, tries: LARGER_TRIES }));
    rungs
}

/// The ladders of all anomalies that are looked for, the one with the smallest beginning first.
fn ladders(base: &Base, ran: &Ran, goal: &Signature, profile: &'static dyn Profile) -> Vec<Vec<Keep>> {
    let wanted = ran.findings.iter().filter(|judged| goal.0.contains_key(&judged.requirement.id));
    let is_of_kind = |anomaly: &&Anomaly| goal.0.values().any(|kinds| kinds.contains(&anomaly.kind));
    let anomalies = wanted.flat_map(|judged| &judged.finding.anomalies).filter(is_of_kind);
    let ladders = anomalies.map(|anomaly| ladder(base, &ran.history, profile, anomaly));
    let mut ladders: Vec<_> = ladders.filter(|rungs| !rungs.is_empty()).collect();
    ladders.sort_by_key(|rungs| (rungs[0].steps.len(), rungs[0].faults.len()));
    ladders
}
