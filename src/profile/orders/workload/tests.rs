// A test may stop where its own assumption fails.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::{Burst, HotOrder, Orders, OrdersWorkload};
use crate::history::InstanceName;
use crate::profile::script::Arrival;
use crate::profile::{Profile as _, Script, Workload as _};
use crate::suite::{Suite, Tier};

fn suite() -> Suite {
    let text = include_str!("../../../../suites/orders.toml");
    crate::profile::orders::Orders.read_suite("suites/orders.toml", text).unwrap()
}

fn script(workload: OrdersWorkload, seed: u64) -> Script {
    let fronts: Vec<_> = (1..=2).map(|number| InstanceName { role: "api".into(), number }).collect();
    workload.script(seed, &fronts)
}

/// The values of a field, one for each order.
fn values<'a>(script: &'a Script, field: &str) -> Vec<&'a str> {
    let creates = script.intents.iter().filter(|intent| intent.call.operation == "create");
    creates.map(|intent| intent.call.fields[field].as_str().unwrap()).collect()
}

#[test]
fn the_suite_is_whole() {
    let suite = suite();
    let known: BTreeSet<_> = suite.requirements.iter().map(|requirement| requirement.id.as_str()).collect();
    let oracles: BTreeSet<_> = crate::profile::orders::requirements().collect();
    assert_eq!(oracles, known, "requirements and oracles have to be the same");
    let quick = suite.cases.iter().filter(|case| case.tier == Tier::Quick);
    let checked: BTreeSet<_> = quick.flat_map(|case| &case.requirements).map(String::as_str).collect();
    assert_eq!(checked, known, "the quick tier has to check every requirement");
    let needs_readings = ["orders.version", "orders.duplicate"];
    for case in suite.cases.iter().filter(|case| case.explore.is_none()) {
        let reads = case.read_every.is_some();
        assert!(reads || !case.requirements.iter().any(|id| needs_readings.contains(&id.as_str())), "{}", case.id);
    }
}

#[test]
fn the_same_seed_gives_the_same_script_and_another_one_another() {
    for case in suite().cases {
        let fronts: Vec<_> = (1..=2).map(|number| InstanceName { role: "api".into(), number }).collect();
        assert_eq!(case.workload.script(1, &fronts), case.workload.script(1, &fronts));
        assert_ne!(case.workload.script(1, &fronts), case.workload.script(2, &fronts));
    }
}

#[test]
fn whatever_is_an_orders_own_is_nobody_elses() {
    let orders = Orders { orders: 300, declined: 30, replays: 20, ..Orders::default() };
    let script = script(OrdersWorkload::Orders(orders), 3);
    for field in ["key", "correlation", "token", "card"] {
        let all = values(&script, field);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{field}");
    }
    let declined = values(&script, "card").iter().filter(|card| card.starts_with("4000")).count();
    assert_eq!(declined, 30);
    assert_eq!(script.probes.len(), 4 + 2 * 20);
}

#[test]
fn some_of_each_kind_is_watched_and_can_be_told_apart() {
    for case in suite().cases {
        let fronts = [InstanceName { role: "api".into(), number: 1 }];
        let script = case.workload.script(5, &fronts);
        assert!(script.watch.len() <= 40 && script.watch.len() >= 3, "{}: {}", case.id, script.watch.len());
        for (number, word) in script.watch.iter().enumerate() {
            let others = script.watch.iter().enumerate().filter(|(other, _)| *other != number);
            assert!(others.into_iter().all(|(_, other)| !other.contains(word.as_str())), "{word}");
        }
        for field in ["correlation", "token", "card"] {
            let all = values(&script, field);
            assert!(script.watch.iter().any(|word| all.contains(&word.as_str())), "{}: no {field}", case.id);
        }
    }
}

#[test]
fn a_burst_arrives_at_its_rate_whatever_becomes_of_it() {
    let burst = Burst { declined: 15, ..Burst::default() };
    let script = script(OrdersWorkload::Burst(burst), 1);
    assert_eq!(script.arrival, Arrival::Open);
    assert_eq!(script.clients.iter().map(Vec::len).sum::<usize>(), 300);
    let last = script.clients.iter().flatten().map(|step| step.after).max().unwrap();
    assert!((2_900..3_000).contains(&last.as_millis()), "{last:?}");
    let declined = values(&script, "card").iter().filter(|card| card.starts_with("4000")).count();
    assert_eq!(declined, 15);
}

#[test]
fn everybody_sends_a_hot_order_through_several_instances() {
    let hot = HotOrder { orders: 2, times: 2, ..HotOrder::default() };
    let script = script(OrdersWorkload::HotOrder(hot), 1);
    for steps in &script.clients {
        assert_eq!(steps.iter().map(|step| step.intent.0).collect::<Vec<_>>(), [0, 0, 1, 1]);
        assert!(steps.iter().all(|step| step.copies == 3));
    }
}
