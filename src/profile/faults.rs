//! What a history says of the steps of its plan, in types, and the faults that a story has to show.

use crate::history::{FaultChange, Moment, StepId};
use crate::judgement::Witness;

/// Something that happened to a step of the plan.
#[derive(Clone, Copy, Debug)]
pub struct FaultSeen {
    /// When.
    pub at: Moment,
    /// To which step.
    pub step: StepId,
    /// What.
    pub change: FaultKind,
}

/// See [`FaultChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Done.
    Injected,
    /// Made a difference.
    Bit,
    /// Undone.
    Healed,
    /// Made none.
    Missed,
}

impl From<&FaultChange> for FaultKind {
    fn from(change: &FaultChange) -> Self {
        match change {
            FaultChange::Injected(_) => Self::Injected,
            FaultChange::Bit(_) => Self::Bit,
            FaultChange::Healed(_) => Self::Healed,
            FaultChange::Missed(_) => Self::Missed,
        }
    }
}

/// The faults that were injected in this time, the earliest first, and no more than a story has room for.
pub(super) fn injected_between(faults: &[FaultSeen], first: Moment, last: Moment) -> impl Iterator<Item = Witness> {
    /// Faults that a story shows.
    const MOST: usize = 3;
    let injected =
        faults.iter().filter(move |fault| fault.change == FaultKind::Injected && (first..=last).contains(&fault.at));
    injected.map(|fault| Witness::Fault(fault.step)).take(MOST)
}

/// The faults that were healed last: what should work since then.
pub(super) fn healed_last(faults: &[FaultSeen]) -> impl Iterator<Item = Witness> {
    let healed = faults.iter().rev().filter(|fault| fault.change == FaultKind::Healed);
    healed.map(|fault| Witness::Fault(fault.step)).take(2)
}
