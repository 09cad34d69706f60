//! `fireassay run`: the suite against a target.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::failure::Failure;
use super::output::{Colour, answer, failure as failure_note, note};
use super::select::{Selection, TierChoice, default_jobs, plan, read_settle, read_variable, select, with_settle};
use super::stack::StackArgs;
use super::{exit, interrupt, locate, progress, regressions, sweep};
use crate::explore::regression::{FOLDER, Kept};
use crate::explore::sweep::{Action, Outcome, Scenario, Until};
use crate::report::style::{Palette, Tone};
use crate::report::text::shell;
use crate::report::{Told, json, junit, markdown, summary, tell_all, terminal};
use crate::runner::{self, Planned, Request, RunReport};
use crate::suite::{Case, Suite};
use crate::target::Target;

/// Run cases against a target and judge what happened.
///
/// Starts Postgres, Kafka and Redis, builds and starts the target, runs each selected case in a world of its own and
/// judges the recorded history. Every run is kept under --runs-dir. Progress and the report go to stderr; with
/// `--format json` the report goes to stdout as one document.
///
/// Findings that are kept under `regressions`, as `fireassay shrink` writes them, are replayed before everything else.
///
/// A case with `explore = "storm"` draws its faults at random from the seed; one with `explore = "sweep"` is carried out as
/// `fireassay sweep` does it.
///
/// A requirement is a must or a should. The report marks a should, and its violation counts like any other (exit code
/// 1) unless target.toml declares it under `[[expected]]`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fireassay run
  fireassay run --target ./my-service --tier full --seeds 5 --junit junit.xml
  fireassay run --case killed-api --seed 7
  fireassay run --case storm --seeds 20                        random faults, other ones with each seed
  fireassay run --requirement ledger.once --format json
  fireassay run --env REFERENCE_DEFECTS=check-then-insert     a mistake on purpose, to see a finding")]
pub(super) struct Args {
    /// Folder of a target.toml, another manifest by its file, or the name of a folder under `targets`.
    #[arg(long, env = "FIREASSAY_TARGET", default_value = "reference", value_name = "DIR|FILE|NAME")]
    target: String,
    /// A profile's own suite, or a file; the target's profile unless told.
    #[arg(long, value_name = "FILE|PROFILE")]
    suite: Option<String>,
    /// Only these cases, whatever their tier.
    #[arg(long, num_args = 1.., value_name = "ID")]
    case: Vec<String>,
    /// How much to run.
    #[arg(long, value_enum, default_value_t)]
    tier: TierChoice,
    /// Only cases that check this requirement.
    #[arg(long, value_name = "ID")]
    requirement: Option<String>,
    /// The first seed. The same seed gives the same work and the same faults.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// How many seeds, one after the other.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: u64,
    /// How many cases at a time; the number of processors, at most 4, unless told.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Where the runs are kept.
    #[arg(long, default_value = "target/fireassay/runs", value_name = "DIR")]
    runs_dir: PathBuf,
    /// Where the regressions of the selected cases are; they are replayed first.
    #[arg(long, default_value = FOLDER, value_name = "DIR")]
    regressions: PathBuf,
    /// Leave the regressions out.
    #[arg(long, conflicts_with = "regressions")]
    no_regressions: bool,
    /// Variables for every process of the target.
    #[arg(long, num_args = 1.., value_name = "NAME=VALUE", value_parser = read_variable)]
    env: Vec<(String, String)>,
    /// How long the target may take to recover and drain after the last fault, instead of what each case says.
    #[arg(long, value_name = "TIME", value_parser = read_settle)]
    settle: Option<Duration>,
    /// Form of the report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Also write the report as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    stack: StackArgs,
}

/// Form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: versioned JSON on stdout.
    Json,
}

pub(super) fn run(args: &Args, colour: Colour) -> Result<u8, Failure> {
    let target = Arc::new(locate::target(&args.target)?);
    let suite = Arc::new(locate::suite(args.suite.as_deref(), &target)?);
    let selection = Selection { cases: &args.case, requirement: args.requirement.as_deref(), tier: args.tier };
    let cases = with_settle(select(&suite, &selection)?, args.settle);
    let mut runs = if args.no_regressions { Vec::new() } else { kept(&args.regressions, &suite, &cases, &target)? };
    let (scenarios, cases): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(Case::is_swept);
    runs.extend(plan(&cases, args.seed, args.seeds));
    let request = Request {
        target: Arc::clone(&target),
        suite: Arc::clone(&suite),
        runs,
        runs_dir: args.runs_dir.clone(),
        jobs: args.jobs.map_or_else(default_jobs, usize::from),
        stack: args.stack.config()?,
        env: args.env.clone(),
    };
    let palette = colour.for_stderr();
    let sink = progress::sink(palette);
    let mut report = if request.runs.is_empty() {
        RunReport::default()
    } else {
        interrupt::run(|cancel| async move { runner::run(request, sink.as_ref(), &cancel).await })??
    };
    if report.interrupted {
        report.unstarted += scenarios.len();
    } else if !scenarios.is_empty() {
        let (runs_dir, stack, env) = (args.runs_dir.clone(), args.stack.config()?, args.env.clone());
        let place = sweep::Place { target, suite: Arc::clone(&suite), runs_dir, stack, env };
        add_sweeps(&mut report, sweep::all(place, sweep_each(&scenarios, args), colour)?);
    }
    publish(args, &suite, &report, palette)
}

/// Every scenario with every seed, with everything done at every message.
fn sweep_each(scenarios: &[Case], args: &Args) -> Vec<Scenario> {
    let with_seed = |seed| {
        scenarios.iter().map(move |case| Scenario {
            case: case.clone(),
            seed,
            actions: Action::USUAL.to_vec(),
            pairs: 0,
            until: Until::Through,
            jobs: args.jobs.map_or_else(sweep::jobs, usize::from),
            env: Vec::new(),
        })
    };
    (0..args.seeds).map(|step| args.seed.wrapping_add(step)).flat_map(with_seed).collect()
}

/// A sweep counts as one run.
fn add_sweeps(report: &mut RunReport, outcomes: Vec<Outcome>) {
    for outcome in outcomes {
        report.took += outcome.took;
        report.interrupted |= outcome.interrupted;
        report.cases.push(outcome.representative());
    }
}

/// The replays of what is kept of these cases.
fn kept(folder: &Path, suite: &Suite, cases: &[Case], target: &Target) -> Result<Vec<Planned>, Failure> {
    let is_selected = |kept: &&Kept| {
        let case = &kept.regression.case;
        case.profile == suite.profile && cases.iter().any(|selected| selected.id == case.case)
    };
    let all = regressions::kept(folder)?;
    let replays = all.iter().filter(is_selected).map(|kept| regressions::planned(kept, target));
    Ok(replays.collect::<Result<Vec<_>, _>>()?.concat())
}

/// Writes all reports. One that cannot be written does not keep back the others, nor a violation's exit code.
fn publish(args: &Args, suite: &Suite, report: &RunReport, palette: Palette) -> Result<u8, Failure> {
    let stale = summary::stale(report, suite);
    let code = exit::code_of(report, !stale.is_empty());
    let told = tell_all(report);
    let mut unwritten = Vec::new();
    if let Some(path) = &args.junit {
        unwritten.extend(write_junit(path, &told, &stale).err());
    }
    unwritten.extend(write_job_summary(&told).err());
    note(terminal::ending(report, &told, palette).trim_end());
    for requirement in &stale {
        note(&palette.paint(Tone::Bad, &summary::stale_sentence(requirement)));
    }
    note(&palette.paint(Tone::Faint, &next_step(code, args, &told)));
    if args.format == Format::Json {
        match json::document(report, &told, &stale, code) {
            Ok(document) => unwritten.extend(answer(&document).err()),
            Err(error) => unwritten.push(not_unicode(&error)),
        }
    }
    code_with(code, unwritten)
}

/// The exit code when these reports could not be written: a violation outranks that.
pub(super) fn code_with(code: u8, unwritten: Vec<Failure>) -> Result<u8, Failure> {
    match unwritten.into_iter().next() {
        Some(failure) if code != exit::VIOLATION => Err(failure),
        Some(failure) => {
            failure_note(&failure);
            Ok(code)
        }
        None => Ok(code),
    }
}

/// A report with a path in it that JSON cannot hold.
pub(super) fn not_unicode(error: &impl std::fmt::Display) -> Failure {
    let what = format!("failed to write the report as JSON: {error}");
    Failure::environment(what, "choose a --runs-dir whose path is Unicode")
}

/// Writes the JUnit report, making its folder.
pub(crate) fn write_junit(path: &Path, told: &[Told], stale: &[String]) -> Result<(), Failure> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = io::BufWriter::new(fs::File::create(path)?);
        junit::write(told, stale, &mut file)?;
        file.flush()
    };
    write().map_err(|error| unwritten("the JUnit report", path, &error))
}

/// Appends the report to the summary page of a GitHub job, if this is one.
pub(crate) fn write_job_summary(told: &[Told]) -> Result<(), Failure> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return Ok(()) };
    let path = Path::new(&path);
    let open = fs::OpenOptions::new().append(true).create(true).open(path);
    open.and_then(|mut file| file.write_all(markdown::page(told).as_bytes()))
        .map_err(|error| unwritten("the job summary", path, &error))
}

fn unwritten(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::environment(
        format!("failed to write {what} {}: {error}", path.display()),
        "free some space there or choose another path",
    )
}

/// What to do now.
fn next_step(code: u8, args: &Args, told: &[Told]) -> String {
    let first_story = told.iter().find_map(|told| told.stories.first());
    match code {
        exit::VIOLATION => match first_story {
            Some(story) => format!("next: fireassay explain {}", shell(&story.requirement)),
            None => "next: mend target.toml as said above".into(),
        },
        exit::INTERRUPTED => format!("next: what was recorded until then is in {}", args.runs_dir.display()),
        exit::ENVIRONMENT => {
            "next: see the reasons above, the logs in the runs' folders, and `fireassay doctor`".into()
        }
        exit::INCONCLUSIVE => {
            "next: see above what was not seen; more seeds (--seeds) or a larger workload may show it".into()
        }
        exit::NOTHING => {
            "next: see the reasons above: what target.toml declares under [[lacks]], or what the backend is not for"
                .into()
        }
        _ if args.tier == TierChoice::Quick && args.case.is_empty() => {
            "next: --tier full for more cases, --seeds 20 for more of each".into()
        }
        _ => "next: --seeds 20 for more of each".into(),
    }
}
