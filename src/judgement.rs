//! What oracles say: findings, anomalies with their witnesses, and the verdicts that follow from them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::history::{AttemptId, IntentId, StepId};

/// The verdict on a requirement in a case, or on a case as a whole. Ordered: the worse outranks the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The target declares that it lacks what is asked for, or the stack is one that the faults are not for.
    NotApplicable,
    /// Enough was seen, and nothing was wrong.
    Pass,
    /// Violated, as the target declares that it knows.
    Expected,
    /// Too little was seen to say.
    Inconclusive,
    /// Broken, with witnesses.
    Violation,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotApplicable => "not applicable",
            Self::Pass => "pass",
            Self::Expected => "expected",
            Self::Inconclusive => "inconclusive",
            Self::Violation => "violation",
        })
    }
}

/// What the oracles of one requirement found in one history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The requirement's id.
    pub requirement: String,
    /// What is wrong; at most [`ANOMALIES_MAX`], the clearest first.
    pub anomalies: Vec<Anomaly>,
    /// How many anomalies there were in all.
    pub anomalies_total: u64,
    /// What was seen, against the least that has to be seen for a pass.
    pub evidence: Vec<Evidence>,
}

/// The most anomalies that a finding lists.
pub const ANOMALIES_MAX: usize = 20;

impl Finding {
    /// What follows: anomalies are a violation, too little evidence is inconclusive, else pass.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.anomalies_total > 0 {
            Verdict::Violation
        } else if self.evidence.iter().all(Evidence::is_enough) && !self.evidence.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Inconclusive
        }
    }
}

/// A count of something that a requirement has to have seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Of what, in the plural: `transfers sent again after they were applied`.
    pub what: String,
    /// How many were seen.
    pub seen: u64,
    /// How many are the least for a pass.
    pub least: u64,
}

impl Evidence {
    /// Whether enough was seen.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.seen >= self.least
    }
}

/// Something that must not be, with what shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Its kind, in one word: `double`, `lost`, `phantom`, `fabricated`, `unbalanced`, …
    pub kind: String,
    /// What should have been, one line.
    pub expected: String,
    /// What was found, one line with the amounts and ids.
    pub found: String,
    /// Where to see it in the history, in the order of the story.
    pub witnesses: Vec<Witness>,
}

/// A place in the history. Indices are into [`crate::history::History::events`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// Everything about an intent.
    Intent(IntentId),
    /// One sending of it.
    Attempt(AttemptId),
    /// A step of the fault plan.
    Fault(StepId),
    /// An event of the history, by index.
    Event(u32),
    /// Some of the rows that one reading added.
    Rows {
        /// The reading, by event index.
        event: u32,
        /// Which of its `added` (or, for a row that disappeared, of its `removed`).
        rows: Vec<u32>,
        /// Whether the rows are of `removed`.
        removed: bool,
    },
}
