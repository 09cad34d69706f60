//! What people and machines read of a run: the story of each finding, and the forms it is written in.
//!
//! **Invariant:** consumers only. A report takes what the runner left and gives back text; it cannot change a run,
//! and nothing in here prints.

pub mod diagram;
pub mod json;
pub mod junit;
pub mod markdown;
mod phrase;
pub mod stored;
pub mod story;
pub mod style;
pub mod summary;
pub mod sweep;
pub mod terminal;
pub mod text;
mod timeline;

#[cfg(test)]
pub(crate) mod samples;

use crate::judgement::Verdict;
use crate::runner::{CaseReport, Judged, RunReport};
use stored::{StoredRun, read_run};
use story::Story;

/// A run's report with the stories of what it found.
#[derive(Clone, Debug)]
pub struct Told {
    /// The report.
    pub report: CaseReport,
    /// One for each requirement that was violated, expected or not.
    pub stories: Vec<Story>,
}

/// Reads the histories of the runs that found something, one at a time, and tells their stories.
#[must_use]
pub fn tell_all(run: &RunReport) -> Vec<Told> {
    run.cases.iter().map(tell_one).collect()
}

/// Tells the stories of one run, reading its history if it found something.
#[must_use]
pub fn tell_one(report: &CaseReport) -> Told {
    // A finding stands even when its history has been moved away since: its story is then told without exchanges.
    let stored = if report.findings.iter().any(is_told) { read_run(&report.directory).ok() } else { None };
    tell(report, stored.as_ref())
}

/// Tells the stories of one run.
#[must_use]
pub fn tell(report: &CaseReport, stored: Option<&StoredRun>) -> Told {
    let history = stored.map(|stored| &stored.history);
    let violated = report.findings.iter().filter(|judged| is_told(judged));
    Told {
        report: report.clone(),
        stories: violated.map(|judged| story::tell(judged, history, &report.directory)).collect(),
    }
}

fn is_told(judged: &Judged) -> bool {
    matches!(judged.verdict, Verdict::Violation | Verdict::Expected)
}
