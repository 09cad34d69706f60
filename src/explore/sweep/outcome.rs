//! What came of a sweep.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::point::Point;
use super::site::{Scenery, Site};
use crate::judgement::{Evidence, Verdict};
use crate::runner::{CaseReport, NOTES_MAX};

/// A run with one fault, or with a pair.
#[derive(Clone, Debug)]
pub struct Tried {
    /// What was done where, in the order of the plan.
    pub points: Vec<Point>,
    /// What came of it.
    pub report: CaseReport,
}

/// All runs of a sweep.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The scenario without faults.
    pub baseline: CaseReport,
    /// Where something could be done, and what was left out.
    pub scenery: Scenery,
    /// The runs, in the order of the sites; pairs come last.
    pub tried: Vec<Tried>,
    /// Whether it was cut short.
    pub interrupted: bool,
    /// How many runs there were to be.
    pub planned: usize,
    /// How many of the runs were second tries, because the fault had not bitten in the first.
    pub again: usize,
    /// The run without faults.
    pub baseline_took: Duration,
    /// Everything.
    pub took: Duration,
}

/// How much of a scenario was covered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Sites of the scenario.
    pub sites: usize,
    /// Sites at which at least one fault bit.
    pub sites_reached: usize,
    /// Runs.
    pub runs: usize,
    /// Runs in which every fault bit.
    pub runs_reached: usize,
    /// What was not reached, and why.
    pub missed: Vec<(String, String)>,
}

impl Tried {
    /// Whether every fault bit.
    #[must_use]
    pub fn was_reached(&self) -> bool {
        self.report.error.is_none() && self.report.faults.iter().all(|fault| fault.bit.is_some())
    }

    /// Whether a requirement was violated, other than as declared.
    #[must_use]
    pub fn has_violation(&self) -> bool {
        self.report.verdict == Verdict::Violation
    }

    /// Whether the run went to its end, every fault bit, and the target owed nothing then.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.report.error.is_none() && self.report.whole
    }

    /// The requirements that were violated, other than as declared.
    pub fn violated(&self) -> impl Iterator<Item = &str> {
        violated(&self.report)
    }

    /// Whether the run's folder is kept.
    #[must_use]
    pub fn is_worth_keeping(&self) -> bool {
        self.has_violation() || !self.is_sound()
    }

    /// What was done, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        self.points.iter().map(ToString::to_string).collect::<Vec<_>>().join("; then ")
    }

    /// Why it was not reached, or did not count.
    #[must_use]
    pub fn shortcoming(&self) -> Option<String> {
        if self.is_sound() {
            return None;
        }
        let missed = self.report.faults.iter().find_map(|fault| fault.missed.clone());
        let noted = self.report.notes.first().cloned();
        let why = self.report.error.clone().or(self.report.stuck.clone()).or(missed).or(noted);
        Some(why.unwrap_or_else(|| "the run did not end in order".to_owned()))
    }
}

impl Outcome {
    pub(super) fn new(baseline: CaseReport, baseline_took: Duration) -> Self {
        let (scenery, tried, took) = (Scenery::default(), Vec::new(), Duration::ZERO);
        Self { baseline, scenery, tried, interrupted: false, planned: 0, again: 0, baseline_took, took }
    }

    /// One run that stands for all, with notes on the others in which something was violated: the first with a violation, else the first that did not count, else the first with a
    /// declared failure, else the one without faults, which is told as inconclusive when the sweep as a whole is.
    #[must_use]
    pub fn representative(&self) -> CaseReport {
        let is_expected = |tried: &&Tried| tried.report.findings.iter().any(|of| of.verdict == Verdict::Expected);
        let violated = self.tried.iter().find(|tried| tried.has_violation());
        let unsound = || self.tried.iter().find(|tried| !tried.is_sound());
        let expected = || self.tried.iter().find(is_expected);
        let mut report = match violated.or_else(unsound).or_else(expected) {
            Some(tried) => CaseReport { title: tried.sentence(), ..tried.report.clone() },
            None => self.baseline.clone(),
        };
        report.verdict = self.verdict();
        report.notes.extend(self.tried.iter().filter(|tried| tried.has_violation()).skip(1).map(|tried| {
            let violated = tried.violated().collect::<Vec<_>>().join(", ");
            format!("{violated} as well, when {}", tried.sentence())
        }));
        report.notes.truncate(NOTES_MAX);
        self.pool_evidence(&mut report);
        report.interrupted = self.interrupted;
        report
    }

    /// Whether the scenario works without faults, so that what goes wrong with one is the fault's doing.
    #[must_use]
    pub fn has_sound_baseline(&self) -> bool {
        let report = &self.baseline;
        report.error.is_none() && report.whole && report.verdict != Verdict::Violation
    }

    /// A requirement has seen what it saw in all runs together.
    fn pool_evidence(&self, report: &mut CaseReport) {
        let runs = || self.tried.iter().map(|tried| &tried.report).chain([&self.baseline]);
        for judged in &mut report.findings {
            let of_all =
                || runs().flat_map(|run| &run.findings).filter(|of| of.requirement.id == judged.requirement.id);
            for evidence in &mut judged.finding.evidence {
                let same = of_all().flat_map(|of| &of.finding.evidence).filter(|of| of.what == evidence.what);
                (evidence.seen, evidence.least) =
                    same.fold((0, 0), |(seen, least), of| (seen + of.seen, least.max(of.least)));
            }
            if judged.verdict == Verdict::Inconclusive {
                judged.verdict = judged.finding.verdict();
            }
        }
    }

    /// The requirements that were violated in any run, that without faults among them; each as often as it was.
    pub fn violated(&self) -> impl Iterator<Item = &str> {
        self.tried.iter().flat_map(Tried::violated).chain(violated(&self.baseline))
    }

    /// How much was covered.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        let reached = || self.tried.iter().filter(|tried| tried.was_reached());
        let known: BTreeSet<&Site> = self.scenery.sites.iter().map(|found| &found.site).collect();
        let at: BTreeSet<&Site> = reached().flat_map(|tried| &tried.points).map(|point| &point.site).collect();
        let missed = self.tried.iter().filter(|tried| !tried.has_violation());
        Coverage {
            sites: known.len(),
            sites_reached: at.intersection(&known).count(),
            runs: self.tried.len(),
            runs_reached: reached().count(),
            missed: missed.filter_map(|tried| Some((tried.sentence(), tried.shortcoming()?))).collect(),
        }
    }

    /// What the requirements have seen in all runs together, where that is less than they have to see.
    #[must_use]
    pub fn unseen(&self) -> Vec<(String, Evidence)> {
        let mut seen: BTreeMap<(String, String), Evidence> = BTreeMap::new();
        let reports = self.tried.iter().map(|tried| &tried.report).chain([&self.baseline]);
        for judged in reports.flat_map(|report| &report.findings) {
            for evidence in &judged.finding.evidence {
                let key = (judged.requirement.id.clone(), evidence.what.clone());
                let sum = seen.entry(key).or_insert_with(|| Evidence { seen: 0, least: 0, ..evidence.clone() });
                sum.seen += evidence.seen;
                sum.least = sum.least.max(evidence.least);
            }
        }
        let lacking = seen.into_iter().filter(|(_, evidence)| !evidence.is_enough());
        lacking.map(|((requirement, _), evidence)| (requirement, evidence)).collect()
    }

    /// The worst of it. A sweep that did not reach everything, or in which a requirement saw too little, is inconclusive.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let all = || self.tried.iter().map(|tried| &tried.report).chain([&self.baseline]);
        if all().any(|report| report.verdict == Verdict::Violation) {
            return Verdict::Violation;
        }
        if self.baseline.verdict == Verdict::NotApplicable {
            return Verdict::NotApplicable;
        }
        let has_tried = !self.tried.is_empty() && !self.interrupted;
        let hides_sites = self.scenery.left_out.iter().any(|of| of.hides_sites);
        let has_seen_all = self.coverage().missed.is_empty() && self.unseen().is_empty() && !hides_sites;
        if !(self.has_sound_baseline() && has_tried && has_seen_all) {
            return Verdict::Inconclusive;
        }
        if all().any(|report| report.findings.iter().any(|judged| judged.verdict == Verdict::Expected)) {
            Verdict::Expected
        } else {
            Verdict::Pass
        }
    }
}

fn violated(report: &CaseReport) -> impl Iterator<Item = &str> {
    let violated = report.findings.iter().filter(|judged| judged.verdict == Verdict::Violation);
    violated.map(|judged| judged.requirement.id.as_str())
}
