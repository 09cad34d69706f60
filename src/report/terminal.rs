//! The report as a person reads it: a line for each run, the stories, and a table at the end.

use std::fmt::Write as _;
use std::time::Duration;

use super::Told;
use super::story::Story;
use super::style::{Palette, Tone};
use super::summary::{Standing, reasons, tallies, totals};
use super::text::{count, piece};
use crate::judgement::Verdict;
use crate::runner::{CaseReport, RunReport};

/// The line of a run, and the reasons below it where it is not a pass.
#[must_use]
pub fn case_line(report: &CaseReport, palette: Palette) -> String {
    let standing = Standing::of(report);
    let word = palette.paint(standing.into(), &format!("{standing:>14}"));
    let name = palette.paint(Tone::Strong, &piece(&report.case));
    let mut text = format!("{word}  {name}  seed {}  {}", report.seed, palette.paint(Tone::Faint, &figures(report)));
    if standing != Standing::Pass {
        for reason in reasons(report) {
            let _ = write!(text, "\n{:>14}  {reason}", "");
        }
    }
    text
}

/// A story, indented, under a line that names the run.
#[must_use]
pub fn story(report: &CaseReport, story: &Story, palette: Palette) -> String {
    let mut text =
        palette.paint(Tone::Bad, &format!("── {} · {} · seed {}", piece(&report.case), story.requirement, report.seed));
    for line in &story.lines {
        let _ = write!(text, "\n   {}", palette.paint(line.kind.into(), &line.to_string()));
    }
    text
}

/// Stories of all runs, the table of requirements and the totals.
#[must_use]
pub fn ending(run: &RunReport, told: &[Told], palette: Palette) -> String {
    let mut text = String::new();
    for told in told {
        for one in &told.stories {
            let _ = write!(text, "\n{}\n", story(&told.report, one, palette));
        }
    }
    if !run.cases.is_empty() {
        text.push('\n');
        text.push_str(&table(run, palette));
        let stack = if run.stack_start.is_zero() {
            String::new()
        } else {
            format!(", of which {} for the stack", seconds(run.stack_start))
        };
        let _ = writeln!(text, "\n{} in {}{stack}", palette.paint(Tone::Strong, &totals(run)), seconds(run.took));
    }
    text
}

/// `4.2 s`.
#[must_use]
pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn figures(report: &CaseReport) -> String {
    let figures = &report.figures;
    let mut words = vec![seconds(report.took)];
    if figures.attempts > 0 {
        let attempts = count(figures.attempts, "attempt");
        words.push(format!("{} in {attempts}, {} unknown", count(figures.intents, "intent"), figures.unknown));
    }
    if !report.faults.is_empty() {
        let bit = report.faults.iter().filter(|fault| fault.bit.is_some()).count();
        words.push(format!("{bit} of {} bit", count(report.faults.len() as u64, "fault")));
    }
    words.join(" · ")
}

/// One row for each requirement; columns that are empty throughout are left out.
fn table(run: &RunReport, palette: Palette) -> String {
    let tallies = tallies(run);
    let width = tallies
        .iter()
        .map(|tally| piece(&tally.requirement).chars().count())
        .max()
        .unwrap_or(0)
        .max("requirement".len());
    let all = [Verdict::Pass, Verdict::Violation, Verdict::Inconclusive, Verdict::Expected, Verdict::NotApplicable];
    let columns: Vec<_> =
        all.into_iter().filter(|verdict| tallies.iter().any(|tally| tally.of(*verdict) > 0)).collect();
    let mut text = format!("{:<width$}", "requirement");
    for column in &columns {
        let _ = write!(text, "  {:>14}", column.to_string());
    }
    let mut text = palette.paint(Tone::Faint, &text);
    for tally in &tallies {
        let _ = write!(text, "\n{:<width$}", piece(&tally.requirement));
        for column in &columns {
            let number = tally.of(*column);
            let tone = match column {
                _ if number == 0 => Tone::Faint,
                Verdict::Violation => Tone::Bad,
                Verdict::Inconclusive | Verdict::Expected => Tone::Doubtful,
                Verdict::Pass => Tone::Good,
                Verdict::NotApplicable => Tone::Faint,
            };
            let _ = write!(text, "  {}", palette.paint(tone, &format!("{number:>14}")));
        }
    }
    text
}
