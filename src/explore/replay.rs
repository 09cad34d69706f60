//! How often a stored case shows again what it showed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Signature;
use crate::report::text::{count, piece};
use crate::runner::CaseReport;

/// Counts the replays of a case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    wanted: Signature,
    /// Runs that can be counted: those that failed, were cut short or did not apply say nothing.
    runs: u32,
    lost: u32,
    /// Runs that violated any of what is wanted, or anything where nothing is.
    reproduced: u32,
    by_requirement: BTreeMap<String, Times>,
}

/// How often one requirement was violated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    violated: u32,
    in_kind: u32,
}

/// One line of a tally, for machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reproduced {
    /// The requirement.
    pub requirement: String,
    /// Whether the stored run violated it.
    pub before: bool,
    /// Replays that violated it.
    pub violated: u32,
    /// Those among them with an anomaly of the same kind as before.
    pub in_kind: u32,
    /// Replays that count.
    pub runs: u32,
}

impl Tally {
    /// Counts replays of a case that violated this.
    #[must_use]
    pub fn new(wanted: Signature) -> Self {
        let by_requirement = wanted.0.keys().map(|id| (id.clone(), Times::default())).collect();
        Self { wanted, by_requirement, ..Self::default() }
    }

    /// Counts one.
    pub fn count(&mut self, report: &CaseReport) {
        let seen = Signature::of(&report.findings);
        if seen.is_empty() && (report.failure().is_some() || report.interrupted) {
            self.lost += 1;
            return;
        }
        self.runs += 1;
        self.reproduced +=
            u32::from(if self.wanted.is_empty() { !seen.is_empty() } else { self.wanted.is_met_by(&seen) });
        for id in seen.0.keys() {
            let times = self.by_requirement.entry(id.clone()).or_default();
            times.violated += 1;
            times.in_kind += u32::from(self.wanted.only(id).is_met_in_kind_by(&seen));
        }
    }

    /// How many of how many replays showed it.
    #[must_use]
    pub fn share(&self) -> (u32, u32) {
        (self.reproduced, self.runs)
    }

    /// A line for each requirement that was violated, then or now.
    #[must_use]
    pub fn lines(&self) -> Vec<Reproduced> {
        let line = |(id, times): (&String, &Times)| Reproduced {
            requirement: id.clone(),
            before: self.wanted.0.contains_key(id),
            violated: times.violated,
            in_kind: times.in_kind,
            runs: self.runs,
        };
        self.by_requirement.iter().map(line).collect()
    }

    /// For people: `reproduced 7 of 20`, and by requirement.
    #[must_use]
    pub fn in_words(&self) -> Vec<String> {
        let runs = self.runs;
        let mut words = match (self.wanted.is_empty(), self.reproduced) {
            (false, hits) => vec![format!("reproduced {hits} of {runs}")],
            (true, 0) => vec![format!(
                "nothing was violated, neither when it was stored nor in {}",
                count(runs.into(), "replay")
            )],
            (true, hits) => {
                vec![format!("violated in {hits} of {runs}; what it violated when it was stored is not known")]
            }
        };
        let lines = self.lines();
        let width = lines.iter().map(|line| piece(&line.requirement).chars().count()).max().unwrap_or(0);
        for line in lines {
            let kinds = self
                .wanted
                .0
                .get(&line.requirement)
                .map(|kinds| kinds.iter().map(|kind| piece(kind)).collect::<Vec<_>>());
            let remark = match kinds {
                None if self.wanted.is_empty() => String::new(),
                None => "; not violated when it was stored".to_owned(),
                Some(_) if line.violated == 0 => String::new(),
                Some(kinds) if line.in_kind == line.violated => format!("; the same kind ({})", kinds.join(", ")),
                Some(kinds) => format!("; the same kind ({}) in {}", kinds.join(", "), line.in_kind),
            };
            words.push(format!("  {:width$}  {} of {runs}{remark}", piece(&line.requirement), line.violated));
        }
        if self.lost > 0 {
            words.push(format!(
                "{} could not be brought to an end and {} not counted",
                count(self.lost.into(), "replay"),
                if self.lost == 1 { "is" } else { "are" }
            ));
        }
        words
    }
}

/// Whether a replay shows the same, for its story: a sentence for a requirement that was violated before too.
#[must_use]
pub fn likeness(wanted: &Signature, seen: &Signature, requirement: &str) -> Option<String> {
    let before = wanted.0.get(requirement)?;
    let now = seen.0.get(requirement)?;
    let list = |kinds: &std::collections::BTreeSet<String>| {
        kinds.iter().map(|kind| piece(kind)).collect::<Vec<_>>().join(", ")
    };
    Some(if before.is_disjoint(now) {
        format!("reproduced, but as another kind of anomaly: {}, where it was {}", list(now), list(before))
    } else {
        format!("reproduced: the same kind of anomaly ({})", list(&before.intersection(now).cloned().collect()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::report;

    fn wanted(ids: &[&str]) -> Signature {
        Signature::of(&report("retries", 1, ids).findings)
    }

    #[test]
    fn replays_are_counted_by_requirement_and_kind() {
        let mut tally = Tally::new(wanted(&["ledger.once", "ledger.event"]));
        let mut other = report("retries", 1, &["ledger.once"]);
        other.findings[0].finding.anomalies[0].kind = "phantom".into();
        let failed = CaseReport { error: Some("no java".into()), ..report("retries", 1, &[]) };
        let all = [report("retries", 1, &["ledger.once"]), report("retries", 1, &[]), other, failed];
        all.iter().for_each(|report| tally.count(report));
        tally.count(&report("retries", 1, &["ledger.drains"]));
        assert_eq!(tally.share(), (2, 4));
        assert_eq!(
            tally.in_words(),
            [
                "reproduced 2 of 4",
                "  ledger.drains  1 of 4; not violated when it was stored",
                "  ledger.event   0 of 4",
                "  ledger.once    2 of 4; the same kind (double) in 1",
                "1 replay could not be brought to an end and is not counted",
            ]
        );
    }

    #[test]
    fn a_case_of_which_nothing_is_known_is_counted_by_any_violation() {
        let mut tally = Tally::new(Signature::default());
        tally.count(&report("retries", 1, &[]));
        assert_eq!(tally.in_words(), ["nothing was violated, neither when it was stored nor in 1 replay"]);
        tally.count(&report("retries", 1, &["ledger.once"]));
        assert_eq!(tally.in_words()[0], "violated in 1 of 2; what it violated when it was stored is not known");
    }

    #[test]
    fn a_story_says_whether_it_is_the_same() {
        let before = wanted(&["ledger.once"]);
        let same = likeness(&before, &before, "ledger.once");
        assert_eq!(same.as_deref(), Some("reproduced: the same kind of anomaly (double)"));
        let mut now = before.clone();
        now.0.insert("ledger.once".into(), ["phantom".to_owned()].into());
        let other = likeness(&before, &now, "ledger.once");
        assert_eq!(other.as_deref(), Some("reproduced, but as another kind of anomaly: phantom, where it was double"));
        assert_eq!(likeness(&before, &now, "ledger.acked"), None);
    }
}
