//! Counting what was seen of each defect.

use std::collections::BTreeMap;

use super::{Defect, Timing};
use crate::judgement::Verdict;
use crate::runner::CaseReport;

/// What one run saw of a defect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The requirement that has to catch it was violated, and none that has nothing to do with it.
    Caught,
    /// A requirement that has nothing to do with it was violated, whatever else was.
    Blamed {
        /// Those requirements.
        on: Vec<String>,
        /// Whether the requirement that has to catch it was violated as well.
        also_caught: bool,
    },
    /// The requirement that has to catch it was not violated.
    Missed,
    /// The run says nothing: its environment failed.
    Failed(String),
}

impl Sight {
    /// What a run with this defect switched on saw of it.
    #[must_use]
    pub fn of(defect: &Defect, report: &CaseReport) -> Self {
        let violated: Vec<&String> = report
            .findings
            .iter()
            .filter(|judged| judged.verdict == Verdict::Violation)
            .map(|judged| &judged.requirement.id)
            .collect();
        let caught = violated.iter().any(|id| defect.caught_by == **id);
        let unrelated = |id: &&&String| defect.caught_by != ***id && !defect.also.contains(id);
        let on: Vec<String> = violated.iter().filter(unrelated).map(|id| (*id).clone()).collect();
        match &report.failure() {
            _ if !on.is_empty() => Self::Blamed { on, also_caught: caught },
            _ if caught => Self::Caught,
            Some(error) => Self::Failed(error.clone()),
            None => Self::Missed,
        }
    }
}

/// All runs of one defect.
#[derive(Clone, Debug)]
pub struct Row {
    /// The defect.
    pub defect: Defect,
    /// Runs in which it was caught, blamed on others as well or not.
    pub caught: u32,
    /// Runs in which it was not.
    pub missed: u32,
    /// Runs that say nothing.
    pub failed: u32,
    /// Unrelated requirements and in how many runs they were blamed.
    pub blamed: BTreeMap<String, u32>,
}

impl Row {
    /// A row without runs.
    #[must_use]
    pub fn new(defect: Defect) -> Self {
        Self { defect, caught: 0, missed: 0, failed: 0, blamed: BTreeMap::new() }
    }

    /// Counts a run.
    pub fn count(&mut self, sight: Sight) {
        match sight {
            Sight::Caught => self.caught += 1,
            Sight::Blamed { on, also_caught } => {
                *(if also_caught { &mut self.caught } else { &mut self.missed }) += 1;
                for id in on {
                    *self.blamed.entry(id).or_default() += 1;
                }
            }
            Sight::Missed => self.missed += 1,
            Sight::Failed(_) => self.failed += 1,
        }
    }

    /// All runs.
    #[must_use]
    pub fn runs(&self) -> u32 {
        self.caught + self.missed + self.failed
    }

    /// Whether the suite proved that it sees this defect: caught in at least 19 of 20 runs (in all of fewer), or at
    /// least once where its nature makes it a matter of luck, and never blamed on anything unrelated.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        let enough = match self.defect.timing {
            Timing::Likely => self.caught > 0,
            Timing::Certain => self.caught > 0 && self.caught * 20 >= self.runs() * 19,
        };
        enough && self.blamed.is_empty()
    }
}

/// The defects that were run.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// One for each, in the order of the catalogue.
    pub rows: Vec<Row>,
    /// The command that made it.
    pub command: String,
}

impl Matrix {
    /// Whether every defect is proven.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.rows.iter().all(Row::is_proven)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn defect() -> Defect {
        Defect {
            name: "check-then-insert".into(),
            summary: String::new(),
            origin: String::new(),
            caught_by: "ledger.once".into(),
            also: vec!["ledger.projection".into()],
            case: "retries".into(),
            timing: Timing::Certain,
            luck: None,
            window: None,
        }
    }

    #[test]
    fn only_its_own_requirement_catches_a_defect() {
        let sight = |violated: &[&str]| Sight::of(&defect(), &samples::report("retries", 1, violated));
        assert_eq!(sight(&["ledger.once", "ledger.projection"]), Sight::Caught);
        assert_eq!(sight(&["ledger.projection"]), Sight::Missed);
        assert_eq!(sight(&[]), Sight::Missed);
        assert_eq!(
            sight(&["ledger.once", "ledger.event"]),
            Sight::Blamed { on: vec!["ledger.event".into()], also_caught: true }
        );
    }

    #[test]
    fn a_failed_environment_neither_catches_nor_misses() {
        let mut report = samples::report("retries", 1, &[]);
        report.error = Some("postgres is gone".into());
        assert_eq!(Sight::of(&defect(), &report), Sight::Failed("postgres is gone".into()));
    }

    #[test]
    fn nineteen_of_twenty_prove_it_and_eighteen_do_not() {
        let mut row = Row { caught: 19, missed: 1, ..Row::new(defect()) };
        assert!(row.is_proven());
        row.count(Sight::Missed);
        assert!(!row.is_proven());
    }

    #[test]
    fn of_fewer_than_twenty_all_have_to_catch_it() {
        assert!(Row { caught: 5, ..Row::new(defect()) }.is_proven());
        assert!(!Row { caught: 18, missed: 1, ..Row::new(defect()) }.is_proven());
    }

    #[test]
    fn where_timing_decides_once_is_enough_and_never_is_not() {
        let likely = Defect { timing: Timing::Likely, ..defect() };
        assert!(Row { caught: 1, missed: 19, ..Row::new(likely.clone()) }.is_proven());
        assert!(!Row { caught: 0, missed: 20, ..Row::new(likely) }.is_proven());
    }

    #[test]
    fn blaming_an_unrelated_requirement_spoils_the_proof() {
        let mut row = Row { caught: 20, ..Row::new(defect()) };
        row.count(Sight::Blamed { on: vec!["ledger.event".into()], also_caught: true });
        assert_eq!((row.caught, row.blamed["ledger.event"]), (21, 1));
        assert!(!row.is_proven());
    }

    #[test]
    fn a_defect_without_runs_is_not_proven() {
        assert!(!Row::new(defect()).is_proven());
    }
}
