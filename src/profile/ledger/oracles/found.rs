//! Collecting what an oracle finds.

use super::Seen;
use crate::judgement::{ANOMALIES_MAX, Anomaly, Evidence, Finding, Witness};

/// What an oracle found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    anomalies: Vec<Anomaly>,
    total: u64,
    evidence: Vec<Evidence>,
}

impl Found {
    /// Something is wrong. The story is only told while there is room for it.
    pub(super) fn blame(&mut self, kind: &str, story: impl FnOnce() -> (String, String, Vec<Witness>)) {
        self.total += 1;
        if self.anomalies.len() < ANOMALIES_MAX {
            let (expected, found, witnesses) = story();
            self.anomalies.push(Anomaly { kind: kind.to_owned(), expected, found, witnesses });
        }
    }

    /// Something has to have been seen this many times.
    pub(super) fn saw(&mut self, what: &str, seen: u64, least: u64) {
        self.evidence.push(Evidence { what: what.to_owned(), seen, least });
    }

    /// Something has to have been so.
    pub(super) fn needs(&mut self, what: &str, holds: bool) {
        self.saw(what, u64::from(holds), 1);
    }

    /// The whole journal has to have been read in the audit.
    pub(super) fn needs_audit(&mut self, seen: &Seen<'_>) {
        let unreadable = seen.facts.readings.last().is_some_and(|last| last.unreadable > 0);
        let why = seen.facts.unreadable_row.as_ref().filter(|_| unreadable);
        self.needs(&because("whole journals read in the audit", why), seen.books.complete);
    }

    /// Every event record has to have been readable.
    pub(super) fn needs_readable_events(&mut self, seen: &Seen<'_>) {
        let what = because("event topics without an unreadable record", seen.facts.unreadable_record.as_ref());
        self.needs(&what, seen.facts.unreadable_records == 0);
    }

    /// Takes over what another oracle blames, as far as it concerns this one.
    pub(super) fn adopt(&mut self, other: Self) {
        self.total += other.total;
        let room = ANOMALIES_MAX.saturating_sub(self.anomalies.len());
        self.anomalies.extend(other.anomalies.into_iter().take(room));
    }

    /// The finding.
    pub(super) fn finding(self, requirement: &str) -> Finding {
        Finding {
            requirement: requirement.to_owned(),
            anomalies: self.anomalies,
            anomalies_total: self.total,
            evidence: self.evidence,
        }
    }
}

fn because(what: &str, why: Option<&String>) -> String {
    why.map_or_else(|| what.to_owned(), |why| format!("{what} ({why})"))
}
