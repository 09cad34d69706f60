//! `fireassay list`: cases and requirements.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::failure::Failure;
use super::output::{Colour, answer};
use super::run::Format;
use super::{locate, regressions};
use crate::explore::Signature;
use crate::explore::regression::{FOLDER, Kept};
use crate::report::style::{Palette, Tone};
use crate::report::text::{clean, count, piece};
use crate::suite::{Level, Requirement, Suite, Tier};

/// List the cases of the suites, the requirements they check, and the regressions that are kept.
#[derive(Debug, clap::Args)]
#[command(after_help = "Next: fireassay explain ID tells all about one of them.")]
pub(super) struct Args {
    /// Only this profile's suite, or the one in this file.
    #[arg(long, value_name = "FILE|PROFILE")]
    suite: Option<String>,
    /// Where the regressions are.
    #[arg(long, default_value = FOLDER, value_name = "DIR")]
    regressions: PathBuf,
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
    regressions: Vec<ListedRegression<'a>>,
}

#[derive(Serialize)]
struct ListedRegression<'a> {
    case: &'a str,
    hash: &'a str,
    title: &'a str,
    path: &'a Path,
    violated: &'a Signature,
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
    let mut kept = regressions::kept(&args.regressions)?;
    kept.retain(|kept| suites.iter().any(|suite| suite.profile == kept.regression.case.profile));
    let text = match args.format {
        Format::Text => {
            let palette = colour.for_stdout();
            let suites = suites.iter().map(|suite| in_words(suite, palette)).collect::<Vec<_>>();
            suites.join("\n") + &kept_in_words(&kept, palette)
        }
        Format::Json => as_json(&suites, &kept)?,
    };
    answer(&text)?;
    Ok(super::exit::PASS)
}

fn as_json(suites: &[Suite], kept: &[Kept]) -> Result<String, Failure> {
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
    let regressions = kept.iter().map(|kept| ListedRegression {
        case: &kept.regression.case.case,
        hash: &kept.hash,
        title: &kept.regression.title,
        path: &kept.path,
        violated: &kept.regression.violated,
    });
    let document =
        Document { fireassay_list: LIST_FORMAT, suites: listed.collect(), regressions: regressions.collect() };
    serde_json::to_string_pretty(&document).map(|text| text + "\n").map_err(|error| {
        Failure::environment(format!("failed to write the list as JSON: {error}"), "use --format text")
    })
}

fn in_words(suite: &Suite, palette: Palette) -> String {
    let mut text = palette.paint(
        Tone::Strong,
        &format!(
            "{}: {}, {}\n",
            suite.profile,
            count(suite.cases.len() as u64, "case"),
            count(suite.requirements.len() as u64, "requirement")
        ),
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

/// A section of what is kept; nothing where nothing is.
fn kept_in_words(kept: &[Kept], palette: Palette) -> String {
    if kept.is_empty() {
        return String::new();
    }
    let mut text = "\nregressions\n".to_owned();
    let name = |kept: &Kept| format!("{}::{}", piece(&kept.regression.case.case), piece(&kept.hash));
    let width = kept.iter().map(|kept| name(kept).len()).max().unwrap_or(0);
    for kept in kept {
        let violated = kept.regression.violated.0.keys().map(|id| piece(id)).collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            text,
            "  {:width$}  {}  {}",
            name(kept),
            palette.paint(Tone::Faint, &violated),
            clean(&kept.regression.title, 200)
        );
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
