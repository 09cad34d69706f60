//! Right ledgers, whatever is asked of them and whatever happens meanwhile: random work, callers, faults and seeds,
//! with lost and late replies, requests that arrive twice or long after anybody waits for them, crashes, events that
//! come again, transfers that are visible late, and histories that end too early. Nobody may be blamed for anything.

use std::collections::BTreeSet;
use std::time::Duration;

use fireassay::fault::spec::{FaultSpec, Span};
use fireassay::history::History;
use fireassay::judgement::Verdict;
use fireassay::profile::ledger::workload::{
    BadInput, Callers, Declines, KeyReuse, LedgerWorkload, Reversals, Transfers,
};
use fireassay::profile::{Pending, named};
use proptest::prelude::*;
use serde::Deserialize;

use super::brute_seven::blamed;
use super::world::Nature;
use super::{Run, all_requirements, judge, play_with};

/// Sets of faults that may fall into one run. Where there is none but latency, no request has a reason to fail.
const FAULTS: &[&str] = &[
    "",
    r#"[[fault]]
    when = { operations = [1, 1] }
    inject = { latency = { edge = "every api->postgres", delay = "2ms" } }"#,
    r#"[[fault]]
    when = { operations = [3, 40] }
    inject = { cut = "every api->postgres" }"#,
    r#"[[fault]]
    when = { operations = [3, 20] }
    inject = { kill = "api" }
    heal = { after = "100ms" }
    [[fault]]
    when = { operations = [15, 60] }
    inject = { kill = "api" }
    heal = { after = "100ms" }"#,
    r#"[[fault]]
    when = { operations = [3, 40] }
    inject = { kill = "relay" }
    heal = { after = "100ms" }"#,
    r#"[[fault]]
    when = { operations = [3, 40] }
    inject = "flush-redis"
    [[fault]]
    when = { operations = [5, 60] }
    inject = { kill = "api" }
    heal = { after = "100ms" }"#,
    r#"[[fault]]
    when = { operations = [3, 30] }
    inject = { stop = "api-1" }
    heal = { after = "1s" }"#,
    r#"[[fault]]
    when = { operations = [3, 30] }
    inject = { stop = "api-1" }
    heal = { after = "1s" }
    [[fault]]
    when = { operations = [3, 40] }
    inject = { kill = "api-1" }
    heal = { after = "100ms" }"#,
    r#"[[fault]]
    when = { operations = [1, 30] }
    inject = { clock = { of = "api-1", change = { step = "25h" } } }
    [[fault]]
    when = { operations = [10, 60] }
    inject = { clock = { of = "api", change = { step = "-49h" } } }"#,
    r#"[[fault]]
    when = { operations = [1, 10] }
    inject = { clock = { of = "api-2", change = { step = "-3h" } } }
    [[fault]]
    when = { operations = [10, 40] }
    inject = { clock = { of = "api", change = "freeze" } }
    [[fault]]
    when = { operations = [30, 60] }
    inject = { kill = "api" }
    heal = { after = "100ms" }
    [[fault]]
    when = { operations = [40, 70] }
    inject = { clock = { of = "api-2", change = "back" } }"#,
];

/// In [`FAULTS`]: a slow database, Redis that forgets, an instance that is told to stop.
pub(crate) const SLOW: usize = 1;
pub(crate) const FLUSHED: usize = 5;
pub(crate) const STOPPED: usize = 6;
/// Two sets with clocks that are wrong.
pub(crate) const CLOCKS: [usize; 2] = [8, 9];

#[derive(Deserialize)]
struct Faults {
    #[serde(default)]
    fault: Vec<FaultSpec>,
}

/// The `number`th set of faults.
pub(crate) fn faults(number: usize) -> Vec<FaultSpec> {
    toml::from_str::<Faults>(FAULTS[number]).unwrap().fault
}

/// Any set of faults.
pub(crate) fn any_faults() -> impl Strategy<Value = Vec<FaultSpec>> {
    (0..FAULTS.len()).prop_map(faults)
}

fn callers() -> impl Strategy<Value = Callers> {
    let rate = prop::option::weighted(0.3, 20..300_u32);
    (1..10_u16, rate, 1..5_u8, 0..6_u64).prop_map(|(clients, rate, attempts, pause)| Callers {
        clients,
        rate,
        attempts,
        pause: Span(Duration::from_millis(pause)),
        ..Callers::default()
    })
}

/// Few transfers over few accounts.
pub(crate) fn transfers() -> impl Strategy<Value = Transfers> {
    let funds = prop_oneof![Just(3_000_i64), Just(10_000_000)];
    let counts = (0..30_u32, 0..12_u32, 0..4_u32, 0..10_u32, 0..8_u32);
    (callers(), 2..7_u16, funds, 1..50_u32, counts, any::<bool>()).prop_map(
        |(callers, accounts, funds, intents, (again, concurrent, impossible, reversed, reads), opposite)| Transfers {
            callers,
            accounts,
            funds,
            intents,
            again,
            concurrent,
            copies: 3,
            opposite,
            impossible,
            reversed,
            reads,
        },
    )
}

/// Few keys that come again with another body.
pub(crate) fn key_reuse() -> impl Strategy<Value = LedgerWorkload> {
    (callers(), 0..12_u32, 0..12_u32)
        .prop_map(|(callers, later, racing)| LedgerWorkload::KeyReuse(KeyReuse { callers, later, racing }))
}

/// Few good requests and few bad ones.
pub(crate) fn bad_input() -> impl Strategy<Value = LedgerWorkload> {
    (callers(), 1..40_u32, 0..5_u32, 1..3_u32)
        .prop_map(|(callers, good, large, times)| LedgerWorkload::BadInput(BadInput { callers, good, large, times }))
}

/// Small work of any kind.
pub(crate) fn any_work() -> impl Strategy<Value = LedgerWorkload> {
    let reversals = (callers(), 1..10_u32, 0..5_u32, 0..4_u32, 0..4_u32);
    prop_oneof![
        4 => transfers().prop_map(LedgerWorkload::Transfers),
        2 => key_reuse(),
        2 => reversals.prop_map(|(callers, twice, reversed, declined, made_up)| {
            LedgerWorkload::Reversals(Reversals { callers, twice, reversed, declined, made_up })
        }),
        1 => (callers(), 1..5_u16).prop_map(|(callers, rounds)| {
            LedgerWorkload::Declines(Declines { callers, rounds })
        }),
        2 => bad_input(),
    ]
}

/// A world without a defect in it.
pub(crate) fn any_nature() -> impl Strategy<Value = Nature> {
    let doubt = prop_oneof![1 => Just(0), 3 => 1..60_u32];
    let read_every = prop::option::of((20..200_u64).prop_map(Duration::from_millis));
    (doubt, any::<bool>(), read_every, 0..40_u32, 0..25_u64, any::<bool>()).prop_map(
        |(doubt, keys, read_every, repeats, commit, stragglers)| Nature {
            defect: None,
            doubt,
            keys,
            read_every,
            repeats,
            commit: Duration::from_millis(commit),
            stragglers,
        },
    )
}

proptest! {
    #![proptest_config(super::few(24))]

    #[test]
    fn a_right_ledger_is_blamed_for_nothing_however_it_is_used(
        (work, faults, nature) in (any_work(), any_faults(), any_nature()),
        seed in any::<u64>(),
        cut in prop::collection::vec(any::<prop::sample::Index>(), 2),
    ) {
        let run = play_with(&work, &faults, nature, seed);
        // What nobody waits for any more may still be on its way to the reading when the harness stops reading.
        let pending = named("ledger").unwrap().pending(&run.history.events);
        prop_assert!(nature.stragglers || pending == Pending::Nothing, "{:?}", pending);
        // Brute force finds nothing wrong either, where it can read the journal.
        let blamed = if nature.keys { blamed(&run.history, &run.plan) } else { BTreeSet::new() };
        prop_assert!(blamed.is_empty(), "{:?}", blamed);
        let events = run.history.events.len();
        for end in cut.iter().map(|cut| cut.index(events)).chain([events]) {
            let history = History { events: run.history.events[..end].to_vec() };
            let run = Run { script: run.script.clone(), plan: run.plan.clone(), history };
            for finding in judge(&run, &all_requirements()) {
                prop_assert_ne!(finding.verdict(), Verdict::Violation, "{} of {} events: {:#?}", end, events, finding);
            }
        }
    }
}
