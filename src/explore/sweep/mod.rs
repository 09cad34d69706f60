//! The sweep: a fault at every message of a scenario in turn.
//!
//! 1. The scenario is run without faults, and every exchange on every link is recorded.
//! 2. Those that change something are the `site`s.
//! 3. `point` says what is done at them, leaving out what cannot differ.
//! 4. Each point is a run of its own with just this one fault (`drive`).
//! 5. `outcome` says which points were reached and what was found.
//!
//! Optionally pairs: a second fault during the recovery from the first, at the exchanges that the first one caused.

mod drive;
mod outcome;
mod point;
mod site;

pub use drive::{Scenario, Stage, Until, sweep};
pub use outcome::{Coverage, Outcome, Tried};
pub use point::{Action, Point, points};
pub use site::{Found, LeftOut, Scenery, Site, new_sites, scenery};
