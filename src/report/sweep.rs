//! What a sweep found, as a person reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::diagram::diagram;
use super::stored::read_run;
use super::style::{Palette, Tone};
use super::text::{clean, count, piece};
use super::{Told, tell_one, terminal};
use crate::explore::sweep::{Outcome, Tried};
use crate::judgement::Verdict;

/// Points told of one finding; more are counted.
const POINTS_MAX: usize = 6;

/// Points told of those that were not reached; more are counted.
const MISSED_MAX: usize = 10;

/// Room for a sentence.
const SENTENCE_CHARS_MAX: usize = 220;

/// The line of a run, for logs: only what is not as it should be has one.
#[must_use]
pub fn line(tried: &Tried, palette: Palette) -> Option<String> {
    let sentence = clean(&tried.sentence(), SENTENCE_CHARS_MAX);
    if tried.has_violation() {
        let broken = broken(tried).join(", ");
        return Some(format!("{}  {sentence}: {broken}", palette.paint(Tone::Bad, "   found")));
    }
    // A run that was cut short says nothing about its point.
    let why = tried.shortcoming().filter(|_| !tried.report.interrupted)?;
    Some(format!("{}  {sentence}: {}", palette.paint(Tone::Doubtful, "  missed"), piece(&why)))
}

fn broken(tried: &Tried) -> Vec<String> {
    tried.violated().map(piece).collect()
}

/// The findings, each told once with every point that shows it, then the coverage.
#[must_use]
pub fn ending(outcome: &Outcome, palette: Palette) -> String {
    let mut text = String::new();
    for (broken, tried) in findings(outcome) {
        finding(&mut text, &broken, &tried, palette);
    }
    if !outcome.has_sound_baseline() && outcome.verdict() != Verdict::NotApplicable {
        baseline(&mut text, outcome, palette);
    }
    if outcome.has_sound_baseline() {
        coverage(&mut text, outcome, palette);
    }
    text
}

/// Runs that violate the same requirements in the same way, the simplest first.
fn findings(outcome: &Outcome) -> Vec<(Vec<String>, Vec<&Tried>)> {
    let mut groups: BTreeMap<Vec<String>, Vec<&Tried>> = BTreeMap::new();
    for tried in outcome.tried.iter().filter(|tried| tried.has_violation()) {
        groups.entry(broken(tried)).or_default().push(tried);
    }
    groups.into_iter().collect()
}

fn finding(text: &mut String, broken: &[String], tried: &[&Tried], palette: Palette) {
    let Some(first) = tried.first() else { return };
    let _ = writeln!(text, "\n{}", palette.paint(Tone::Bad, &format!("── {}", broken.join(", "))));
    for tried in tried.iter().take(POINTS_MAX) {
        let _ = writeln!(text, "   when {}", clean(&tried.sentence(), SENTENCE_CHARS_MAX));
        let folder = tried.report.directory.display().to_string();
        let _ = writeln!(text, "        {}", palette.paint(Tone::Faint, &clean(&folder, SENTENCE_CHARS_MAX)));
    }
    if tried.len() > POINTS_MAX {
        let _ = writeln!(text, "   and in {} more places", tried.len() - POINTS_MAX);
    }
    if let Ok(stored) = read_run(&first.report.directory) {
        text.push('\n');
        for line in diagram(&stored.history) {
            let _ = writeln!(text, "   {line}");
        }
    }
    let Told { report, stories } = tell_one(&first.report);
    for story in &stories {
        let _ = writeln!(text, "\n{}", terminal::story(&report, story, palette));
    }
}

fn baseline(text: &mut String, outcome: &Outcome, palette: Palette) {
    let told = tell_one(&outcome.baseline);
    for story in &told.stories {
        let _ = writeln!(text, "\n{}", terminal::story(&told.report, story, palette));
    }
    let _ = writeln!(
        text,
        "\n{}\n{}",
        palette.paint(Tone::Bad, "the scenario does not work without faults, so no fault was tried"),
        terminal::case_line(&outcome.baseline, palette)
    );
}

fn coverage(text: &mut String, outcome: &Outcome, palette: Palette) {
    let coverage = outcome.coverage();
    let runs = coverage.runs as u64;
    let found = outcome.tried.iter().filter(|tried| tried.has_violation()).count();
    let _ = writeln!(
        text,
        "\n{}: {} of {} reached; {}, in {} of which every fault bit; {found} found something",
        palette.paint(Tone::Strong, "coverage"),
        coverage.sites_reached,
        count(coverage.sites as u64, "site"),
        count(runs, "run"),
        coverage.runs_reached,
    );
    for (sentence, why) in coverage.missed.iter().take(MISSED_MAX) {
        let _ = writeln!(text, "  not counted: {}: {}", clean(sentence, SENTENCE_CHARS_MAX), piece(why));
    }
    for of in &outcome.scenery.left_out {
        let why = if of.hides_sites { "so often that sites are hidden" } else { "it comes without being asked" };
        let _ = writeln!(text, "  left out: {}: {why}", clean(&of.to_string(), SENTENCE_CHARS_MAX));
    }
    if coverage.missed.len() > MISSED_MAX {
        let _ = writeln!(text, "  and {} more", coverage.missed.len() - MISSED_MAX);
    }
    let unseen = if found == 0 { outcome.unseen() } else { Vec::new() };
    for (requirement, evidence) in unseen {
        let what = piece(&evidence.what);
        let _ =
            writeln!(text, "  {}: saw {} of {} {what} in all runs", piece(&requirement), evidence.seen, evidence.least);
    }
    if outcome.again > 0 {
        let _ = writeln!(text, "  {} tried twice, because no fault bit at first", count(outcome.again as u64, "run"));
    }
    if outcome.tried.len() < outcome.planned {
        let why = if outcome.interrupted { "interrupted" } else { "ended with the first finding" };
        let _ = writeln!(text, "  {why} after {} of {}", outcome.tried.len(), count(outcome.planned as u64, "run"));
    }
    let recovered = outcome.tried.iter().filter_map(|tried| Some((tried.report.figures.recovery?, tried)));
    if let Some((slowest, tried)) = recovered.max_by_key(|(recovery, _)| *recovery) {
        let sentence = clean(&tried.sentence(), SENTENCE_CHARS_MAX);
        let _ = writeln!(text, "  slowest recovery: {}, when {sentence}", terminal::seconds(slowest));
    }
    let tried = outcome.took.saturating_sub(outcome.baseline_took);
    let rate = if tried.is_zero() { 0.0 } else { (coverage.runs + outcome.again) as f64 / tried.as_secs_f64() };
    let _ = writeln!(
        text,
        "{} in {}, {rate:.1} runs a second",
        palette.paint(Tone::Strong, &outcome.verdict().to_string()),
        terminal::seconds(outcome.took),
    );
}
