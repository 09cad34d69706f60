//! How runs stand: the one word for each, the reasons, and the counts over all of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use super::text::{count, piece};
use crate::judgement::Verdict;
use crate::runner::{CaseReport, Judged, RunReport};
use crate::suite::Suite;

/// How a run stands, the worse above the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// The target declares that it lacks what is asked for.
    NotApplicable,
    /// Enough was seen, and nothing was wrong.
    Pass,
    /// Wrong as declared.
    Expected,
    /// Too little was seen to say, or the user cut it short.
    Inconclusive,
    /// The environment failed, or the target did not start.
    Error,
    /// Wrong, with witnesses.
    Violation,
}

impl Standing {
    /// How a run stands.
    #[must_use]
    pub fn of(report: &CaseReport) -> Self {
        match report.verdict {
            Verdict::Violation => Self::Violation,
            _ if report.error.is_some() => Self::Error,
            Verdict::Inconclusive => Self::Inconclusive,
            _ if report.interrupted => Self::Inconclusive,
            Verdict::Expected => Self::Expected,
            Verdict::Pass => Self::Pass,
            Verdict::NotApplicable => Self::NotApplicable,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotApplicable => "not applicable",
            Self::Pass => "pass",
            Self::Expected => "expected",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
            Self::Violation => "VIOLATION",
        })
    }
}

/// What a run is called: its case, and which regression it replays, if it does.
#[must_use]
pub fn name(report: &CaseReport) -> String {
    match &report.regression {
        None => piece(&report.case),
        Some(hash) => format!("{} regression {}", piece(&report.case), piece(hash)),
    }
}

/// The longest line of a reason, in characters.
const REASON_CHARS_MAX: usize = 600;

/// The most lines that the output of a failed process takes.
const OUTPUT_LINES_MAX: usize = 24;

/// A requirement's id, and that it is a should where it is no must.
#[must_use]
pub fn label(judged: &Judged) -> String {
    let id = piece(&judged.requirement.id);
    if judged.is_must() { id } else { format!("{id} (should)") }
}

/// Why a run is not a plain pass, one line each, with lines of output indented; nothing for a pass.
#[must_use]
pub fn reasons(report: &CaseReport) -> Vec<String> {
    let is_whole = report.error.is_none() && report.stuck.is_none() && !report.interrupted;
    let mut reasons = Vec::new();
    let what_failed = report.error.iter().chain(&report.stuck);
    reasons.extend(what_failed.flat_map(|why| indented(why)));
    if report.interrupted {
        reasons.push("interrupted before its end".into());
    }
    if let Some(why) = never_begun(report) {
        reasons.push(format!("not applicable: {}", super::text::clean(why, 400)));
        return reasons;
    }
    let mut findings: Vec<_> = report.findings.iter().collect();
    // The worst first: the first reason is what a list of test cases shows.
    findings.sort_by_key(|judged| Reverse(judged.verdict));
    for judged in findings {
        let id = label(judged);
        match judged.verdict {
            Verdict::Violation | Verdict::Expected => {
                let found = judged.finding.anomalies.first().map_or_else(String::new, |anomaly| {
                    format!("{}: {}", piece(&anomaly.kind), super::text::clean(&anomaly.found, 300))
                });
                let declared =
                    judged.expected.as_deref().map_or_else(String::new, |why| format!(" (expected: {})", piece(why)));
                reasons.push(format!("{id}: {found}{declared}"));
            }
            Verdict::Inconclusive if is_whole => {
                let short = judged.finding.evidence.iter().filter(|evidence| !evidence.is_enough());
                let short: Vec<_> = short
                    .map(|lack| format!("{} {} of at least {}", lack.seen, piece(&lack.what), lack.least))
                    .collect();
                let seen = if short.is_empty() {
                    "nothing was seen that it could be judged by".into()
                } else {
                    short.join(", ")
                };
                reasons.push(format!("{id}: {seen}"));
            }
            Verdict::NotApplicable => {
                let lack = judged.lacks.as_deref().unwrap_or("the target lacks what it asks for");
                reasons.push(format!("{id}: not applicable: {}", piece(lack)));
            }
            Verdict::Inconclusive | Verdict::Pass => {}
        }
    }
    let unbitten = report.faults.iter().filter(|fault| fault.bit.is_none());
    if is_whole && report.verdict >= Verdict::Inconclusive {
        reasons.extend(unbitten.map(|fault| {
            let why = fault.missed.as_deref().unwrap_or("no sign that it made a difference");
            format!("`{}` did not bite: {}", piece(&fault.fault), piece(why))
        }));
        reasons.extend(report.notes.iter().flat_map(|note| indented(&format!("note: {note}"))));
    }
    reasons
}

/// Why a case was not run at all, if all that it checks has the same reason.
fn never_begun(report: &CaseReport) -> Option<&str> {
    let mut reasons = report.findings.iter().map(|judged| judged.lacks.as_deref());
    let first = reasons.next()??;
    let several = report.findings.len() > 1;
    (several && reasons.all(|reason| reason == Some(first))).then_some(first)
}

/// Each line made safe, those after the first a step to the right.
fn indented(text: &str) -> impl Iterator<Item = String> + use<> {
    let lines = super::text::lines(text, REASON_CHARS_MAX).into_iter().take(OUTPUT_LINES_MAX);
    lines.enumerate().map(|(number, line)| if number == 0 { line } else { format!("  {line}") })
}

/// How many runs stand how; only those that occur, the worst last.
#[must_use]
pub fn standings<'a>(reports: impl IntoIterator<Item = &'a CaseReport>) -> BTreeMap<Standing, u64> {
    let mut counts = BTreeMap::new();
    for report in reports {
        *counts.entry(Standing::of(report)).or_default() += 1;
    }
    counts
}

/// `12 runs: 11 pass, 1 VIOLATION`.
#[must_use]
pub fn totals<'a>(reports: impl IntoIterator<Item = &'a CaseReport>) -> String {
    let standings = standings(reports);
    let counts: Vec<_> = standings.iter().map(|(standing, runs)| format!("{runs} {standing}")).collect();
    format!("{}: {}", count(standings.values().sum(), "run"), counts.join(", "))
}

/// One requirement over all runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The requirement's id.
    pub requirement: String,
    /// Runs by verdict.
    pub verdicts: BTreeMap<Verdict, u64>,
}

impl Tally {
    /// How many runs came to this verdict.
    #[must_use]
    pub fn of(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(&verdict).copied().unwrap_or(0)
    }
}

/// Every requirement that was judged, in the order of first appearance.
#[must_use]
pub fn tallies(run: &RunReport) -> Vec<Tally> {
    let mut tallies: Vec<Tally> = Vec::new();
    for judged in run.cases.iter().flat_map(|report| &report.findings) {
        let id = &judged.requirement.id;
        let index = tallies.iter().position(|tally| tally.requirement == *id).unwrap_or_else(|| {
            tallies.push(Tally { requirement: id.clone(), verdicts: BTreeMap::new() });
            tallies.len() - 1
        });
        *tallies[index].verdicts.entry(judged.verdict).or_default() += 1;
    }
    tallies
}

/// Declared failures that are none: every case of the suite that checks the requirement was run, and all passed.
/// A declaration that hides nothing would hide the next failure, so each of these counts as a violation.
#[must_use]
pub fn stale(run: &RunReport, suite: &Suite) -> Vec<String> {
    let declared = |id: &str| {
        let mut judged =
            run.cases.iter().flat_map(|report| &report.findings).filter(|judged| judged.requirement.id == id);
        judged.any(|judged| judged.expected.is_some())
    };
    let all_passed = |id: &str| {
        let mut checking = suite.cases.iter().filter(|case| case.requirements.iter().any(|checked| checked == id));
        checking.all(|case| {
            let reports = || run.cases.iter().filter(|report| report.case == case.id);
            // A regression does too little of its case to speak for it.
            reports().any(|report| report.regression.is_none())
                && reports()
                    .flat_map(|report| &report.findings)
                    .all(|judged| judged.requirement.id != id || judged.verdict == Verdict::Pass)
        })
    };
    let ids = suite.requirements.iter().map(|requirement| &requirement.id);
    ids.filter(|id| declared(id) && all_passed(id)).cloned().collect()
}

/// What is wrong with a declared failure that is none any more.
#[must_use]
pub fn stale_sentence(requirement: &str) -> String {
    format!(
        "{} is declared as expected to fail, but every case that checks it passed: take the declaration out of target.toml",
        piece(requirement)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{report, suite};
    use crate::suite::Level;

    #[test]
    fn a_should_that_is_violated_is_a_violation_and_called_a_should() {
        let mut report = report("retries", 1, &["ledger.once"]);
        report.findings[0].requirement.level = Level::Should;
        assert!(reasons(&report)[0].starts_with("ledger.once (should): double: "), "{:?}", reasons(&report));
        assert_eq!(Standing::of(&report), Standing::Violation);
    }

    #[test]
    fn an_inconclusive_run_says_what_was_not_seen_and_what_did_not_bite() {
        let mut report = report("retries", 1, &[]);
        report.verdict = Verdict::Inconclusive;
        report.findings[0].verdict = Verdict::Inconclusive;
        report.findings[0].finding.evidence[0].seen = 0;
        (report.faults[0].bit, report.faults[0].missed) = (None, Some("api-2 was idle".into()));
        assert_eq!(
            reasons(&report),
            [
                "ledger.acked: 0 transfers sent again after they were applied of at least 1",
                "`kill api-2` did not bite: api-2 was idle"
            ]
        );
    }

    #[test]
    fn the_output_in_an_error_is_shown_as_lines_that_cannot_steer_a_terminal() {
        let mut report = report("retries", 1, &[]);
        report.error = Some("api-1 ended; its last lines:\none\n\u{1b}[2Jtwo".into());
        assert_eq!(reasons(&report), ["api-1 ended; its last lines:", "  one", "  \\u{1b}[2Jtwo"]);
    }

    #[test]
    fn a_declared_failure_says_why_it_is_expected() {
        let mut report = report("retries", 1, &["ledger.once"]);
        (report.findings[0].verdict, report.findings[0].expected) = (Verdict::Expected, Some("replicas lag".into()));
        let told = reasons(&report);
        assert!(
            told[0].starts_with("ledger.once: double: ") && told[0].ends_with(" (expected: replicas lag)"),
            "{told:?}"
        );
    }

    #[test]
    fn a_pass_needs_no_reasons() {
        assert_eq!(reasons(&report("retries", 1, &[])), Vec::<String>::new());
    }

    #[test]
    fn a_declared_failure_is_stale_when_all_its_cases_ran_and_passed() {
        let declared = |case: &str| {
            let mut report = report(case, 1, &[]);
            report.findings[0].expected = Some("a replica lags".into());
            report
        };
        let run = |cases| RunReport { cases, ..RunReport::default() };
        assert_eq!(stale(&run(vec![declared("retries"), declared("broker-down")]), &suite()), ["ledger.acked"]);
        assert!(stale(&run(vec![declared("retries")]), &suite()).is_empty(), "the other case may still show it");
        let regression = CaseReport { regression: Some("bc66a6179a61".into()), ..declared("broker-down") };
        assert!(stale(&run(vec![declared("retries"), regression]), &suite()).is_empty(), "it is not the whole case");
        let mut failing = declared("broker-down");
        failing.findings[0].verdict = Verdict::Expected;
        assert!(stale(&run(vec![declared("retries"), failing]), &suite()).is_empty());
    }
}
