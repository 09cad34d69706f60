//! The ledger's oracles against simulated ledgers: right ones pass every case of the suite, each planted defect is
//! caught by the requirement that names it and blamed on no other, and brute force agrees on what is wrong.

// A test may stop where its own assumption fails.
#![allow(clippy::unwrap_used)]

mod naive;
mod service;
mod small;
mod world;

use std::time::Duration;

use fireassay::fault::spec::{FaultSpec, Span};
use fireassay::fault::{Plan, resolve};
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
}

struct Run {
    script: Script,
    plan: Plan,
    history: History,
}

fn cases() -> Vec<Case> {
    toml::from_str::<Suite>(include_str!("../../suites/ledger.toml")).unwrap().case
}

fn case(id: &str) -> Case {
    cases().into_iter().find(|case| case.id == id).unwrap()
}

fn play(case: &Case, defect: Option<Defect>, keys: bool, seed: u64) -> Run {
    play_in_doubt(case, defect, keys, 12, seed)
}

/// Of 100 attempts, `doubt` end without an answer where the case gives them a reason to.
fn play_in_doubt(case: &Case, defect: Option<Defect>, keys: bool, doubt: u32, seed: u64) -> Run {
    let instance = |role: &str, number| InstanceName { role: role.into(), number };
    let front = [instance("api", 1), instance("api", 2)];
    let all = [front[0].clone(), front[1].clone(), instance("relay", 1)];
    let script = case.workload.script(seed, &front);
    let plan = resolve(&case.fault, &all, seed).unwrap();
    // Where only latency is injected, nothing is lost.
    let calm = case.fault.iter().all(|fault| matches!(fault.inject, fireassay::fault::spec::InjectSpec::Latency(_)));
    let draining = case.id == "drain";
    let doubt = if calm || draining { 0 } else { doubt };
    let read_every = case.read_every.map(|span| span.0.min(Duration::from_millis(100)));
    let history = run(&script, &plan, Nature { defect, doubt, keys, read_every }, seed);
    Run { script, plan, history }
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
            assert_eq!(named("ledger").unwrap().pending(&run.history), Pending::Nothing, "{}", case.id);
        }
    }
}

/// Each defect, the case that shows it, the requirement that names it, and the natural companions of that one.
const DEFECTS: &[(Defect, &str, &str, &[&str])] = &[
    (Defect::ForgetsKeys, "calm", "once", &["same-answer"]),
    (Defect::ForgetsKeysWithRedis, "redis-flushed", "cache-loss", &["once", "same-answer"]),
    (Defect::AcknowledgesTooMuch, "killed-api", "acked", &["same-answer"]),
    (Defect::AcknowledgesEarly, "killed-api", "acked", &["projection"]),
    (Defect::RoundsAmounts, "bad-input", "acked", &[]),
    (Defect::RefusesButMoves, "declines", "refused", &["overdraft"]),
    (Defect::MovesOnItsOwn, "calm", "refused", &[]),
    (Defect::LosesALeg, "calm", "atomic", &["conserved"]),
    (Defect::SplitsReadings, "calm", "atomic", &["conserved", "append-only", "acked"]),
    (Defect::CreatesMoney, "calm", "conserved", &["atomic"]),
    (Defect::CachesBalances, "calm", "projection", &["contention"]),
    (Defect::TearsBalances, "calm", "projection", &["contention"]),
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

fn transfers() -> impl Strategy<Value = Transfers> {
    let shape = (2..12_u16, 1..60_u32, any::<bool>(), 1..4_u8);
    let counts = (0..40_u32, 0..12_u32, 0..6_u32, 0..12_u32, 0..6_u32);
    let callers = (1..9_u16, prop::option::of(50..400_u32), 1..6_u8);
    (shape, counts, callers).prop_map(|(shape, counts, (clients, rate, attempts))| {
        let (accounts, intents, opposite, copies) = shape;
        let (again, concurrent, impossible, reversed, reads) = counts;
        let callers = Callers { clients, rate, attempts, ..Callers::default() };
        Transfers {
            callers,
            accounts,
            intents,
            again,
            concurrent,
            copies,
            opposite,
            impossible,
            reversed,
            reads,
            ..Transfers::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_right_ledger_is_blamed_for_nothing_whatever_is_asked_and_lost(
        transfers in transfers(),
        faults in any::<prop::sample::Index>(),
        (keys, doubt, seed) in (any::<bool>(), 0..50_u32, any::<u64>()),
    ) {
        let mut case = faults.get(&cases()).clone();
        case.workload = LedgerWorkload::Transfers(transfers);
        let run = play_in_doubt(&case, None, keys, doubt, seed);
        for finding in judge(&run, &all_requirements()) {
            prop_assert_ne!(finding.verdict(), Verdict::Violation, "{} {:#?}", case.id, finding);
        }
        prop_assert_eq!(named("ledger").unwrap().pending(&run.history), Pending::Nothing);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

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
