//! The report as a person reads it: a line for each run, the stories, and a table at the end.

use std::fmt::Write as _;
use std::time::Duration;

use super::Told;
use super::story::Story;
use super::style::{Palette, Tone};
use super::summary::{Standing, name as name_of, reasons, tallies, totals};
use super::text::{count, piece};
use crate::judgement::Verdict;
use crate::runner::{CaseReport, RunReport};

/// The line of a run, and the reasons below it where it is not a pass.
#[must_use]
pub fn case_line(report: &CaseReport, palette: Palette) -> String {
    let standing = Standing::of(report);
    let word = palette.paint(standing.into(), &format!("{standing:>14}"));
    let name = palette.paint(Tone::Strong, &name_of(report));
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
        palette.paint(Tone::Bad, &format!("── {} · {} · seed {}", name_of(report), story.requirement, report.seed));
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
        let mut totals = totals(&run.cases);
        if run.unstarted > 0 {
            let _ = write!(totals, ", {} never begun", run.unstarted);
        }
        let _ = writeln!(text, "\n{} in {}{stack}", palette.paint(Tone::Strong, &totals), seconds(run.took));
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
    if let Some(recovery) = figures.recovery {
        words.push(format!("recovered in {}", seconds(recovery)));
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

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::report::samples::{case_file, history, report};
    use crate::report::stored::StoredRun;
    use crate::report::tell;

    /// What is the same in every run about a line of a report: where it begins, and its label.
    fn shape(line: &str) -> String {
        let indent = line.len() - line.trim_start().len();
        let text = line.trim_start();
        if text.split_once(" ms  ").is_some_and(|(time, _)| time.parse::<f64>().is_ok()) {
            return "time".into();
        }
        let label = match text {
            _ if text.starts_with("── ") => "── ",
            _ if text.starts_with("VIOLATION  ") => "VIOLATION  ",
            _ if text.starts_with("and ") => "and ",
            _ => text.find(": ").map_or(text, |end| &text[..end]),
        };
        format!("{indent} {label}")
    }

    fn shapes(text: &str) -> Vec<String> {
        let mut shapes: Vec<_> = text.lines().map(shape).collect();
        shapes.dedup();
        shapes
    }

    #[test]
    fn the_finding_in_the_readme_has_the_shape_of_todays_findings() {
        let readme = include_str!("../../README.md");
        let sample = readme.split("```text\n").nth(1).and_then(|rest| rest.split("\n```").next()).expect("a sample");
        let stored = StoredRun { case: case_file(), history: history() };
        let report = report("retries", 1, &["ledger.once"]);
        let told = tell(&report, Some(&stored));
        let story = story(&report, &told.stories[0], Palette::Plain);
        let today = format!("{}\n\n{story}", case_line(&report, Palette::Plain));
        assert_eq!(shapes(sample), shapes(&today));
        let again = |text: &str| text.contains("run it again:   fireassay replay target/fireassay/runs/");
        assert!(again(sample) && again(&today), "{sample}");
    }

    #[test]
    fn the_ending_has_stories_table_and_totals() {
        let cases = vec![report("retries", 1, &["ledger.once"]), report("broker-down", 1, &[])];
        let told: Vec<_> = cases.iter().map(|report| tell(report, None)).collect();
        let run = RunReport {
            cases,
            unstarted: 3,
            stack_start: Duration::from_millis(5_100),
            took: Duration::from_secs(42),
            ..RunReport::default()
        };
        let lines: Vec<_> = run.cases.iter().map(|report| case_line(report, Palette::Plain) + "\n").collect();
        expect![[r#"
                 VIOLATION  retries  seed 1  4.2 s · 2 intents in 3 attempts, 1 unknown · 1 of 1 fault bit · recovered in 0.3 s
                            ledger.once: double: k-0 was applied twice: t-1 and t-2 each took 250 EUR from a-3
                      pass  broker-down  seed 1  4.2 s · 2 intents in 3 attempts, 1 unknown · 1 of 1 fault bit · recovered in 0.3 s

            ── retries · ledger.once · seed 1
               ledger.once: A transfer is applied at most once per idempotency key.
               why:      A debit that is applied twice takes money from somebody.
               expected: one transfer for the key k-0
               found:    k-0 was applied twice: t-1 and t-2 each took 250 EUR from a-3
               the history of this run cannot be read, so its exchanges are missing here
               and 2 more findings of this requirement, in result.json
               everything that happened: target/fireassay/runs/retries-7/history.jsonl
               judge it again: fireassay check target/fireassay/runs/retries-7
               run it again:   fireassay replay target/fireassay/runs/retries-7

            requirement             pass       violation
            ledger.once                0               1
            ledger.acked               2               0
            2 runs: 1 pass, 1 VIOLATION, 3 never begun in 42.0 s, of which 5.1 s for the stack
        "#]]
        .assert_eq(&format!("{}{}", lines.concat(), ending(&run, &told, Palette::Plain)));
    }
}
