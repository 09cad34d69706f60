//! `fireassay replay`: a stored case again, and how often it shows what it showed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::failure::Failure;
use super::output::{Colour, answer, note};
use super::run::Format;
use super::select::{default_jobs, read_variable};
use super::stack::StackArgs;
use super::{exit, interrupt, locate, progress};
use crate::explore::load::{LoadError, Stored, load};
use crate::explore::regression::{FOLDER, Regression};
use crate::explore::replay::{Tally, likeness};
use crate::explore::shrink::Share;
use crate::explore::{Signature, differences};
use crate::report::story::{Kind, Line};
use crate::report::style::Palette;
use crate::report::text::{piece, shell};
use crate::report::{Told, json, tell_all, terminal};
use crate::runner::{self, CaseFile, Planned, Request, RunReport, fits, is_whole};
use crate::suite::Suite;
use crate::target::Target;

/// Run a stored case again, and count how often it shows what it showed.
///
/// Takes the folder of a run, its case.json or a regression, and does exactly what is written there: the same requests
/// and the same faults, with the same variables for the target. Processes and networks keep their own time, so a race
/// may show in some runs only: `reproduced 7 of 20`. A run counts as reproduced when it violates one of the same
/// requirements; its story says whether with the same kind of anomaly. Every run is kept like any other.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fireassay replay target/fireassay/runs/RUN
  fireassay replay target/fireassay/runs/RUN --times 20 --jobs 2
  fireassay replay target/fireassay/runs/RUN --keep               keep it as a regression if it shows again
  fireassay replay regressions/killed-api/HASH.json --target ./my-service

Then: fireassay shrink RUN_DIR makes it smaller.

Exit code 1: a run violated a requirement; 0: all passed; 5: inconclusive; 2: the case does not fit the target.")]
pub(super) struct Args {
    /// Folder of a run, its case.json, or a regression.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// How often.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    times: u32,
    /// How many at a time; the number of processors, at most 4, unless told.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Another target; the one it was found in unless told.
    #[arg(long, value_name = "DIR|FILE|NAME")]
    target: Option<String>,
    /// Variables for every process of the target, besides and instead of the stored ones.
    #[arg(long, num_args = 1.., value_name = "NAME=VALUE", value_parser = read_variable)]
    env: Vec<(String, String)>,
    /// Where the runs are kept.
    #[arg(long, default_value = "target/fireassay/runs", value_name = "DIR")]
    runs_dir: PathBuf,
    /// Keep the case as a regression in this folder, if it was reproduced.
    #[arg(long, num_args = 0..=1, default_missing_value = FOLDER, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Form of the report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    stack: StackArgs,
}

pub(super) fn replay(args: &Args, colour: Colour) -> Result<u8, Failure> {
    let stored = read(&args.run)?;
    let (target, suite) = stage(&stored.case, args.target.as_deref(), &args.run)?;
    let case = Arc::new(stored.case);
    let palette = colour.for_stderr();
    let request = Request {
        target,
        suite,
        runs: (0..args.times).map(|_| Planned::stored(Arc::clone(&case))).collect(),
        runs_dir: args.runs_dir.clone(),
        jobs: args.jobs.map_or_else(default_jobs, usize::from),
        stack: args.stack.config()?,
        env: args.env.clone(),
    };
    let sink = progress::sink(palette);
    let report = interrupt::run(|cancel| async move { runner::run(request, sink.as_ref(), &cancel).await })??;
    let mut tally = Tally::new(stored.violated.clone());
    report.cases.iter().for_each(|report| tally.count(report));
    let code = exit::code_of(&report, false);
    let mut told = tell_all(&report);
    told.iter_mut().for_each(|told| compare(told, &stored.violated));
    tell(args, &report, &told, &tally, palette);
    if args.format == Format::Json {
        let document = json::document_with(&report, &told, &[], code, &tally.lines()).map_err(|error| {
            Failure::environment(
                format!("failed to write the report as JSON: {error}"),
                "choose a --runs-dir whose path is Unicode",
            )
        })?;
        answer(&document)?;
    }
    if let Some(folder) = &args.keep {
        keep(folder, &case, &report, &tally)?;
    }
    Ok(code)
}

/// Reads what the user named.
pub(super) fn read(path: &Path) -> Result<Stored, Failure> {
    load(path).map_err(|error| {
        let next = match &error {
            LoadError::Run(error) => super::check::next_step(error),
            LoadError::Regression(_) => {
                "give the folder of a run, as those under target/fireassay/runs, its case.json, or a file under regressions"
            }
            LoadError::Profile { .. } => "use the version of fireassay that wrote it",
        };
        Failure::usage(error.to_string(), next)
    })
}

/// The target that a stored case is run against, and the requirements it is judged by, as a suite. Says what is not as it
/// was when the case was stored.
pub(super) fn stage(case: &CaseFile, given: Option<&str>, path: &Path) -> Result<(Arc<Target>, Arc<Suite>), Failure> {
    let target = match given {
        Some(given) => locate::target(given)?,
        None => locate::target_of(case)?,
    };
    is_whole(case).and_then(|()| fits(case, &target)).map_err(|why| {
        Failure::usage(
            format!("{} cannot be run: {why}", path.display()),
            "choose a target that it fits with --target, or run the case anew: fireassay run",
        )
    })?;
    let now = locate::suite_named(&case.profile).ok();
    for difference in differences(case, &target, now.as_ref()) {
        note(&format!("note: {difference}"));
    }
    let suite = Suite {
        profile: case.profile.clone(),
        version: case.suite,
        requirements: case.requirements.clone(),
        cases: Vec::new(),
    };
    Ok((Arc::new(target), Arc::new(suite)))
}

/// Adds to each story whether it is what the stored run showed.
fn compare(told: &mut Told, wanted: &Signature) {
    let seen = Signature::of(&told.report.findings);
    for story in &mut told.stories {
        if let Some(sentence) = likeness(wanted, &seen, &story.requirement) {
            let found = story.lines.iter().position(|line| line.kind == Kind::Found).map_or(0, |found| found + 1);
            story.lines.insert(found, Line { kind: Kind::Where, at: None, text: sentence });
        }
    }
}

/// One story of each requirement is enough; the others differ in their numbers only.
fn tell(args: &Args, report: &RunReport, told: &[Told], tally: &Tally, palette: Palette) {
    let mut seen = BTreeSet::new();
    for told in told {
        for story in told.stories.iter().filter(|story| seen.insert(story.requirement.clone())) {
            note(&format!("\n{}", terminal::story(&told.report, story, palette)));
        }
    }
    note("");
    for line in tally.in_words() {
        note(&line);
    }
    let place = shell(&args.run.display().to_string());
    match tally.share() {
        _ if report.interrupted => {
            note(&format!("next: what was recorded until then is in {}", args.runs_dir.display()));
        }
        (0, _) => note(&format!("next: fireassay replay {place} --times 50 shows what is rarer")),
        (_, _) => {
            let violating = report.cases.iter().find(|report| !Signature::of(&report.findings).is_empty());
            let folder = violating.map_or(place, |report| shell(&report.directory.display().to_string()));
            note(&format!("next: fireassay shrink {folder}"));
        }
    }
}

fn keep(folder: &Path, case: &CaseFile, report: &RunReport, tally: &Tally) -> Result<(), Failure> {
    if tally.share().0 == 0 {
        note("not kept: it was not reproduced");
        return Ok(());
    }
    let violated = report.cases.iter().map(|report| Signature::of(&report.findings));
    let Some((violated, shown)) = violated.zip(&report.cases).find(|(violated, _)| !violated.is_empty()) else {
        return Ok(());
    };
    let title = shown
        .findings
        .iter()
        .find_map(|judged| judged.finding.anomalies.first())
        .map_or_else(|| case.title.clone(), |anomaly| anomaly.found.clone());
    let (hits, runs) = tally.share();
    write(folder, &Regression::new(one_line(&title), violated, Some(Share { hits, runs }), case.clone()))
}

/// Writes a regression and says where.
pub(super) fn write(folder: &Path, regression: &Regression) -> Result<(), Failure> {
    let path = regression
        .write(folder)
        .map_err(|error| Failure::environment(error.to_string(), "free some space there or choose another folder"))?;
    note(&format!("kept as {}: commit it, and `fireassay run` replays it first", path.display()));
    for (name, value) in &regression.case.env {
        note(&format!("note: it sets {} for the target; --env overrules it", piece(&format!("{name}={value}"))));
    }
    Ok(())
}

/// A title is one line.
pub(super) fn one_line(text: &str) -> String {
    /// Room for a sentence of an oracle.
    const TITLE_CHARS_MAX: usize = 200;
    crate::report::text::clean(text, TITLE_CHARS_MAX)
}
