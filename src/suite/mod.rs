//! Suites: the requirements of a profile and the cases that check them, read from `suites/<profile>.toml`.
//!
//! **Invariant:** pure; the caller reads the file.

mod check;
mod error;
mod locate;
mod read;
#[cfg(test)]
mod tests;

pub use error::SuiteError;
pub use read::read;

use serde::{Deserialize, Serialize};

use crate::fault::{FaultSpec, StormSpec};
use crate::profile::SharedWorkload;

/// The specification of a profile.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The profile's name.
    pub profile: String,
    /// A version of the suite's own, raised when a case changes its meaning.
    pub version: u32,
    /// Every requirement, in the order of the file.
    pub requirements: Vec<Requirement>,
    /// Every case, in the order of the file.
    pub cases: Vec<Case>,
}

/// One testable statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Stable, for example `ledger.once`.
    pub id: String,
    /// Must or should.
    #[serde(default)]
    pub level: Level,
    /// The statement.
    pub text: String,
    /// Why it matters, for people who have to decide whether to mend it.
    pub why: String,
}

/// How binding a requirement is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Money is lost without it.
    #[default]
    Must,
    /// Good practice.
    Should,
}

/// How often a case is worth its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// On every change: a few seconds.
    Quick,
    /// Before a release: all of `quick` and more.
    Full,
    /// For hours.
    Soak,
}

/// How faults are searched, besides those that are written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explore {
    /// One fault at every message of a scenario in turn.
    Sweep,
    /// A random mix of faults over the load.
    Storm(StormSpec),
}

/// Work, faults and the requirements they are judged by. One JUnit test case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Unique in its suite, stable: `killed-api`.
    pub id: String,
    /// One line: what happens.
    pub title: String,
    /// When it is run.
    pub tier: Tier,
    /// Ids of the requirements it checks.
    pub requirements: Vec<String>,
    /// The work.
    pub workload: SharedWorkload,
    /// What goes wrong.
    pub faults: Vec<FaultSpec>,
    /// How faults are searched in it, if they are.
    pub explore: Option<Explore>,
    /// How often the readings are repeated during the load, besides the final audit.
    pub read_every: Option<std::time::Duration>,
    /// How long the target may take to recover and drain after the last fault was healed.
    pub settle: std::time::Duration,
}

impl Case {
    /// Whether it breaks what several runs share, so that it must be run alone.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        let has_exclusive_storm = matches!(&self.explore, Some(Explore::Storm(storm)) if storm.is_exclusive());
        has_exclusive_storm || self.faults.iter().any(|fault| fault.inject.is_exclusive())
    }

    /// Whether it is a scenario for sweeps: many runs, one with a fault at each message.
    #[must_use]
    pub fn is_swept(&self) -> bool {
        self.explore == Some(Explore::Sweep)
    }
}
