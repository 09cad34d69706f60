//! From a finding to the smallest case that still shows it.
//!
//! The search begins with what the oracle's witnesses name, and takes faults, callers, operations and values away from
//! there. One violation proves that a smaller case is enough. That it is not is believed after as many misses as the rate
//! demands at which the case has shown it so far, so that a race that shows half the time is not taken for gone.
//!
//! [`Search`] is pure: it says what to run next and is told what came of it. [`shrink`] carries it out.

mod beginnings;
mod cdd;
mod cut;
mod passes;
mod pinned;
mod rate;
mod run;
mod search;
mod size;
mod terms;
#[cfg(test)]
mod tests;
mod timetable;
mod trial;
mod values;
mod witness;

pub use cdd::Cdd;
pub use cut::{Base, Keep};
pub use rate::{MISSES_MAX, Rate, WRONG_REJECTIONS, misses_to_reject};
pub use run::shrink;
pub use search::Search;
pub use size::Size;
pub use terms::{Decision, Ended, Proposal, Ran, Seen, Share};
pub use timetable::{Done, Sent, Span, StepRef, Timetable};
pub use witness::ladder;
