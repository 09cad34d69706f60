//! The ledger's oracles against simulated ledgers: right ones pass every case of the suite, each planted defect is
//! caught by the requirement that names it and blamed on no other, and brute force agrees on what is wrong.

// A test may stop where its own assumption fails.
#![allow(clippy::unwrap_used)]

mod brute_agree;
mod brute_clock;
mod brute_found;
mod brute_order;
mod brute_right;
mod brute_seven;
mod brute_sight;
mod brute_spoil;
mod naive;
mod service;
mod small;
mod small_balances;
mod world;

use std::time::Duration;

use fireassay::fault::spec::{FaultSpec, Span};
use fireassay::fault::{Fault, Plan, resolve};
use fireassay::history::{History, InstanceName};
use fireassay::judgement::{Finding, Verdict};
use fireassay::profile::ledger::workload::{Callers, LedgerWorkload, Transfers};
use fireassay::profile::{JudgedCase, Pending, Script, Workload, named};
use fireassay::suite::{Requirement, Tier};
use proptest::prelude::*;
use serde::Deserialize;
use service::Defect;
use world::{Nature, run};

/// The suite, read without the checks of its reader.
#[derive(Deserialize)]
struct Suite {
    #[allow(dead_code)]
    profile: String,
    #[allow(dead_code)]
    version: u32,
    #[allow(dead_code)]
    requirement: Vec<Requirement>,
    case: Vec<Case>,
}

#[derive(Clone, Deserialize)]
struct Case {
    id: String,
    #[allow(dead_code)]
    tier: Tier,
    requirements: Vec<String>,
    workload: LedgerWorkload,
    #[serde(default)]
    fault: Vec<FaultSpec>,
    read_every: Option<Span>,
    explore: Option<String>,
}

struct Run {
    script: Script,
    plan: Plan,
    history: History,
}

fn cases() -> Vec<Case> {
    let suite = toml::from_str::<Suite>(include_str!("../../suites/ledger.toml")).unwrap();
    // A scenario says something only as a sweep, by all of its runs together.
    suite.case.into_iter().filter(|case| case.explore.is_none()).collect()
}

fn case(id: &str) -> Case {
    cases().into_iter().find(|case| case.id == id).unwrap()
}

fn play(case: &Case, defect: Option<Defect>, keys: bool, seed: u64) -> Run {
    let read_every = case.read_every.map(|span| span.0.min(Duration::from_millis(100)));
    play_with(&case.workload, &case.fault, Nature { defect, doubt: 12, keys, read_every, ..Nature::default() }, seed)
}

fn play_with(workload: &LedgerWorkload, faults: &[FaultSpec], nature: Nature, seed: u64) -> Run {
    let instance = |role: &str, number| InstanceName { role: role.into(), number };
    let front = [instance("api", 1), instance("api", 2)];
    let all = [front[0].clone(), front[1].clone(), instance("relay", 1)];
    let script = workload.script(seed, &front);
    let plan = resolve(faults, &all, seed).unwrap();
    // Where links only get slower or instances end in order, nothing is lost.
    let calm = plan.steps.iter().all(|step| matches!(step.fault, Fault::Latency { .. }));
    let draining = plan.steps.iter().any(|step| matches!(step.fault, Fault::Stop(_)));
    let nature = Nature { doubt: if calm || draining { 0 } else { nature.doubt }, ..nature };
    let history = run(&script, &plan, nature, seed);
    Run { script, plan, history }
}

/// A few cases, unless more are asked for by `PROPTEST_CASES`.
fn few(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").is_ok();
    let default = ProptestConfig::default();
    ProptestConfig { cases: if asked { default.cases } else { cases }, failure_persistence: None, ..default }
}

fn judge(run: &Run, requirements: &[String]) -> Vec<Finding> {
    let case = JudgedCase { requirements, script: &run.script, plan: &run.plan };
    named("ledger").unwrap().judge(&run.history, &case)
}

fn all_requirements() -> Vec<String> {
    fireassay::profile::ledger::requirements().map(str::to_owned).collect()
}

#[test]
fn a_right_ledger_passes_every_case_and_is_blamed_for_nothing_else() {
    for case in cases() {
        for (seed, keys) in [(0, true), (1, false)] {
            let run = play(&case, None, keys, seed);
            for finding in judge(&run, &all_requirements()) {
                let at = format!("{} seed {seed} keys {keys}: {finding:#?}", case.id);
                assert_ne!(finding.verdict(), Verdict::Violation, "{at}");
                let is_checked = case.requirements.contains(&finding.requirement);
                assert!(!is_checked || finding.verdict() == Verdict::Pass, "{at}");
            }
            assert_eq!(named("ledger").unwrap().pending(&run.history.events), Pending::Nothing, "{}", case.id);
        }
    }
}

/// Each defect, the case that shows it, the requirement that names it, and the natural companions of that one.
const DEFECTS: &[(Defect, &str, &str, &[&str])] = &[
    (Defect::ForgetsKeys, "calm", "once", &["same-answer"]),
    (Defect::ForgetsKeysWithRedis, "redis-flushed", "cache-loss", &["once", "same-answer"]),
    (Defect::AcknowledgesTooMuch, "killed-api", "acked", &["same-answer"]),
    (Defect::AcknowledgesEarly, "killed-api", "acked", &["projection", "linearizable"]),
    (Defect::RoundsAmounts, "bad-input", "acked", &[]),
    (Defect::RefusesButMoves, "declines", "refused", &["overdraft"]),
    (Defect::MovesOnItsOwn, "calm", "refused", &[]),
    (Defect::LosesALeg, "calm", "atomic", &["conserved"]),
    (Defect::SplitsReadings, "calm", "atomic", &["conserved", "append-only", "acked"]),
    (Defect::CreatesMoney, "calm", "conserved", &["atomic"]),
    (Defect::CachesBalances, "calm", "projection", &["contention", "linearizable"]),
    (Defect::TearsBalances, "calm", "projection", &["contention", "linearizable"]),
    (Defect::LagsBehind, "fresh-balances", "linearizable", &[]),
    (Defect::LagsBehind, "fresh-balances-under-fire", "linearizable", &[]),
    (Defect::DeclinesOnOldBalances, "fresh-balances", "linearizable", &[]),
    (Defect::ShowsUncommitted, "fresh-balances", "linearizable", &[]),
    (Defect::Overdraws, "declines", "overdraft", &[]),
    (Defect::ForgetsDeclines, "declines", "same-answer", &[]),
    (Defect::AcceptsOtherBodies, "key-reuse", "key-mismatch", &["same-answer", "once"]),
    (Defect::EditsEntries, "calm", "append-only", &[]),
    (Defect::DropsEntries, "calm", "append-only", &["acked", "projection", "contention"]),
    (Defect::ReversesTwice, "reversals", "reverse-once", &["same-answer"]),
    (Defect::ReversesNothing, "reversals", "reverse-once", &["acked"]),
    (Defect::LosesEvents, "killed-relay", "event", &[]),
    (Defect::InventsEvents, "calm", "event", &[]),
    (Defect::RenamesEvents, "calm", "event", &[]),
    (Defect::ReordersEvents, "calm", "event-order", &[]),
    (Defect::ScattersEvents, "calm", "event-order", &[]),
    (Defect::Deadlocks, "contention", "contention", &[]),
    (Defect::AcceptsNegative, "bad-input", "bad-input", &["event-order"]),
    (Defect::FailsOnText, "bad-input", "bad-input", &[]),
    (Defect::StaysDown, "killed-api", "recovers", &[]),
    (Defect::StopsPublishing, "killed-relay", "recovers", &[]),
    (Defect::CutsShort, "drain", "drains", &[]),
    (Defect::IgnoresSigterm, "drain", "drains", &[]),
    (Defect::KeysPerDay, "clocks-apart", "clock", &["once", "same-answer"]),
    (Defect::RefusesOldKeys, "clocks-apart", "clock", &["same-answer"]),
    (Defect::OrdersByClock, "clocks-apart", "clock", &["event-order", "append-only"]),
];

#[test]
fn every_planted_defect_is_caught_and_blamed_on_no_other() {
    for &(defect, id, requirement, companions) in DEFECTS {
        let case = case(id);
        for keys in [true, false] {
            for seed in [u64::from(keys) + 2] {
                // An entry's key is what this one edits.
                if defect == Defect::EditsEntries && !keys {
                    continue;
                }
                let run = play(&case, Some(defect), keys, seed);
                for finding in judge(&run, &all_requirements()) {
                    let name = finding.requirement.trim_start_matches("ledger.");
                    let violated = finding.verdict() == Verdict::Violation;
                    let at = format!("{defect:?} in {id}, seed {seed}, keys {keys}: {finding:#?}");
                    assert!(violated || name != requirement, "not caught: {at}");
                    assert!(!violated || name == requirement || companions.contains(&name), "blamed: {at}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(few(120))]

    #[test]
    fn brute_force_agrees_on_small_histories(
        seed in 0..1_000_000_u64,
        spoilt in prop::collection::vec((0..naive::KINDS, any::<prop::sample::Index>()), 0..4),
    ) {
        let mut case = case("calm");
        let callers = Callers { clients: 3, ..Callers::default() };
        case.workload = LedgerWorkload::Transfers(Transfers {
            callers, accounts: 3, intents: 12, again: 8, impossible: 2, reversed: 4, reads: 2, ..Transfers::default()
        });
        let mut run = play(&case, None, true, seed);
        for (kind, place) in spoilt {
            naive::spoil(&mut run.history, kind, &place);
        }
        let expected = naive::blamed(&run.script, &run.history);
        for finding in judge(&run, &naive::REQUIREMENTS.map(str::to_owned)) {
            let blamed = finding.anomalies_total > 0;
            prop_assert_eq!(blamed, expected.contains(finding.requirement.as_str()), "{:#?}", finding);
        }
    }
}

#[test]
fn a_target_that_answers_nothing_sensible_passes_nothing() {
    for id in ["calm", "killed-api", "bad-input", "drain"] {
        let case = case(id);
        let mut run = play(&case, None, true, 1);
        for event in &mut run.history.events {
            use fireassay::history::{Doubt, Outcome, What};
            match &mut event.what {
                What::Return { outcome, .. } => {
                    *outcome = Outcome::Unknown(Doubt::Status { status: 500, body: "<html>".into() });
                }
                What::Rows { added, removed, .. } => {
                    added.clear();
                    removed.clear();
                }
                What::Record(record) => record.fields.clear(),
                _ => {}
            }
        }
        for finding in judge(&run, &case.requirements) {
            assert_ne!(finding.verdict(), Verdict::Pass, "{id}: {finding:#?}");
        }
    }
}

#[test]
fn a_history_that_was_cut_off_blames_nobody() {
    for id in ["calm", "killed-api", "redis-flushed", "drain"] {
        let case = case(id);
        let whole = play(&case, None, true, 5);
        for part in 1..8 {
            let end = whole.history.events.len() * part / 8;
            let history = History { events: whole.history.events[..end].to_vec() };
            let run = Run { script: whole.script.clone(), plan: whole.plan.clone(), history };
            for finding in judge(&run, &all_requirements()) {
                assert_ne!(finding.verdict(), Verdict::Violation, "{id} {part}/8: {finding:#?}");
            }
        }
    }
}
