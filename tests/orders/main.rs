//! The oracles of the orders profile against simulated services: right ones pass every case of the suite, each planted
//! defect is caught by the requirement that names it and blamed on no other, and a second count agrees on small histories.

// A test may stop where its own assumption fails.
#![allow(clippy::unwrap_used)]

mod naive;
mod service;
mod world;

use fireassay::fault::spec::FaultSpec;
use fireassay::fault::{Fault, Plan, resolve};
use fireassay::history::{Doubt, Event, History, InstanceName, Outcome, Phase, What};
use fireassay::judgement::{Finding, Verdict};
use fireassay::profile::orders::workload::{Orders, OrdersWorkload};
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
    workload: OrdersWorkload,
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

fn cases() -> Vec<Case> {
    let suite = toml::from_str::<Suite>(include_str!("../../suites/orders.toml")).unwrap();
    // A scenario says something only as a sweep, by all of its runs together.
    let written = suite.case.into_iter().filter(|case| case.explore.is_none());
    // Ten thousand orders without a fault: `burst` is the same in small.
    let written = written.filter(|case| case.id != "rush");
    let doubtful = |case: Case| {
        let calm =
            case.fault.is_empty() || ["hot-order", "kafka-away", "kafka-killed", "poison"].contains(&case.id.as_str());
        Case { doubt: if calm { 0 } else { 10 }, ..case }
    };
    written.map(doubtful).collect()
}

fn case(id: &str) -> Case {
    cases().into_iter().find(|case| case.id == id).unwrap()
}

fn play(case: &Case, defect: Option<Defect>, seed: u64) -> Run {
    let instance = |role: &str, number| InstanceName { role: role.into(), number };
    let front = [instance("api", 1), instance("api", 2)];
    let all: Vec<_> =
        ["api", "relay", "worker"].iter().flat_map(|role| [instance(role, 1), instance(role, 2)]).collect();
    let script = case.workload.script(seed, &front);
    let plan = resolve(&case.fault, &all, seed).unwrap();
    let history = run(&script, &plan, Nature { defect, doubt: case.doubt }, seed);
    Run { script, plan, history }
}

fn judge(run: &Run, requirements: &[String]) -> Vec<Finding> {
    let case = JudgedCase { requirements, script: &run.script, plan: &run.plan };
    named("orders").unwrap().judge(&run.history, &case)
}

fn all_requirements() -> Vec<String> {
    fireassay::profile::orders::requirements().map(str::to_owned).collect()
}

/// A few cases, unless more are asked for by `PROPTEST_CASES`.
fn few(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").is_ok();
    let default = ProptestConfig::default();
    ProptestConfig { cases: if asked { default.cases } else { cases }, failure_persistence: None, ..default }
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
            let owed = named("orders").unwrap().pending(&run.history.events);
            assert_eq!(owed, Pending::Nothing, "{} seed {seed}", case.id);
        }
    }
}

/// Each defect, the case that shows it, the requirement that names it, and the natural companions of that one.
const DEFECTS: &[(Defect, &str, &str, &[&str])] = &[
    (Defect::NewGatewayKeys, "calm", "once-charged", &["duplicate"]),
    (Defect::NewKeysOnRedelivery, "killed-worker", "rebalance", &["once-charged", "duplicate"]),
    (Defect::ForgetsEvents, "duplicates", "duplicate", &["once-charged", "rebalance"]),
    (Defect::PaysForNothing, "calm", "paid-means-charged", &[]),
    (Defect::ShowsPaidEarly, "calm", "paid-means-charged", &[]),
    (Defect::TakesSilenceForNo, "gateway-silent", "paid-means-charged", &[]),
    (Defect::BuriesCharged, "gateway-silent", "paid-means-charged", &[]),
    (Defect::ChargesOtherAmounts, "calm", "paid-means-charged", &[]),
    (Defect::SkipsEvents, "calm", "not-lost", &[]),
    (Defect::AcknowledgesTooMuch, "calm", "not-lost", &["idempotent-create", "database-down"]),
    (Defect::LosesEvents, "calm", "event", &[]),
    (Defect::InventsEvents, "calm", "event", &[]),
    (Defect::RenamesEvents, "calm", "event", &[]),
    (Defect::ReordersEvents, "calm", "order", &[]),
    (Defect::ScattersEvents, "calm", "order", &[]),
    (Defect::SkipsVersions, "calm", "version", &["event"]),
    (Defect::RevivesOrders, "duplicates", "version", &["duplicate", "not-lost", "rebalance", "event"]),
    (Defect::StopsAtPoison, "poison", "poison", &["not-lost", "recovers"]),
    (Defect::DropsPoison, "poison", "poison", &[]),
    (Defect::BuriesNothing, "poison", "poison", &[]),
    (Defect::GivesNoReason, "poison", "poison", &[]),
    (Defect::NeverGivesUp, "gateway-down", "retry-bound", &[]),
    (Defect::RetriesDeclines, "declines", "retry-bound", &[]),
    (Defect::RetriesAtOnce, "gateway-down", "retry-bound", &[]),
    (Defect::ForgetsReplays, "gateway-down", "replay", &["not-lost"]),
    (Defect::RefusesReplays, "gateway-down", "replay", &[]),
    (Defect::ReplaysTwice, "gateway-down", "replay", &["once-charged", "duplicate"]),
    (Defect::IgnoresRetryAfter, "throttled", "throttle", &[]),
    (Defect::FailsWhenThrottled, "throttled", "throttle", &[]),
    (Defect::BuriesWhenThrottled, "throttled", "throttle", &[]),
    (Defect::NeedsTheBroker, "kafka-away", "broker-down", &[]),
    (Defect::DropsWithoutBroker, "kafka-away", "broker-down", &["event", "not-lost"]),
    (Defect::MisjudgesDatabase, "database-away", "database-down", &[]),
    (Defect::RefusesButMakes, "database-away", "database-down", &[]),
    (Defect::MakesTwo, "calm", "idempotent-create", &[]),
    (Defect::NamesAnother, "calm", "idempotent-create", &[]),
    (Defect::DropsCorrelation, "calm", "correlated", &[]),
    (Defect::ChargesUncorrelated, "calm", "correlated", &[]),
    (Defect::LogsUncorrelated, "calm", "correlated", &[]),
    (Defect::LogsCards, "calm", "secret", &[]),
    (Defect::PublishesTokens, "calm", "secret", &[]),
    (Defect::BuriesCards, "gateway-down", "secret", &[]),
    (Defect::StaysDown, "calm", "recovers", &[]),
    (Defect::StopsWorking, "burst", "recovers", &["not-lost"]),
];

#[test]
fn every_planted_defect_is_caught_and_blamed_on_no_other() {
    let mut wrong = Vec::new();
    for &(defect, id, requirement, companions) in DEFECTS {
        let case = case(id);
        for seed in [2, 3] {
            let run = play(&case, Some(defect), seed);
            for finding in judge(&run, &all_requirements()) {
                let name = finding.requirement.trim_start_matches("orders.");
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

proptest! {
    #![proptest_config(few(100))]

    #[test]
    fn a_second_count_agrees_on_small_histories(
        seed in 0..1_000_000_u64,
        spoilt in prop::collection::vec((0..naive::KINDS, any::<prop::sample::Index>()), 0..4),
    ) {
        let mut case = case("calm");
        let mut orders = Orders { orders: 8, declined: 2, again: 6, looks: 2, ..Orders::default() };
        orders.callers.clients = 3;
        case.workload = OrdersWorkload::Orders(orders);
        let mut run = play(&case, None, seed);
        for (kind, place) in spoilt {
            naive::spoil(&mut run.history, kind, &place);
        }
        let expected = naive::blamed(&run.history);
        for finding in judge(&run, &naive::REQUIREMENTS.map(str::to_owned)) {
            let blamed = finding.anomalies_total > 0;
            prop_assert_eq!(blamed, expected.contains(finding.requirement.as_str()), "{:#?}", finding);
        }
    }
}

#[test]
fn a_target_that_answers_nothing_sensible_passes_nothing() {
    for case in cases() {
        let mut run = play(&case, None, 1);
        for event in &mut run.history.events {
            match &mut event.what {
                What::Return { outcome, .. } => {
                    *outcome = Outcome::Unknown(Doubt::Status { status: 500, body: "<html>".into() });
                }
                What::Rows { added, removed, .. } => {
                    added.clear();
                    removed.clear();
                }
                What::Record(record) => record.fields.clear(),
                What::Played(played) => {
                    (played.effect, played.same_as, played.status, played.correlation) = (None, None, Some(400), None);
                }
                What::Words { found, .. } => found.clear(),
                _ => {}
            }
        }
        for finding in judge(&run, &case.requirements) {
            // That nothing leaks is true of one that says nothing.
            let is_true = finding.requirement == "orders.secret";
            assert!(is_true || finding.verdict() != Verdict::Pass, "{}: {finding:#?}", case.id);
        }
    }
}

#[test]
fn events_that_nobody_could_read_are_blamed_on_nobody() {
    // Where nobody asks for a replay, dead letters are all that is left of some orders.
    let mut unreplayed = case("gateway-down");
    let OrdersWorkload::Orders(orders) = &mut unreplayed.workload else { panic!("it has other work") };
    orders.replays = 0;
    for case in cases().into_iter().chain([unreplayed]) {
        let mut run = play(&case, None, 1);
        let load = |event: &Event| matches!(event.what, What::Phase { phase: Phase::Load });
        let began = run.history.events.iter().position(load).unwrap();
        let events = std::mem::take(&mut run.history.events).into_iter().enumerate();
        let is_seen = |number: usize, event: &Event| {
            !matches!(event.what, What::EventsRead) && (number < began + 500 || !matches!(event.what, What::Record(_)))
        };
        run.history.events = events.filter(|(number, event)| is_seen(*number, event)).map(|(_, event)| event).collect();
        // A letter need not name more than the event that it is about.
        for event in &mut run.history.events {
            let What::Rows { source, added, removed, .. } = &mut event.what else { continue };
            for letter in added.iter_mut().chain(removed).filter(|_| source == "letters") {
                let order = letter["order"].take();
                if let Some(order) = order.as_str() {
                    letter["event"] = format!("e-{order}").into();
                }
            }
        }
        for finding in judge(&run, &all_requirements()) {
            assert_ne!(finding.verdict(), Verdict::Violation, "{}: {finding:#?}", case.id);
        }
        let owes_events = ["orders.event", "orders.recovers"];
        for finding in judge(&run, &owes_events.map(str::to_owned)) {
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

#[test]
fn faults_of_the_suite_mean_instances_that_there_are() {
    for case in cases() {
        let run = play(&case, None, 0);
        let roles = |fault: &Fault| fault.instances().iter().map(|name| name.role.clone()).collect::<Vec<_>>();
        let mut all = run.plan.steps.iter().flat_map(|step| roles(&step.fault));
        assert!(all.all(|role| ["api", "relay", "worker"].contains(&role.as_str())), "{}", case.id);
    }
}
