//! `fireassay list`: cases and requirements.

use std::fmt::Write as _;

use serde::Serialize;

use super::failure::Failure;
use super::locate;
use super::output::{Colour, answer};
use super::run::Format;
use crate::report::style::{Palette, Tone};
use crate::suite::{Level, Requirement, Suite, Tier};

/// List the cases of the suites, and the requirements they check.
#[derive(Debug, clap::Args)]
#[command(after_help = "Next: fireassay explain ID tells all about one of them.")]
pub(super) struct Args {
    /// Only this profile's suite, or the one in this file.
    #[arg(long, value_name = "FILE|PROFILE")]
    suite: Option<String>,
    /// Form of the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Version of the JSON form.
const LIST_FORMAT: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    fireassay_list: u32,
    suites: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    profile: &'a str,
    version: u32,
    requirements: &'a [Requirement],
    cases: Vec<ListedCase<'a>>,
}

#[derive(Serialize)]
struct ListedCase<'a> {
    id: &'a str,
    title: &'a str,
    tier: Tier,
    requirements: &'a [String],
}

pub(super) fn list(args: &Args, colour: Colour) -> Result<u8, Failure> {
    let suites = match &args.suite {
        Some(given) => vec![locate::suite_named(given)?],
        None => locate::embedded_suites()?,
    };
    let text = match args.format {
        Format::Text => suites.iter().map(|suite| in_words(suite, colour.for_stdout())).collect::<Vec<_>>().join("\n"),
        Format::Json => as_json(&suites)?,
    };
    answer(&text)?;
    Ok(super::exit::PASS)
}

fn as_json(suites: &[Suite]) -> Result<String, Failure> {
    let listed = suites.iter().map(|suite| Listed {
        profile: &suite.profile,
        version: suite.version,
        requirements: &suite.requirements,
        cases: suite
            .cases
            .iter()
            .map(|case| ListedCase {
                id: &case.id,
                title: &case.title,
                tier: case.tier,
                requirements: &case.requirements,
            })
            .collect(),
    });
    let document = Document { fireassay_list: LIST_FORMAT, suites: listed.collect() };
    serde_json::to_string_pretty(&document).map(|text| text + "\n").map_err(|error| {
        Failure::environment(format!("failed to write the list as JSON: {error}"), "use --format text")
    })
}

fn in_words(suite: &Suite, palette: Palette) -> String {
    let mut text = palette.paint(
        Tone::Strong,
        &format!("{}: {} cases, {} requirements\n", suite.profile, suite.cases.len(), suite.requirements.len()),
    );
    let ids =
        suite.cases.iter().map(|case| &case.id).chain(suite.requirements.iter().map(|requirement| &requirement.id));
    let width = ids.map(String::len).max().unwrap_or(0);
    text.push_str("\ncases\n");
    for case in &suite.cases {
        let tier = palette.paint(Tone::Faint, &format!("{:<6}", tier_name(case.tier)));
        let _ = writeln!(text, "  {:width$}  {tier} {}", case.id, case.title);
    }
    text.push_str("\nrequirements\n");
    for requirement in &suite.requirements {
        let level = palette.paint(Tone::Faint, &format!("{:<6}", level_name(requirement.level)));
        let _ = writeln!(text, "  {:width$}  {level} {}", requirement.id, requirement.text);
    }
    text
}

/// A tier as the command line writes it.
pub(super) fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Quick => "quick",
        Tier::Full => "full",
        Tier::Soak => "soak",
    }
}

/// A level as suites write it.
pub(super) fn level_name(level: Level) -> &'static str {
    match level {
        Level::Must => "must",
        Level::Should => "should",
    }
}
