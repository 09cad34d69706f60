//! Linearizability of one account: is there an order of what was done to it and what was seen of it that agrees with
//! real time and explains every value that was seen?
//!
//! An account is a number to which amounts are added. It is watched by reads, which say what it was, and by decisions,
//! which say on which side of a bound it was: "declined" is a read of "less than that". Whether an addition happened
//! is certain here; whoever asks has found out from the books. When it happened is known as an interval, and one whose
//! end nobody heard of has none.
//!
//! # Algorithm
//! Just-in-time linearization (Wing and Gong 1993; Lowe, "Testing for linearizability", 2017), made for sums. Time is
//! swept once. A *configuration* is one way in which everything up to now may have gone: which of the
//! additions under way have been applied, and which of the observations under way have been satisfied.
//!
//! - *Additions are lazy*: applied only when one ends, or when an observation ends that needs them. Applying them
//!   earlier explains nothing that applying them later would not.
//! - *Observations are greedy*: satisfied by the first value that fits. That costs nothing and can only help.
//! - Between two values that matter lies a *jump*: a set of additions whose sum leads to a value that an observation
//!   under way has waited for. Only the smallest such sets matter, because what is left over can be added later.
//! - A configuration is *dropped* if another has applied no more and satisfied no less: it can catch up at any time.
//!
//! Memory is bounded by what is under way at once. The number of jumps is exponential in that, so there is a budget;
//! when it is used up the answer is that there is none. Accounts are judged one by one: over all accounts at once the
//! same search does not end.

mod configuration;
mod explain;
mod slots;
mod subsets;
mod sweep;
#[cfg(test)]
mod tests;

pub use explain::{BEFORE_MAX, Explanation, Possible, Resemblance, explain};
pub use sweep::Sweep;

use crate::history::Moment;

/// Something that was done to an account, or seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// It did not happen before this.
    pub invoked: Moment,
    /// It did not happen after this; `None` if that is not known. An observation without an end says nothing.
    pub returned: Option<Moment>,
    /// What.
    pub what: What,
}

/// What was done or seen. Values are in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// This was added; negative for a debit.
    Add(i64),
    /// The value was just this.
    Read(i64),
    /// The value was below this.
    Below(i128),
    /// The value was this or above.
    AtLeast(i128),
}

impl What {
    /// Whether it is an observation that this value fits.
    #[must_use]
    pub fn fits(self, value: i128) -> bool {
        match self {
            Self::Add(_) => false,
            Self::Read(read) => value == i128::from(read),
            Self::Below(bound) => value < bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }

    /// The amount that is added, if it is an addition.
    #[must_use]
    pub fn added(self) -> Option<i64> {
        match self {
            Self::Add(amount) => Some(amount),
            _ => None,
        }
    }
}

/// How hard to try. Beyond either the answer is [`Verdict::Undecided`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many configurations there may be at once.
    pub configurations: usize,
    /// How many steps the search may take in all: a sum tried, or two configurations compared. Some nanoseconds each.
    pub steps: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { configurations: 4_096, steps: 50_000_000 }
    }
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order that explains everything.
    Linearizable,
    /// There is none.
    Violated {
        /// Index of the observation with whose end the last order fell. What ended before it can be explained.
        by: usize,
    },
    /// The budget was used up, or more was under way at once than can be kept apart ([`UNDER_WAY_MAX`]).
    Undecided,
}

/// The most additions, and the most observations, that may be under way at once.
pub const UNDER_WAY_MAX: u32 = 64;

/// Checks the operations on one account, which stood at `start` before any of them. They have to be in the order of
/// their invocations.
#[must_use]
pub fn check(start: i128, operations: &[Operation], budget: Budget) -> Verdict {
    debug_assert!(operations.is_sorted_by_key(|operation| operation.invoked));
    run(&mut Sweep::new(start, budget), operations)
}

fn run(sweep: &mut Sweep, operations: &[Operation]) -> Verdict {
    for (number, operation) in operations.iter().enumerate() {
        if let Err(verdict) = sweep.see(number, operation) {
            return verdict;
        }
    }
    sweep.finish()
}
