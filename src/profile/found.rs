//! Collecting what an oracle finds.

use crate::judgement::{ANOMALIES_MAX, Anomaly, Evidence, Finding, Witness};

/// What an oracle found so far.
#[derive(Debug, Default)]
pub(in crate::profile) struct Found {
    anomalies: Vec<Anomaly>,
    total: u64,
    evidence: Vec<Evidence>,
}

impl Found {
    /// Something is wrong. The story is only told while there is room for it.
    pub(in crate::profile) fn blame(&mut self, kind: &str, story: impl FnOnce() -> (String, String, Vec<Witness>)) {
        self.total += 1;
        if self.anomalies.len() < ANOMALIES_MAX {
            let (expected, found, witnesses) = story();
            self.anomalies.push(Anomaly { kind: kind.to_owned(), expected, found, witnesses });
        }
    }

    /// Something has to have been seen this many times.
    pub(in crate::profile) fn saw(&mut self, what: &str, seen: u64, least: u64) {
        self.evidence.push(Evidence { what: what.to_owned(), seen, least });
    }

    /// Something has to have been so.
    pub(in crate::profile) fn needs(&mut self, what: &str, holds: bool) {
        self.saw(what, u64::from(holds), 1);
    }

    /// Takes over what another oracle blames, as far as it concerns this one.
    pub(in crate::profile) fn adopt(&mut self, other: Self) {
        self.total += other.total;
        let room = ANOMALIES_MAX.saturating_sub(self.anomalies.len());
        self.anomalies.extend(other.anomalies.into_iter().take(room));
    }

    /// The finding.
    pub(in crate::profile) fn finding(self, requirement: &str) -> Finding {
        Finding {
            requirement: requirement.to_owned(),
            anomalies: self.anomalies,
            anomalies_total: self.total,
            evidence: self.evidence,
        }
    }
}

/// What is counted, with the reason why it is not there if there is one.
pub(in crate::profile) fn because(what: &str, why: Option<&String>) -> String {
    why.map_or_else(|| what.to_owned(), |why| format!("{what} ({why})"))
}
