//! `ledger.linearizable` in its plainest form: for each account, every order of what was done and seen is tried, one
//! step after the other. The journal has to show keys.

use std::collections::HashSet;

use fireassay::fault::spec::FaultSpec;
use fireassay::history::{History, Moment, Outcome, What};
use fireassay::judgement::Verdict;
use fireassay::profile::ledger::workload::{LedgerWorkload, Transfers};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use super::brute_right::{any_faults, any_nature, any_work, transfers};
use super::brute_sight::{Attempt, Body, Sight, asks, moves, number};
use super::brute_spoil::{Change, any_change, spoil};
use super::service::Defect;
use super::world::Nature;
use super::{Run, judge, play_with};

const REQUIREMENT: &str = "ledger.linearizable";

/// Something done to an account or seen of it. Without an end it may happen at any time, or never.
#[derive(Clone, Copy, Debug)]
struct Step {
    begin: Moment,
    end: Option<Moment>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Add(i64),
    Is(i64),
    IsBelow(i128),
}

/// Whether some account cannot be explained.
fn violated(history: &History) -> bool {
    let sight = Sight::new(history);
    let Some(last) = sight.audited() else { return false };
    let opened = sight.intents.values().filter(|intent| intent.call.operation == "open");
    opened.map(|intent| &intent.call.fields).any(|terms| {
        let account = &terms["account"];
        let mut steps = Vec::new();
        seen(&sight, last.sent, account, &mut steps);
        declined(&sight, last.sent, account, terms["limit"].as_i64().unwrap(), &mut steps);
        if steps.is_empty() || has_lost_a_row(history, account) {
            return false;
        }
        for row in last.rows.iter().filter(|row| row["account"] == *account) {
            let (begin, end) = between(&sight, row["transfer"].as_str().unwrap());
            let end = end.filter(|_| row["currency"] == terms["currency"]);
            steps.push(Step { begin: begin.min(end.unwrap_or(begin)), end, kind: Kind::Add(number(row)) });
        }
        for &intent in sight.intents.keys() {
            let acknowledged = sight.of(intent).any(|attempt| matches!(attempt.ended, Some((_, Outcome::Ok { .. }))));
            if !acknowledged || !sight.effects(intent).is_empty() {
                continue;
            }
            let Some((from, to, amount, _)) = asked(&sight, intent) else { continue };
            let begin = begun(&sight, intent);
            let mut add = |kind| steps.push(Step { begin, end: None, kind });
            if *account == *from {
                add(Kind::Add(-amount));
            }
            if *account == *to {
                add(Kind::Add(amount));
            }
        }
        assert!(steps.len() <= 128, "too many steps for this");
        !explained(0, 0, &steps, &mut HashSet::new())
    })
}

fn seen(sight: &Sight<'_>, until: Moment, account: &Value, steps: &mut Vec<Step>) {
    for attempt in &sight.attempts {
        let call = sight.intents[&attempt.intent].call;
        let reads = ["balance", "entries"].contains(&call.operation.as_str());
        if let Some((end, Outcome::Ok { reply, .. })) = attempt.ended
            && let Some(balance) = reply.get("balance").and_then(Value::as_i64)
            && reads
            && call.fields["account"] == *account
            && end < until
        {
            steps.push(Step { begin: attempt.invoked, end: Some(end), kind: Kind::Is(balance) });
        }
    }
}

fn declined(sight: &Sight<'_>, until: Moment, account: &Value, limit: i64, steps: &mut Vec<Step>) {
    for &intent in sight.intents.keys() {
        let Some((from, _, amount, _)) = asked(sight, intent) else { continue };
        if *account != *from || !sight.effects(intent).is_empty() || same_key(sight, intent).len() > 1 {
            continue;
        }
        let short = |attempt: &Attempt<'_>| match attempt.ended? {
            (at, Outcome::Refused { status: Some(402), reply, .. }) if !reply.contains_key("error") => Some(at),
            (at, Outcome::Refused { reply, .. }) if reply.get("error")? == "insufficient_funds" => Some(at),
            _ => None,
        };
        if let Some(end) = sight.of(intent).filter_map(short).min().filter(|end| *end < until) {
            let kind = Kind::IsBelow(i128::from(amount) + i128::from(limit));
            steps.push(Step { begin: begun(sight, intent), end: Some(end), kind });
        }
    }
}

/// When a transfer may have happened.
fn between(sight: &Sight<'_>, transfer: &str) -> (Moment, Option<Moment>) {
    let moves_money = |attempt: &Attempt<'_>| {
        ["transfer", "reverse"].contains(&sight.intents[&attempt.intent].call.operation.as_str())
    };
    let named =
        sight.attempts.iter().filter(|attempt| moves_money(attempt)).filter_map(|attempt| match attempt.ended {
            Some((at, Outcome::Ok { reply, .. })) if reply.get("transfer")? == transfer => Some(at),
            _ => None,
        });
    let named = named.min();
    let caused = |intent: &u32| sight.effects(*intent).iter().any(|effect| effect == transfer);
    let Some(intent) = sight.intents.keys().copied().find(caused) else { return (Moment(0), named) };
    let call = sight.intents[&intent].call;
    let mut causes = same_key(sight, intent);
    if call.operation == "reverse" {
        let original = &call.fields["transfer"];
        let same =
            |call: &fireassay::history::Call| call.operation == "reverse" && call.fields["transfer"] == *original;
        causes.extend(sight.intents.iter().filter(|(_, other)| same(other.call)).map(|(id, _)| *id));
    }
    let begin = causes.iter().map(|cause| begun(sight, *cause)).min().unwrap();
    let own = call.operation == "transfer" && sight.moves(intent);
    let alone = sight.effects(intent).len() == 1 && same_key(sight, intent).len() == 1;
    let heard = sight.of(intent).filter_map(|attempt| match attempt.ended {
        Some((at, Outcome::Ok { .. })) => Some(at),
        _ => None,
    });
    (begin, named.or_else(|| heard.min().filter(|_| own && alone)))
}

fn begun(sight: &Sight<'_>, intent: u32) -> Moment {
    sight.of(intent).map(|attempt| attempt.invoked).min().unwrap()
}

/// The intents with the key of this one.
fn same_key(sight: &Sight<'_>, intent: u32) -> Vec<u32> {
    let key = |intent: u32| sight.intents[&intent].call.fields.get("key").filter(|key| key.is_string());
    match key(intent) {
        Some(own) => sight.intents.keys().copied().filter(|other| key(*other) == Some(own)).collect(),
        None => vec![intent],
    }
}

/// What a good request asks to be moved.
fn asked(sight: &Sight<'_>, intent: u32) -> Option<Body> {
    let call = sight.intents[&intent].call;
    match call.operation.as_str() {
        "transfer" if sight.moves(intent) => asks(call),
        "reverse" => {
            let (from, to, amount, currency) = moves(sight.transfers.get(call.fields["transfer"].as_str()?)?)?;
            Some((to, from, amount, currency))
        }
        _ => None,
    }
}

/// Whether a row of this account was there and is not any more.
fn has_lost_a_row(history: &History, account: &Value) -> bool {
    history.events.iter().any(|event| match &event.what {
        What::Rows { removed, .. } => removed.iter().any(|row| row["account"] == *account),
        _ => false,
    })
}

/// Whether what is left to do can be done in some order. `tried` has what has been done where that was not so.
fn explained(done: u128, value: i128, steps: &[Step], tried: &mut HashSet<u128>) -> bool {
    let left = || (0..steps.len()).filter(|number| done >> number & 1 == 0);
    let Some(first_end) = left().filter_map(|number| steps[number].end).min() else { return true };
    if !tried.insert(done) {
        return false;
    }
    left().filter(|number| steps[*number].begin <= first_end).any(|number| {
        let done = done | 1 << number;
        match steps[number].kind {
            Kind::Add(amount) => explained(done, value + i128::from(amount), steps, tried),
            Kind::Is(seen) => value == i128::from(seen) && explained(done, value, steps, tried),
            Kind::IsBelow(bound) => value < bound && explained(done, value, steps, tried),
        }
    })
}

type Plot = (LedgerWorkload, Vec<FaultSpec>, Nature, u64, Vec<Change>);

/// Small runs with many reads over few and poor accounts, now and then on a service that is wrong about balances; and
/// anything else. Then a few things in the history are changed.
fn any_plot() -> impl Strategy<Value = Plot> {
    let busy = (transfers(), 0..14_u32, 2..5_u16).prop_map(|(work, reads, accounts)| {
        let (intents, funds) = (work.intents.min(24), 6_000);
        LedgerWorkload::Transfers(Transfers { reads, accounts, intents, funds, concurrent: 0, ..work })
    });
    let wrong = [
        Defect::LagsBehind,
        Defect::DeclinesOnOldBalances,
        Defect::ShowsUncommitted,
        Defect::CachesBalances,
        Defect::AcknowledgesEarly,
        Defect::ForgetsKeys,
    ];
    let defect = prop::option::weighted(0.4, prop::sample::select(wrong.to_vec()));
    let views = (any::<prop::sample::Index>(), -2..3_i64).prop_map(|(at, more)| Change::View(at, more));
    let changes = prop::collection::vec(prop_oneof![2 => any_change(), 1 => views], 0..3);
    let work = prop_oneof![4 => busy, 1 => any_work()];
    (work, any_faults(), any_nature(), defect, any::<u64>(), changes).prop_map(
        |(work, faults, nature, defect, seed, changes)| {
            (work, faults, Nature { defect, keys: true, ..nature }, seed, changes)
        },
    )
}

fn play((work, faults, nature, seed, changes): &Plot) -> Run {
    let mut run = play_with(work, faults, *nature, *seed);
    for change in changes {
        spoil(&mut run.history, change);
    }
    run
}

fn is_blamed(run: &Run) -> bool {
    judge(run, &[REQUIREMENT.to_owned()])[0].verdict() == Verdict::Violation
}

proptest! {
    #![proptest_config(super::few(150))]

    #[test]
    fn trying_every_order_agrees_with_the_oracle(plot in any_plot()) {
        let run = play(&plot);
        prop_assert_eq!(is_blamed(&run), violated(&run.history), "{:?}", judge(&run, &[REQUIREMENT.to_owned()]));
    }
}

#[test]
fn what_is_compared_is_of_both_kinds() {
    let mut runner = TestRunner::deterministic();
    let plots = (0..60).map(|_| any_plot().new_tree(&mut runner).unwrap().current());
    let violations = plots.filter(|plot| violated(&play(plot).history)).count();
    assert!((10..50).contains(&violations), "{violations} of 60");
}
