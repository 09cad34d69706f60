//! The report for machines. Versioned: fields are added under the same version, and none changes its meaning.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::Told;
use super::summary::Standing;
use super::text::is_hidden;
use crate::explore::replay::Reproduced;
use crate::explore::sweep::{Outcome, Tried};
use crate::judgement::{Evidence, Verdict};
use crate::runner::{CaseReport, RunReport};

/// Version of the JSON report.
pub const REPORT_FORMAT: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    fireassay_report: u32,
    tool: &'static str,
    exit_code: u8,
    interrupted: bool,
    stack_start_seconds: f64,
    took_seconds: f64,
    stale: &'a [String],
    runs: Vec<Run<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    reproduced: &'a [Reproduced],
}

#[derive(Serialize)]
struct Run<'a> {
    standing: String,
    result: &'a CaseReport,
    stories: Vec<Story<'a>>,
}

#[derive(Serialize)]
struct Story<'a> {
    requirement: &'a str,
    headline: &'a str,
    lines: Vec<String>,
}

/// The report as one JSON document, ending in a line break. `stale`: declared failures that are none any more.
///
/// # Errors
/// When a value cannot be written as JSON, as a path that is not Unicode.
pub fn document(run: &RunReport, told: &[Told], stale: &[String], exit_code: u8) -> Result<String, serde_json::Error> {
    document_with(run, told, stale, exit_code, &[])
}

/// The same with how often what was violated before was violated again.
///
/// # Errors
/// As [`document`].
pub fn document_with(
    run: &RunReport,
    told: &[Told],
    stale: &[String],
    exit_code: u8,
    reproduced: &[Reproduced],
) -> Result<String, serde_json::Error> {
    let runs = told.iter().map(|told| Run {
        standing: Standing::of(&told.report).to_string().to_lowercase(),
        result: &told.report,
        stories: told
            .stories
            .iter()
            .map(|story| Story {
                requirement: &story.requirement,
                headline: &story.headline,
                lines: story.lines.iter().map(ToString::to_string).collect(),
            })
            .collect(),
    });
    let document = Document {
        fireassay_report: REPORT_FORMAT,
        tool: env!("CARGO_PKG_VERSION"),
        exit_code,
        interrupted: run.interrupted,
        stack_start_seconds: run.stack_start.as_secs_f64(),
        took_seconds: run.took.as_secs_f64(),
        stale,
        runs: runs.collect(),
        reproduced,
    };
    serde_json::to_string_pretty(&document).map(|text| visible(&text) + "\n")
}

/// What sweeps came to, as one JSON document, ending in a line break.
///
/// # Errors
/// As [`document`].
pub fn sweeps(outcomes: &[Outcome], exit_code: u8) -> Result<String, serde_json::Error> {
    let document = Sweeps {
        fireassay_sweep: REPORT_FORMAT,
        tool: env!("CARGO_PKG_VERSION"),
        exit_code,
        sweeps: outcomes.iter().map(Sweep::of).collect(),
    };
    serde_json::to_string_pretty(&document).map(|text| visible(&text) + "\n")
}

#[derive(Serialize)]
struct Sweeps<'a> {
    fireassay_sweep: u32,
    tool: &'static str,
    exit_code: u8,
    sweeps: Vec<Sweep<'a>>,
}

#[derive(Serialize)]
struct Sweep<'a> {
    case: &'a str,
    seed: u64,
    verdict: Verdict,
    interrupted: bool,
    took_seconds: f64,
    sites: Vec<String>,
    left_out: Vec<String>,
    sites_reached: usize,
    runs_reached: usize,
    tried_twice: usize,
    /// By requirement: what it saw too little of.
    unseen: Vec<(String, Evidence)>,
    baseline: &'a CaseReport,
    runs: Vec<SweepRun<'a>>,
}

#[derive(Serialize)]
struct SweepRun<'a> {
    when: String,
    verdict: Verdict,
    violated: Vec<&'a str>,
    shortcoming: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_seconds: Option<f64>,
    /// There as long as the run's folder is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<&'a Path>,
}

impl<'a> Sweep<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let coverage = outcome.coverage();
        Self {
            case: &outcome.baseline.case,
            seed: outcome.baseline.seed,
            verdict: outcome.verdict(),
            interrupted: outcome.interrupted,
            took_seconds: outcome.took.as_secs_f64(),
            sites: outcome.scenery.sites.iter().map(|found| found.site.to_string()).collect(),
            left_out: outcome.scenery.left_out.iter().map(ToString::to_string).collect(),
            sites_reached: coverage.sites_reached,
            tried_twice: outcome.again,
            unseen: outcome.unseen(),
            runs_reached: coverage.runs_reached,
            baseline: &outcome.baseline,
            runs: outcome.tried.iter().map(SweepRun::of).collect(),
        }
    }
}

impl<'a> SweepRun<'a> {
    fn of(tried: &'a Tried) -> Self {
        let verdict = match tried.shortcoming() {
            _ if tried.has_violation() => Verdict::Violation,
            Some(_) => Verdict::Inconclusive,
            None => Verdict::Pass,
        };
        let kept = tried.is_worth_keeping();
        Self {
            when: tried.sentence(),
            verdict,
            violated: tried.violated().collect(),
            shortcoming: tried.shortcoming(),
            recovery_seconds: tried.report.figures.recovery.map(|recovery| recovery.as_secs_f64()),
            directory: kept.then_some(tried.report.directory.as_path()),
        }
    }
}

/// The same document with every character escaped that could steer the terminal it is printed on.
/// Outside of its strings JSON has no such characters but line breaks.
fn visible(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::report;
    use crate::report::tell;

    #[test]
    fn hidden_characters_are_escaped_and_read_back() {
        let nasty = "a\u{9b}b\u{202e}c\u{e0001}d\u{7f}";
        let json = visible(&serde_json::to_string(nasty).expect("JSON"));
        assert_eq!(json, r#""a\u009bb\u202ec\udb40\udc01d\u007f""#);
        assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), nasty);
    }

    #[test]
    fn a_document_says_its_version_and_holds_the_whole_result() {
        let cases = vec![report("retries", 7, &["ledger.once"])];
        let told = [tell(&cases[0], None)];
        let text =
            document(&RunReport { cases, ..RunReport::default() }, &told, &["ledger.drains".into()], 1).expect("JSON");
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&read["fireassay_report"], &read["exit_code"]), (&1.into(), &1.into()));
        assert_eq!((&read["runs"][0]["standing"], &read["stale"][0]), (&"violation".into(), &"ledger.drains".into()));
        let result: CaseReport = serde_json::from_value(read["runs"][0]["result"].clone()).expect("a result");
        assert_eq!(result, told[0].report);
    }
}
