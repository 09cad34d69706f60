//! Right histories pass, planted anomalies are found, and trying every order agrees on thousands of small histories.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;

/// Tries every order: of what may come next, one after the other. `done` has a bit for each operation.
fn brute_force(value: i128, operations: &[Operation], done: u32) -> bool {
    let left = || (0..operations.len()).filter(|number| done >> number & 1 == 0);
    // What has no end need not happen at all, and an observation without one says nothing.
    let Some(first_end) = left().filter_map(|number| operations[number].returned).min() else { return true };
    left().filter(|number| operations[*number].invoked <= first_end).any(|number| {
        let (what, done) = (operations[number].what, done | 1 << number);
        match what {
            What::Add(amount) => brute_force(value + i128::from(amount), operations, done),
            what => operations[number].returned.is_some() && what.fits(value) && brute_force(value, operations, done),
        }
    })
}

fn at(invoked: u64, returned: u64, what: What) -> Operation {
    Operation { invoked: Moment(invoked), returned: Some(Moment(returned)), what }
}

fn without_end(invoked: u64, what: What) -> Operation {
    Operation { invoked: Moment(invoked), returned: None, what }
}

/// A history of an account that stands at 0, made by letting everything happen at one moment within its interval.
/// `None`: the end is not known, and an addition with an odd amount has not happened.
fn right(plan: &[(u64, u64, Option<u64>, u8, i64)]) -> Vec<Operation> {
    let mut order: Vec<_> = plan
        .iter()
        .enumerate()
        .map(|(number, (begin, until, after, kind, amount))| (begin + until, number, *begin, *after, *kind, *amount))
        .collect();
    order.sort_unstable();
    let mut value = 0_i128;
    let mut operations = Vec::new();
    for (moment, _, begin, after, kind, amount) in order {
        let read = i64::try_from(value).unwrap();
        let what = match kind {
            0 => What::Add(amount),
            4..=6 => What::Read(read),
            7 => What::Below(value + 1 + i128::from(amount.abs())),
            _ => What::AtLeast(value - i128::from(amount.abs())),
        };
        let returned = after.map(|after| Moment(moment + after));
        if what.added().is_some() && (returned.is_some() || amount % 2 == 0) {
            value += i128::from(amount);
        }
        operations.push(Operation { invoked: Moment(begin), returned, what });
    }
    operations.sort_by_key(|operation| operation.invoked);
    operations
}

fn any_plan(most: usize) -> impl Strategy<Value = Vec<(u64, u64, Option<u64>, u8, i64)>> {
    let amount = prop_oneof![-3..4_i64, -1_000..1_001_i64];
    let addition = (0..30_u64, 0..20_u64, prop::option::weighted(0.9, 0..30_u64), Just(0), amount.clone());
    // Short ones tell more.
    let observation = (0..40_u64, 0..4_u64, prop::option::weighted(0.9, 0..4_u64), 4..9_u8, amount);
    prop::collection::vec(prop_oneof![addition, observation], 0..most)
}

/// What can go wrong: something was at another time, or another value was seen, such as one that would have been right
/// at another time, or with something more or less.
fn spoil(operations: &mut [Operation], place: Index, from: Index, kind: u8) {
    if operations.is_empty() {
        return;
    }
    let seen = |it: &Operation| it.what.added().is_none();
    let observations: Vec<_> = (0..operations.len()).filter(|number| seen(&operations[*number])).collect();
    let other = operations[from.index(operations.len())].what;
    if kind == 0 || observations.is_empty() {
        let operation = &mut operations[place.index(observations.len().max(1))];
        operation.invoked = Moment(operation.invoked.0 + 1 + from.index(20) as u64);
        operation.returned = operation.returned.map(|end| end.max(operation.invoked));
    } else if kind > 2 {
        let [one, other] = [place, from].map(|index| observations[index.index(observations.len())]);
        (operations[one].what, operations[other].what) = (operations[other].what, operations[one].what);
    } else {
        let what = &mut operations[observations[place.index(observations.len())]].what;
        let change = match other {
            What::Add(amount) if kind == 1 => amount,
            What::Add(amount) => -amount,
            _ => 2 * i64::from(kind) - 3,
        };
        match (what, other) {
            (What::Read(value), What::Read(other)) => *value = other,
            (What::Read(value), _) => *value += change,
            (What::Below(bound) | What::AtLeast(bound), _) => *bound += i128::from(change),
            (What::Add(_), _) => {}
        }
    }
    operations.sort_by_key(|operation| operation.invoked);
}

/// A small history, right or spoilt.
fn any_history() -> impl Strategy<Value = Vec<Operation>> {
    let changes = prop::collection::vec((any::<Index>(), any::<Index>(), 0..6_u8), 0..4);
    (any_plan(8), changes).prop_map(|(plan, changes)| {
        let mut operations = right(&plan);
        for (place, from, kind) in changes {
            spoil(&mut operations, place, from, kind);
        }
        operations
    })
}

#[test]
fn small_histories_are_of_every_kind() {
    let mut runner = TestRunner::deterministic();
    let (mut right, mut contradicts_additions, mut contradicts_others) = (0, 0, 0);
    for _ in 0..2_000 {
        let history = any_history().new_tree(&mut runner).unwrap().current();
        match check(0, &history, Budget::default()) {
            Verdict::Linearizable => right += 1,
            Verdict::Violated { by } => match explain(0, &history, by, Budget::default()).together_with.len() {
                0 => contradicts_additions += 1,
                _ => contradicts_others += 1,
            },
            Verdict::Undecided => panic!("{history:?}"),
        }
    }
    assert!(
        right > 500 && contradicts_additions > 100 && contradicts_others > 15,
        "{right} {contradicts_additions} {contradicts_others}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_order_tried_agrees(operations in any_history()) {
        let verdict = check(0, &operations, Budget::default());
        let expected = brute_force(0, &operations, 0);
        prop_assert_eq!(verdict == Verdict::Linearizable, expected, "{:?} {:?}", verdict, operations);
        if let Verdict::Violated { by } = verdict {
            check_explanation(&operations, by);
            // Without steps to try anything it is longer, but there is one.
            let hasty = explain(0, &operations, by, Budget { steps: 0, ..Budget::default() });
            prop_assert_eq!(hasty.observation, by);
        }
    }
}

/// What is named explains it: these observations cannot be explained together, any fewer of them can, and every value
/// called possible is.
fn check_explanation(operations: &[Operation], by: usize) {
    let explanation = explain(0, operations, by, Budget::default());
    let with = |observations: &[usize], seen: What| -> Vec<Operation> {
        let numbered = operations.iter().enumerate();
        let kept =
            numbered.filter(|(number, it)| it.what.added().is_some() || *number == by || observations.contains(number));
        kept.map(|(number, it)| if number == by { Operation { what: seen, ..*it } } else { *it }).collect()
    };
    let what = operations[by].what;
    let others = &explanation.together_with;
    assert!(!brute_force(0, &with(others, what), 0), "{explanation:?}");
    for left_out in 0..others.len() {
        let fewer = [&others[..left_out], &others[left_out + 1..]].concat();
        assert!(brute_force(0, &with(&fewer, what), 0), "{explanation:?}");
    }
    if let Possible::Values(values) = &explanation.possible {
        for value in values {
            assert!(!what.fits(*value), "{explanation:?}");
            let read = What::Read(i64::try_from(*value).unwrap());
            assert!(brute_force(0, &with(others, read), 0), "{explanation:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn right_histories_pass(plan in any_plan(24)) {
        prop_assert_eq!(check(0, &right(&plan), Budget::default()), Verdict::Linearizable);
    }

    #[test]
    fn a_small_budget_never_blames(
        plan in any_plan(24),
        configurations in 1..4_usize,
        steps in 0..40_u64,
    ) {
        let verdict = check(0, &right(&plan), Budget { configurations, steps });
        prop_assert!(!matches!(verdict, Verdict::Violated { .. }), "{:?}", verdict);
    }

    #[test]
    fn a_budget_changes_no_verdict_but_to_undecided(
        operations in any_history(),
        steps in 0..60_u64,
    ) {
        let tight = check(0, &operations, Budget { steps, ..Budget::default() });
        prop_assert!(tight == Verdict::Undecided || tight == check(0, &operations, Budget::default()));
    }
}

#[test]
fn a_stale_read_is_found_and_told() {
    let history = [
        at(0, 10, What::Add(1_000)),
        at(20, 30, What::Add(250)),
        at(40, 50, What::Add(-30)),
        at(60, 70, What::Read(1_000)),
    ];
    assert_eq!(check(0, &history, Budget::default()), Verdict::Violated { by: 3 });
    let explanation = explain(0, &history, 3, Budget::default());
    assert_eq!(explanation.together_with, [0_usize; 0]);
    assert_eq!(explanation.possible, Possible::Values(vec![1_220]));
    assert_eq!(explanation.before, [2, 1, 0]);
    assert_eq!(explanation.during, [0_usize; 0]);
    assert_eq!(explanation.resembles, Some(Resemblance::Stale(vec![2, 1])));
}

#[test]
fn a_lost_update_is_told_from_a_stale_read() {
    let history = [
        at(0, 10, What::Add(1_000)),
        at(20, 30, What::Add(250)),
        at(40, 50, What::Add(-30)),
        at(60, 70, What::Read(970)),
    ];
    let explanation = explain(0, &history, 3, Budget::default());
    assert_eq!(explanation.resembles, Some(Resemblance::Lost(1)));
    let history = [history[0], history[1], history[2], at(60, 70, What::Read(1_470))];
    assert_eq!(explain(0, &history, 3, Budget::default()).resembles, Some(Resemblance::Twice(1)));
}

#[test]
fn a_read_of_the_future_is_found() {
    let history = [at(0, 10, What::Add(1_000)), at(20, 30, What::Read(1_250)), at(40, 50, What::Add(250))];
    assert_eq!(check(0, &history, Budget::default()), Verdict::Violated { by: 1 });
    assert_eq!(explain(0, &history, 1, Budget::default()).resembles, Some(Resemblance::Ahead(2)));
    // As soon as it has begun, it may have happened.
    let history = [at(0, 10, What::Add(1_000)), at(20, 30, What::Read(1_250)), at(30, 50, What::Add(250))];
    assert_eq!(check(0, &history, Budget::default()), Verdict::Linearizable);
}

#[test]
fn reads_that_go_back_are_found_together() {
    let history = [
        at(0, 10, What::Add(1_000)),
        at(20, 90, What::Add(250)),
        at(21, 95, What::Add(70)),
        at(30, 40, What::Read(1_250)),
        at(50, 60, What::Read(1_070)),
    ];
    assert_eq!(check(0, &history, Budget::default()), Verdict::Violated { by: 4 });
    let explanation = explain(0, &history, 4, Budget::default());
    assert_eq!(explanation.together_with, [3]);
    assert_eq!(explanation.possible, Possible::Values(vec![1_250, 1_320]));
    assert_eq!(explanation.during, [1, 2]);
    // Either of them alone is fine.
    for left_out in [3, 4] {
        let rest = [&history[..left_out], &history[left_out + 1..]].concat();
        assert_eq!(check(0, &rest, Budget::default()), Verdict::Linearizable);
    }
}

#[test]
fn a_wrong_decline_is_found() {
    let declined = |from, to| at(from, to, What::Below(500));
    let history = [at(0, 10, What::Add(100)), at(20, 30, What::Add(900)), declined(40, 50)];
    assert_eq!(check(0, &history, Budget::default()), Verdict::Violated { by: 2 });
    assert_eq!(explain(0, &history, 2, Budget::default()).resembles, Some(Resemblance::Stale(vec![1])));
    let history = [at(0, 10, What::Add(100)), at(20, 30, What::Add(900)), declined(29, 50)];
    assert_eq!(check(0, &history, Budget::default()), Verdict::Linearizable);
}

#[test]
fn what_was_never_heard_of_may_come_at_any_time_but_only_once() {
    let history = |reads: [i64; 3]| {
        let [one, two, three] = reads.map(What::Read);
        [without_end(0, What::Add(100)), at(10, 20, one), at(30, 40, two), at(50, 60, three)]
    };
    for reads in [[0, 0, 0], [0, 0, 100], [0, 100, 100], [100, 100, 100]] {
        assert_eq!(check(0, &history(reads), Budget::default()), Verdict::Linearizable, "{reads:?}");
    }
    for (reads, by) in [([100, 0, 0], 2), ([0, 100, 0], 3), ([0, 0, 200], 3)] {
        assert_eq!(check(0, &history(reads), Budget::default()), Verdict::Violated { by }, "{reads:?}");
    }
}

#[test]
fn amounts_at_the_ends_of_their_range_do_not_overflow() {
    let history = [
        at(0, 1, What::Add(i64::MAX)),
        at(2, 3, What::Add(i64::MAX)),
        at(4, 5, What::AtLeast(2 * i128::from(i64::MAX))),
        at(6, 7, What::Add(-i64::MAX)),
        at(8, 9, What::Read(i64::MAX)),
        at(10, 11, What::Read(i64::MIN)),
    ];
    assert_eq!(check(0, &history, Budget::default()), Verdict::Violated { by: 5 });
    let _ = explain(0, &history, 5, Budget::default());
}

#[test]
fn more_under_way_than_can_be_kept_apart_is_undecided() {
    let crowd = |count: u32| -> Verdict {
        let begun = (0..u64::from(count)).map(|number| at(number, 1_000, What::Add(1)));
        let history: Vec<_> = begun.chain([at(2_000, 2_001, What::Read(i64::from(count)))]).collect();
        check(0, &history, Budget::default())
    };
    assert_eq!(crowd(UNDER_WAY_MAX), Verdict::Linearizable);
    assert_eq!(crowd(UNDER_WAY_MAX + 1), Verdict::Undecided);
}
