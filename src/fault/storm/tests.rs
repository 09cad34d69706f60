use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::fault::{Act, Fault, Heal, Node, Plan, Trigger};

fn name(role: &str, number: u16) -> InstanceName {
    InstanceName { role: role.into(), number }
}

fn edge(text: &str) -> Edge {
    text.to_owned().try_into().expect("an edge")
}

/// Two that answer callers, and one that nobody calls.
fn terrain() -> Terrain {
    let edges =
        ["client->api-1", "client->api-2", "api-1->postgres", "api-2->postgres", "api-1->redis", "relay-1->kafka"];
    Terrain { instances: vec![name("api", 1), name("api", 2), name("relay", 1)], edges: edges.map(edge).to_vec() }
}

fn storm(faults: u16) -> StormSpec {
    StormSpec { faults, ..StormSpec::default() }
}

/// The operations, counted from 0, in which a step is in force; none for what is over at once.
fn in_force(plan: &Plan) -> Vec<(u32, u32)> {
    let span = |step: &crate::fault::Step| {
        let (Trigger::Operations(count) | Trigger::OperationsThen { count, .. }) = step.trigger else {
            panic!("{step} does not count operations");
        };
        match step.heal {
            Heal::Operations(more) => (count - 1, count - 1 + more),
            Heal::AtEnd => (count - 1, count - 1),
            Heal::After(_) => panic!("{step} does not count operations"),
        }
    };
    plan.steps.iter().map(span).collect()
}

fn share_without_faults(plan: &Plan, operations: u32) -> f64 {
    let spans = in_force(plan);
    let free = (0..operations).filter(|at| !spans.iter().any(|(first, end)| first <= at && at < end)).count();
    free as f64 / f64::from(operations)
}

proptest! {
    #[test]
    fn the_same_seed_gives_the_same_storm(faults in 0_u16..40, operations in 0_u32..600, seed: u64) {
        let draw = || draw(&storm(faults), &terrain(), operations, seed);
        prop_assert_eq!(draw(), draw());
    }

    #[test]
    fn a_storm_has_only_what_fits_the_target(faults in 1_u16..40, operations in 1_u32..600, seed: u64) {
        let terrain = terrain();
        for step in draw(&storm(faults), &terrain, operations, seed).steps {
            prop_assert!(!step.fault.is_exclusive() && !matches!(step.fault, Fault::Clock { .. }), "{}", step);
            prop_assert!(step.fault.instances().iter().all(|name| terrain.instances.contains(name)), "{}", step);
            let edge = match &step.fault {
                Fault::Cut { edge } | Fault::Blackhole { edge } | Fault::Partition { edge, .. } | Fault::Latency { edge, .. } => edge,
                Fault::Exchange(at) => {
                    prop_assert!(!matches!(at.act, Act::Repeat(_)) || matches!(at.edge.to, Node::Instance(_)), "{}", step);
                    &at.edge
                }
                _ => continue,
            };
            prop_assert!(terrain.edges.contains(edge), "{}", step);
        }
    }

    #[test]
    fn a_storm_stays_within_its_bounds(faults in 0_u16..=u16::MAX, operations in 0_u32..2_000, seed: u64) {
        let plan = draw(&storm(faults), &terrain(), operations, seed);
        prop_assert!(plan.steps.len() <= usize::from(faults.min(StormSpec::FAULTS_MAX)));
        let least = usize::from(plan.storm.expect("a storm says how many have to bite").least_bites.get());
        prop_assert!(least <= plan.steps.len().max(1) && 3 * least >= plan.steps.len());
        prop_assert!(!plan.is_carried_out(|_| false), "without a bite");
        for (first, end) in in_force(&plan) {
            prop_assert!(first <= end && end <= operations.max(2), "{}..{} of {}", first, end, operations);
        }
    }

    #[test]
    fn at_the_end_of_each_round_there_is_no_fault(rounds in 1_u16..8, seed: u64) {
        // Sixteen operations and four faults to a round: the last four operations are free.
        let operations = u32::from(rounds) * 16;
        for (first, end) in in_force(&draw(&storm(rounds * 4), &terrain(), operations, seed)) {
            let last = end.saturating_sub(1).max(first);
            prop_assert!(first / 16 == last / 16 && last % 16 < 12, "{}..{}", first, end);
        }
    }
}

#[test]
fn about_a_quarter_of_the_operations_is_without_faults() {
    let share = |seed| share_without_faults(&draw(&storm(12), &terrain(), 300, seed), 300);
    let shares: Vec<f64> = (1..=200).map(share).collect();
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    assert!((0.24..=0.32).contains(&mean), "{mean}");
    assert!(shares.iter().all(|share| (0.24..=0.5).contains(share)), "{shares:?}");
}

#[test]
fn every_usual_kind_comes_and_some_overlap() {
    let plans: Vec<Plan> = (1..=60).map(|seed| draw(&storm(12), &terrain(), 300, seed)).collect();
    let words = |plan: &Plan| plan.steps.iter().map(|step| kind(&step.fault)).collect::<Vec<_>>();
    let seen: BTreeSet<_> = plans.iter().flat_map(words).collect();
    assert_eq!(seen.len(), Kind::USUAL.len(), "{seen:?}");
    let overlaps = |plan: &Plan| {
        let spans = in_force(plan);
        spans.iter().zip(spans.iter().skip(1)).any(|((_, end), (first, _))| first < end)
    };
    assert!(plans.iter().all(overlaps));
}

/// What a fault is, without where and how long.
fn kind(fault: &Fault) -> String {
    let debug = match fault {
        Fault::Exchange(at) => format!("{:?}", at.act),
        other => format!("{other:?}"),
    };
    debug.chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[test]
fn a_process_is_treated_once_in_a_round() {
    for seed in 1..=100 {
        let menu = vec![Kind::Kill, Kind::Pause, Kind::CrashAfter, Kind::Cut];
        let plan = draw(&StormSpec { faults: 4, menu }, &terrain(), 40, seed);
        let mut treated = BTreeSet::new();
        for step in &plan.steps {
            let victim = match &step.fault {
                Fault::Kill(name) | Fault::Pause(name) => Some(name),
                Fault::Exchange(at) => at.victim(),
                _ => None,
            };
            assert!(victim.is_none_or(|victim| treated.insert(victim.clone())), "{plan:?}");
        }
    }
}

#[test]
fn a_menu_is_kept_to_and_what_does_not_fit_is_left_out() {
    let menu = vec![Kind::Clock, Kind::KillKafka, Kind::FlushRedis];
    let spec = StormSpec { faults: 12, menu };
    assert!(spec.is_exclusive() && !storm(12).is_exclusive());
    let no_redis = Terrain { edges: vec![edge("relay-1->kafka")], ..terrain() };
    let plan = draw(&spec, &no_redis, 300, 1);
    assert!(plan.steps.iter().any(|step| matches!(step.fault, Fault::Clock { .. })));
    assert!(plan.steps.iter().all(|step| matches!(step.fault, Fault::Clock { .. } | Fault::KillKafka)), "{plan:?}");
    assert_eq!(draw(&StormSpec { faults: 5, menu: vec![Kind::Repeat] }, &no_redis, 300, 1).steps, []);
}
