//! `fireassay explain`: all about a requirement, a case or a defect.

use std::fmt::Write as _;

use serde_json::Value;

use super::failure::{Failure, did_you_mean};
use super::list::{level_name, tier_name};
use super::locate;
use super::output::{Colour, answer, note};
use crate::detection::{Catalogue, Defect, SWITCH, Timing};
use crate::fault::FaultSpec;
use crate::fault::spec::{Span, When};
use crate::report::style::{Palette, Tone};
use crate::suite::{Case, Requirement, Suite};

/// Explain a requirement, a case or a defect of the reference target.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fireassay explain ledger.once
  fireassay explain check-then-insert")]
pub(super) struct Args {
    /// The id of a requirement or case, or the name of a defect.
    #[arg(value_name = "ID")]
    id: String,
    /// Look it up in this suite only.
    #[arg(long, value_name = "FILE|PROFILE")]
    suite: Option<String>,
}

pub(super) fn explain(args: &Args, colour: Colour) -> Result<u8, Failure> {
    let suites = match &args.suite {
        Some(given) => vec![locate::suite_named(given)?],
        None => locate::embedded_suites()?,
    };
    let palette = colour.for_stdout();
    let (mut known, mut told) = (Vec::new(), Vec::new());
    for suite in &suites {
        // A requirement can be explained without the defects that it catches.
        let catalogue = locate::reference_defects(suite).unwrap_or_else(|failure| {
            note(&format!("the defects are left out: {failure}"));
            None
        });
        // Several suites may have a case of that name.
        told.extend(look_up(&args.id, suite, catalogue.as_ref(), palette));
        known.extend(suite.requirements.iter().map(|requirement| requirement.id.clone()));
        known.extend(suite.cases.iter().map(|case| case.id.clone()));
        known.extend(catalogue.iter().flat_map(|catalogue| &catalogue.defects).map(|defect| defect.name.clone()));
    }
    if !told.is_empty() {
        answer(&told.join("\n"))?;
        return Ok(super::exit::PASS);
    }
    let hint = did_you_mean(&args.id, known.iter().map(String::as_str));
    Err(Failure::usage(format!("there is no requirement, case or defect `{}`{hint}", args.id), "fireassay list"))
}

fn look_up(id: &str, suite: &Suite, catalogue: Option<&Catalogue>, palette: Palette) -> Option<String> {
    let defects = catalogue.map_or(&[][..], |catalogue| &catalogue.defects);
    if let Some(found) = suite.requirements.iter().find(|requirement| requirement.id == id) {
        return Some(requirement(found, suite, defects, palette));
    }
    if let Some(found) = suite.cases.iter().find(|case| case.id == id) {
        return Some(case(found, suite, defects, palette));
    }
    defects.iter().find(|defect| defect.name == id).map(|found| defect(found, palette))
}

fn requirement(requirement: &Requirement, suite: &Suite, defects: &[Defect], palette: Palette) -> String {
    let mut text = format!(
        "{}  ({})\n\n{}\n\n",
        palette.paint(Tone::Strong, &requirement.id),
        level_name(requirement.level),
        requirement.text
    );
    let _ = writeln!(text, "why      {}", requirement.why);
    let checking = suite.cases.iter().filter(|case| case.requirements.contains(&requirement.id));
    section(&mut text, "checked", checking.map(|case| format!("{}: {}", case.id, case.title)));
    let caught = defects.iter().filter(|defect| defect.caught_by == requirement.id);
    section(&mut text, "catches", caught.map(|defect| format!("{}: {}", defect.name, defect.summary)));
    let _ = writeln!(text, "\nnext     fireassay run --requirement {}", requirement.id);
    text
}

fn case(case: &Case, suite: &Suite, defects: &[Defect], palette: Palette) -> String {
    let (name, tier) = (palette.paint(Tone::Strong, &case.id), tier_name(case.tier));
    let mut text = format!("{name}  ({}, {tier})\n\n{}\n\n", suite.profile, case.title);
    let checked = suite.requirements.iter().filter(|requirement| case.requirements.contains(&requirement.id));
    section(&mut text, "checks", checked.map(|requirement| format!("{}: {}", requirement.id, requirement.text)));
    section(&mut text, "faults", case.faults.iter().map(in_words));
    let shown = defects.iter().filter(|defect| defect.case == case.id);
    section(&mut text, "shows", shown.map(|defect| format!("{}: {}", defect.name, defect.summary)));
    let _ = writeln!(text, "\nnext     fireassay run --case {}", case.id);
    text
}

fn defect(defect: &Defect, palette: Palette) -> String {
    let mut text = format!(
        "{}  (defect of the reference target)\n\n{}\n\n",
        palette.paint(Tone::Strong, &defect.name),
        defect.summary
    );
    let _ = writeln!(text, "origin   {}", defect.origin);
    section(&mut text, "caught", std::iter::once(defect.caught_by.clone()));
    section(&mut text, "also", defect.also.iter().cloned());
    let timing = match (defect.timing, &defect.luck) {
        (Timing::Certain, _) => "every run of the case shows it".to_owned(),
        (Timing::Likely, None) => "luck decides, run by run, whether it shows".to_owned(),
        (Timing::Likely, Some(luck)) => format!("luck decides, run by run, whether it shows: {luck}"),
    };
    let _ = writeln!(text, "timing   {timing}");
    let _ = writeln!(text, "\nnext     fireassay run --case {} --env {SWITCH}={}", defect.case, defect.name);
    text
}

/// `kill api, after 25 to 200 operations, 5 times`.
fn in_words(fault: &FaultSpec) -> String {
    let time = |span: Span| humantime::format_duration(span.0).to_string();
    let when = match fault.when {
        When::Operations([low, high]) => format!("after {low} to {high} operations"),
        When::At([low, high]) => format!("{} to {} into the load", time(low), time(high)),
        When::AfterPrevious([low, high]) => format!("{} to {} after the fault above", time(low), time(high)),
    };
    let times = if fault.times > 1 { format!(", {} times", fault.times) } else { String::new() };
    let what = serde_json::to_value(&fault.inject).unwrap_or_default();
    format!("{}, {when}{times}", plain(&what))
}

/// The words of a value without its brackets.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            let parts: Vec<_> = map.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
            parts.join(" ")
        }
        other => other.to_string(),
    }
}

/// A label, and its lines one below the other.
fn section(text: &mut String, label: &str, lines: impl Iterator<Item = String>) {
    for (index, line) in lines.enumerate() {
        let _ = writeln!(text, "{:<8} {line}", if index == 0 { label } else { "" });
    }
}
