//! Why there is no order, for a person: the observation that cannot be explained, the fewest others that rule out what
//! could explain it, the values that were possible, and what it looks like instead.

use std::cell::Cell;

use super::{Budget, Operation, Sweep, Verdict, What, run};
use crate::history::Moment;

/// A violation in as few words as it takes. Numbers are indices of operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The observation that cannot be explained.
    pub observation: usize,
    /// The fewest other observations found, in the order of their ends, without which it could be. None, if it
    /// contradicts the additions alone.
    pub together_with: Vec<usize>,
    /// What could have been seen instead.
    pub possible: Possible,
    /// Additions that ended before it began, the latest first; at most [`BEFORE_MAX`].
    pub before: Vec<usize>,
    /// Additions that were under way with it.
    pub during: Vec<usize>,
    /// What it looks like.
    pub resembles: Option<Resemblance>,
}

/// The values that would have been explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Possible {
    /// Just these, in order. Not empty.
    Values(Vec<i128>),
    /// Too many to list: none outside of these.
    Between(i128, i128),
}

/// An account of which what was seen would have been true. A hint: other mistakes may look the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resemblance {
    /// As it was before these, the latest first, which had all ended.
    Stale(Vec<usize>),
    /// As if this one, which had ended, had been lost.
    Lost(usize),
    /// As if this one, which had ended, had been applied twice.
    Twice(usize),
    /// As if this one had happened, which nobody had begun yet.
    Ahead(usize),
}

/// The most earlier additions that an explanation lists.
pub const BEFORE_MAX: usize = 4;

/// How many additions back an old value is looked for.
const STALE_MAX: usize = 256;

/// Of how many additions under way every sum is tried.
const DURING_MAX: usize = 8;

/// How many operations may be checked again while looking for the fewest observations.
const EFFORT: usize = 2_000_000;

/// Explains a violation that [`check`](super::check) found in these operations. All trials together get the budget's steps; without
/// them the explanation is less short.
#[must_use]
pub fn explain(start: i128, operations: &[Operation], by: usize, budget: Budget) -> Explanation {
    let trial = Trial::new(start, operations, by, budget);
    let together_with = trial.fewest();
    let mut before = trial.additions(|it| it.returned.is_some_and(|end| end < trial.begin));
    before.sort_by_key(|number| std::cmp::Reverse(operations[*number].returned));
    let during = trial.additions(|it| it.returned.is_none_or(|end| end >= trial.begin) && it.invoked <= trial.end);
    let possible = trial.possible(&before, &during, &together_with);
    let resembles = trial.resemblance(&before, &possible);
    before.truncate(BEFORE_MAX);
    Explanation { observation: by, together_with, possible, before, during, resembles }
}

/// Trying what would be if less had been seen, or something else.
struct Trial<'a> {
    start: i128,
    operations: &'a [Operation],
    by: usize,
    configurations: usize,
    steps: Cell<u64>,
    begin: Moment,
    end: Moment,
}

impl<'a> Trial<'a> {
    fn new(start: i128, operations: &'a [Operation], by: usize, budget: Budget) -> Self {
        let Operation { invoked: begin, returned, .. } = operations[by];
        let Budget { configurations, steps } = budget;
        let (steps, end) = (Cell::new(steps), returned.unwrap_or(Moment(u64::MAX)));
        Self { start, operations, by, configurations, steps, begin, end }
    }

    fn additions(&self, which: impl Fn(&Operation) -> bool) -> Vec<usize> {
        let numbered = self.operations.iter().enumerate();
        numbered.filter(|(_, it)| it.what.added().is_some() && which(it)).map(|(number, _)| number).collect()
    }

    /// The fewest observations that cannot be explained together with this one, as far as the effort allows.
    fn fewest(&self) -> Vec<usize> {
        if self.contradicts(&[]) {
            return Vec::new();
        }
        let ended = |it: &Operation| it.what.added().is_none() && it.returned.is_some_and(|end| end <= self.end);
        let numbered = self.operations.iter().enumerate();
        let mut others: Vec<_> =
            numbered.filter(|(number, it)| *number != self.by && ended(it)).map(|(number, _)| number).collect();
        others.sort_by_key(|number| self.operations[*number].returned);
        let mut trials = EFFORT / self.operations.len().max(1);
        for &other in others.iter().rev().take(trials / 2) {
            if self.contradicts(&[other]) {
                return vec![other];
            }
        }
        // Not two: leave out what can be left out, in ever smaller pieces.
        let mut size = others.len().div_ceil(2);
        while size > 0 && !others.is_empty() {
            let mut from = 0;
            while from < others.len() && trials > 0 {
                trials -= 1;
                let to = (from + size).min(others.len());
                let rest = [&others[..from], &others[to..]].concat();
                if self.contradicts(&rest) { others = rest } else { from = to }
            }
            size /= 2;
        }
        others
    }

    /// Whether this observation and these others cannot be explained.
    fn contradicts(&self, others: &[usize]) -> bool {
        matches!(self.verdict(self.operations[self.by].what, others), Verdict::Violated { .. })
    }

    /// The verdict if there had been no other observations than these, and this one had been `what`.
    fn verdict(&self, what: What, others: &[usize]) -> Verdict {
        let first = others.iter().map(|number| self.operations[*number].invoked).fold(self.begin, Moment::min);
        let mut is_kept = vec![false; self.operations.len()];
        others.iter().for_each(|number| is_kept[*number] = true);
        let mut start = self.start;
        let mut operations = Vec::new();
        for (number, operation) in self.operations.iter().enumerate() {
            match operation.what {
                _ if operation.invoked > self.end => break,
                What::Add(amount) if operation.returned.is_some_and(|end| end < first) => start += i128::from(amount),
                What::Add(_) => operations.push(*operation),
                _ if number == self.by => operations.push(Operation { what, ..*operation }),
                _ if is_kept[number] => operations.push(*operation),
                _ => {}
            }
        }
        let mut sweep = Sweep::new(start, Budget { configurations: self.configurations, steps: self.steps.get() });
        let verdict = run(&mut sweep, &operations);
        self.steps.set(sweep.steps_left());
        verdict
    }

    fn sum(&self, of: &[usize]) -> i128 {
        of.iter().filter_map(|number| self.operations[*number].what.added()).map(i128::from).sum()
    }

    fn possible(&self, before: &[usize], during: &[usize], others: &[usize]) -> Possible {
        let settled = self.start + self.sum(before);
        let amounts = || during.iter().filter_map(|number| self.operations[*number].what.added()).map(i128::from);
        let least = settled + amounts().map(|amount| amount.min(0)).sum::<i128>();
        let most = settled + amounts().map(|amount| amount.max(0)).sum::<i128>();
        if during.len() > DURING_MAX {
            return Possible::Between(least, most);
        }
        let mut values = vec![settled];
        for amount in amounts() {
            values.extend(values.clone().into_iter().map(|value| value + amount));
        }
        values.sort_unstable();
        values.dedup();
        values.retain(|value| {
            i64::try_from(*value).is_ok_and(|read| self.verdict(What::Read(read), others) == Verdict::Linearizable)
        });
        if values.is_empty() { Possible::Between(least, most) } else { Possible::Values(values) }
    }

    /// `before` has to have the latest first.
    fn resemblance(&self, before: &[usize], possible: &Possible) -> Option<Resemblance> {
        let Possible::Values(values) = possible else { return None };
        let what = self.operations[self.by].what;
        let fits = |change: i128| values.iter().any(|value| what.fits(value + change));
        let mut undone = 0;
        for (place, number) in before.iter().take(STALE_MAX).enumerate() {
            undone += self.sum(&[*number]);
            if fits(-undone) {
                return Some(Resemblance::Stale(before[..=place].to_vec()));
            }
        }
        // Many a thing would bring a value across a bound.
        let What::Read(_) = what else { return None };
        let recent = &before[..before.len().min(STALE_MAX)];
        let lost = recent.iter().find(|number| fits(-self.sum(&[**number]))).map(|number| Resemblance::Lost(*number));
        let twice =
            || recent.iter().find(|number| fits(self.sum(&[**number]))).map(|number| Resemblance::Twice(*number));
        let ahead = || {
            let later = self.additions(|it| it.invoked > self.end);
            later.into_iter().take(STALE_MAX).find(|number| fits(self.sum(&[*number]))).map(Resemblance::Ahead)
        };
        lost.or_else(twice).or_else(ahead)
    }
}
