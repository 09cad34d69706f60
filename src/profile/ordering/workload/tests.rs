// A test may stop where its own assumption fails.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use super::{OrderingWorkload, Stream, Timestamps};
use crate::history::{InstanceName, IntentId};
use crate::profile::script::Arrival;
use crate::profile::{Profile as _, Script, Workload as _};
use crate::suite::Suite;

fn suite() -> Suite {
    let text = include_str!("../../../../suites/ordering.toml");
    crate::profile::ordering::Ordering.read_suite("suites/ordering.toml", text).unwrap()
}

fn fronts() -> Vec<InstanceName> {
    vec![InstanceName { role: "api".into(), number: 1 }]
}

fn script(stream: Stream, seed: u64) -> Script {
    OrderingWorkload::Stream(stream).script(seed, &fronts())
}

fn number(script: &Script, intent: IntentId, field: &str) -> i64 {
    script.intents[intent.0 as usize].call.fields[field].as_i64().unwrap()
}

/// The sequences of each entity, in the order in which they are first published.
fn published(script: &Script) -> BTreeMap<String, Vec<i64>> {
    let mut all: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for step in script.clients.iter().flatten() {
        let entity = script.intents[step.intent.0 as usize].call.fields["entity"].as_str().unwrap().to_owned();
        let sequence = number(script, step.intent, "sequence");
        let known = all.entry(entity).or_default();
        if !known.contains(&sequence) {
            known.push(sequence);
        }
    }
    all
}

#[test]
fn the_suite_is_whole() {
    let suite = suite();
    let known: BTreeSet<_> = suite.requirements.iter().map(|requirement| requirement.id.as_str()).collect();
    let oracles: BTreeSet<_> = crate::profile::ordering::requirements().collect();
    assert_eq!(oracles, known, "requirements and oracles have to be the same");
    let checked = suite.cases.iter().flat_map(|case| &case.requirements);
    assert_eq!(known, checked.map(String::as_str).collect(), "some case has to check every requirement");
}

#[test]
fn the_same_seed_gives_the_same_script_and_another_one_another() {
    for case in suite().cases {
        assert_eq!(case.workload.script(1, &fronts()), case.workload.script(1, &fronts()));
        assert_ne!(case.workload.script(1, &fronts()), case.workload.script(2, &fronts()));
    }
}

#[test]
fn without_a_window_events_come_in_order_and_with_one_not_far_from_it() {
    let whole: Vec<i64> = (1..=12).collect();
    for (_, sequences) in published(&script(Stream { window: 0, ..Stream::default() }, 1)) {
        assert_eq!(sequences, whole);
    }
    let all = published(&script(Stream { window: 6, ..Stream::default() }, 1));
    assert!(all.values().filter(|sequences| **sequences != whole).count() > 8, "{all:?}");
    for sequences in all.values() {
        for (place, sequence) in (1..).zip(sequences) {
            assert!(sequence - place <= 6, "{sequences:?}");
        }
        assert_eq!(sequences.iter().copied().collect::<BTreeSet<_>>(), whole.iter().copied().collect());
    }
}

#[test]
fn what_is_late_comes_last_after_a_wait_and_what_is_missing_never() {
    let hold = crate::fault::spec::Span(std::time::Duration::from_secs(3));
    let script = script(Stream { late: 3, missing: 2, window: 0, again: 0, hold, ..Stream::default() }, 5);
    let all = published(&script);
    let lengths: Vec<_> = all.values().map(Vec::len).collect();
    assert_eq!(lengths.iter().filter(|length| **length == 11).count(), 2, "{lengths:?}");
    let late = all.values().filter(|sequences| sequences.last() != Some(&12)).count();
    assert_eq!(late, 3);
    let waits = script.clients.iter().filter(|steps| steps.last().unwrap().after >= hold.0).count();
    assert_eq!(waits, 3);
    assert_eq!(script.probes.len(), 6);
}

#[test]
fn timestamps_say_what_they_are_told_to_say() {
    for (timestamps, is_right) in
        [(Timestamps::Rising, (|a, b| a < b) as fn(&str, &str) -> bool), (Timestamps::Falling, |a, b| a > b)]
    {
        let script = script(Stream { entities: 1, timestamps, ..Stream::default() }, 2);
        let events: Vec<_> = script.intents[..12].iter().map(|it| it.call.fields["at"].as_str().unwrap()).collect();
        assert!(events.windows(2).all(|pair| is_right(pair[0], pair[1])), "{events:?}");
    }
}

#[test]
fn with_a_rate_what_is_late_still_comes_last() {
    let mut stream = Stream { late: 8, ..Stream::default() };
    stream.callers.rate = Some(100);
    let script = script(stream, 1);
    assert_eq!(script.arrival, Arrival::Open);
    for steps in &script.clients {
        assert!(steps.windows(2).all(|pair| pair[0].after <= pair[1].after), "{steps:?}");
    }
}
