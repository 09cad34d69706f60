//! The oracles of the ordering profile against simulated services: right ones pass every case of the suite, each planted
//! defect is caught by the requirement that names it and blamed on no other, and a second count agrees on small histories.

// A test may stop where its own assumption fails.
#![allow(clippy::unwrap_used)]

mod naive;
mod service;
mod world;

use fireassay::fault::spec::FaultSpec;
use fireassay::fault::{Plan, resolve};
use fireassay::history::{Doubt, Event, History, InstanceName, Outcome, What};
use fireassay::judgement::{Finding, Verdict};
use fireassay::profile::ordering::workload::{OrderingWorkload, Stream};
use fireassay::profile::{JudgedCase, Pending, Profile as _, Script, Workload as _, ordering};
use proptest::prelude::*;
use service::Defect;
use world::{Nature, run};

#[derive(Clone, serde::Deserialize)]
struct Case {
    id: String,
    requirements: Vec<String>,
    workload: OrderingWorkload,
    #[serde(default)]
    fault: Vec<FaultSpec>,
    explore: Option<String>,
    /// Of 100 attempts of the load, how many end in doubt.
    #[serde(skip)]
    doubt: u32,
}

struct Run {
    script: Script,
    plan: Plan,
    history: History,
}

/// The suite's cases, read without the checks of its reader.
fn cases() -> Vec<Case> {
    #[derive(serde::Deserialize)]
    struct Suite {
        case: Vec<Case>,
    }
    let suite = toml::from_str::<Suite>(include_str!("../../suites/ordering.toml")).unwrap();
    // A scenario says something only as a sweep, by all of its runs together.
    let written = suite.case.into_iter().filter(|case| case.explore.is_none());
    written.map(|case| Case { doubt: if case.fault.is_empty() { 0 } else { 5 }, ..case }).collect()
}

fn case(id: &str) -> Case {
    cases().into_iter().find(|case| case.id == id).unwrap()
}

fn instance(role: &str, number: u16) -> InstanceName {
    InstanceName { role: role.into(), number }
}

fn play(case: &Case, defect: Option<Defect>, seed: u64) -> Run {
    let script = case.workload.script(seed, &[instance("api", 1)]);
    let all = [instance("api", 1), instance("consumer", 1), instance("consumer", 2), instance("relay", 1)];
    let plan = resolve(&case.fault, &all, seed).unwrap();
    let history = run(&script, &plan, Nature { defect, doubt: case.doubt }, seed);
    Run { script, plan, history }
}

fn judge(run: &Run, requirements: &[String]) -> Vec<Finding> {
    let case = JudgedCase { requirements, script: &run.script, plan: &run.plan };
    ordering::Ordering.judge(&run.history, &case)
}

fn all_requirements() -> Vec<String> {
    ordering::requirements().map(str::to_owned).collect()
}

#[test]
fn a_right_service_passes_every_case_and_is_blamed_for_nothing_else() {
    for case in cases() {
        for seed in 0..5 {
            let run = play(&case, None, seed);
            for finding in judge(&run, &all_requirements()) {
                let at = format!("{} seed {seed}: {finding:#?}", case.id);
                assert_ne!(finding.verdict(), Verdict::Violation, "{at}");
                let is_checked = case.requirements.contains(&finding.requirement);
                assert!(!is_checked || finding.verdict() == Verdict::Pass, "{at}");
            }
            assert_eq!(ordering::Ordering.pending(&run.history.events), Pending::Nothing, "{} seed {seed}", case.id);
        }
    }
}

/// Each defect, the case that shows it, the requirement that names it, and the natural companions of that one.
const DEFECTS: &[(Defect, &str, &str, &[&str])] = &[
    (Defect::SkipsWhatIsLate, "calm", "contiguous", &["complete", "once", "recovers"]),
    (Defect::TrustsTimestamps, "backdated", "clock", &["contiguous", "complete", "once", "gap"]),
    (Defect::ReleasesTwice, "calm", "once", &[]),
    (Defect::CountsAgain, "calm", "once", &[]),
    (Defect::Renames, "calm", "once", &[]),
    (Defect::DropsSome, "calm", "complete", &["gap", "isolated", "recovers"]),
    (Defect::Forgets, "calm", "complete", &["contiguous"]),
    (Defect::Invents, "calm", "complete", &[]),
    (Defect::ShowsOtherwise, "calm", "complete", &["once"]),
    (Defect::StepsBack, "calm", "contiguous", &["once", "complete"]),
    (Defect::KeepsQuiet, "calm", "complete", &[]),
    (Defect::Scatters, "calm", "contiguous", &[]),
    (Defect::TellsBackwards, "calm", "contiguous", &[]),
    (Defect::NeverSurfaces, "gaps", "gap", &[]),
    (Defect::SurfacesAtOnce, "gaps", "gap", &[]),
    (Defect::PassesOver, "gaps", "gap", &["contiguous", "once"]),
    (Defect::LeavesOpen, "late", "gap", &[]),
    (Defect::CriesWolf, "gaps", "gap", &[]),
    (Defect::StopsPartition, "gaps", "isolated", &["complete", "gap", "recovers"]),
    (Defect::HoldsInMemory, "killed-consumer", "restart", &["complete"]),
    (Defect::StaysDown, "calm", "recovers", &[]),
];

#[test]
fn every_planted_defect_is_caught_and_blamed_on_no_other() {
    let mut wrong = Vec::new();
    for &(defect, id, requirement, companions) in DEFECTS {
        let case = case(id);
        for seed in [2, 3] {
            let run = play(&case, Some(defect), seed);
            for finding in judge(&run, &all_requirements()) {
                let name = finding.requirement.trim_start_matches("ordering.");
                let violated = finding.verdict() == Verdict::Violation;
                let first = finding.anomalies.first();
                if !violated && name == requirement {
                    wrong.push(format!("{defect:?} in {id}, seed {seed}, is not caught: {:?}", finding.evidence));
                }
                if violated && name != requirement && !companions.contains(&name) {
                    wrong.push(format!("{defect:?} in {id}, seed {seed}, is blamed on {name}: {first:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A few cases, unless more are asked for by `PROPTEST_CASES`.
fn few(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").is_ok();
    let default = ProptestConfig::default();
    ProptestConfig { cases: if asked { default.cases } else { cases }, failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(few(200))]

    #[test]
    fn a_second_count_agrees_on_small_histories(small in naive::small()) {
        let run = Run { script: naive::no_script(), plan: Plan::default(), history: small.history() };
        for finding in judge(&run, &naive::REQUIREMENTS.map(str::to_owned)) {
            let blamed = finding.anomalies_total > 0;
            prop_assert_eq!(blamed, small.is_wrong(&finding.requirement), "{:#?}", finding);
        }
    }

    #[test]
    fn a_right_service_is_blamed_for_nothing_whatever_is_published(
        seed in any::<u64>(), entities in 1..6_u32, events in 1..9_u32, window in 0..9_u32, late in 0..3_u32,
        missing in 0..3_u32, again in 0..12_u32, doubt in 0..40_u32,
    ) {
        let stream = Stream { entities, events, window, late, missing, again, ..Stream::default() };
        let workload = OrderingWorkload::Stream(stream);
        let case = Case { workload, doubt, fault: Vec::new(), ..case("calm") };
        let run = play(&case, None, seed);
        for finding in judge(&run, &all_requirements()) {
            prop_assert_eq!(finding.anomalies_total, 0, "{:#?}", finding);
        }
        prop_assert_eq!(ordering::Ordering.pending(&run.history.events), Pending::Nothing);
    }
}

#[test]
fn a_target_that_answers_nothing_sensible_passes_nothing() {
    for case in cases() {
        let mut run = play(&case, None, 1);
        for event in &mut run.history.events {
            match &mut event.what {
                What::Return { outcome, .. } => *outcome = Outcome::Unknown(Doubt::Timeout),
                What::Rows { added, removed, .. } => (*added, *removed) = (Vec::new(), Vec::new()),
                What::Record(record) => record.fields.clear(),
                _ => {}
            }
        }
        for finding in judge(&run, &case.requirements) {
            assert_ne!(finding.verdict(), Verdict::Pass, "{}: {finding:#?}", case.id);
        }
    }
}

#[test]
fn rows_and_records_that_cannot_be_read_are_blamed_on_nobody() {
    for case in cases() {
        let mut run = play(&case, None, 1);
        let spoil = |event: &mut Event| match &mut event.what {
            What::Rows { added, .. } => {
                if let Some(row) = added.last_mut() {
                    row["sequence"] = "x".into();
                }
            }
            What::Record(record) if record.offset % 7 == 0 => record.fields.clear(),
            _ => {}
        };
        run.history.events.iter_mut().for_each(spoil);
        for finding in judge(&run, &["ordering.complete".to_owned(), "ordering.gap".to_owned()]) {
            assert_eq!(finding.verdict(), Verdict::Inconclusive, "{}: {finding:#?}", case.id);
        }
    }
}

#[test]
fn a_history_that_was_cut_off_blames_nobody() {
    for case in cases() {
        let whole = play(&case, None, 5);
        for part in 1..8 {
            let end = whole.history.events.len() * part / 8;
            let history = History { events: whole.history.events[..end].to_vec() };
            let run = Run { script: whole.script.clone(), plan: whole.plan.clone(), history };
            for finding in judge(&run, &all_requirements()) {
                assert_ne!(finding.verdict(), Verdict::Violation, "{} {part}/8: {finding:#?}", case.id);
            }
        }
    }
}
