//! What a search says and what it is told.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::size::Size;
use crate::history::History;
use crate::runner::{CaseFile, Judged};

/// What to run next.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The case.
    pub case: Arc<CaseFile>,
    /// What is being done: `measuring`, `faults`, …
    pub what: &'static str,
    /// How often it may be worth running; fewer are enough once one shows what is looked for.
    pub runs: u32,
}

/// What came of one run of the proposed case.
#[derive(Clone, Debug)]
pub enum Seen {
    /// It showed what is looked for.
    Hit(Box<Ran>),
    /// It did not.
    Miss,
    /// It says nothing: the environment failed, or the run was cut short.
    Nothing,
}

/// A run that showed what is looked for.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What happened.
    pub history: History,
    /// What was found in it.
    pub findings: Vec<Judged>,
    /// Where it is kept.
    pub directory: PathBuf,
}

/// Hits among runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Runs that showed what is looked for.
    pub hits: u32,
    /// Runs that could have.
    pub runs: u32,
}

/// What became of a candidate, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What was being done.
    pub what: &'static str,
    /// The candidate's size.
    pub size: Size,
    /// Whether it took the place of the case before it; `None` while measuring.
    pub accepted: Option<bool>,
    /// How its runs went.
    pub share: Share,
    /// Runs used so far, of how many.
    pub used: (u32, u32),
}

/// What a search came to.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The smallest case that showed what is looked for, and the run that did.
    pub case: CaseFile,
    /// That run; the original one where nothing smaller was found.
    pub ran: Ran,
    /// The original's size and the result's.
    pub size: (Size, Size),
    /// How often the original showed it, and how often the result did.
    pub share: (Share, Share),
    /// Runs used, of how many.
    pub used: (u32, u32),
    /// Whether the search came to its end; else the budget ran out or it was interrupted.
    pub is_complete: bool,
}

impl std::ops::Add for Share {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { hits: self.hits + other.hits, runs: self.runs + other.runs }
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.runs == 0 { f.write_str("not known") } else { write!(f, "{} of {}", self.hits, self.runs) }
    }
}
