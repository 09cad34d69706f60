//! `fireassay sweep`: a fault at every message of a scenario in turn.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::failure::{Failure, did_you_mean};
use super::output::{Colour, answer, note};
use super::run::{Format, code_with, not_unicode, write_job_summary, write_junit};
use super::select::{default_jobs, read_settle, read_variable, with_settle};
use super::stack::StackArgs;
use super::{exit, interrupt, locate, progress};
use crate::explore::sweep::{Action, Outcome, Scenario, Stage, Until, sweep as carry_out};
use crate::judgement::Verdict;
use crate::report::style::{Palette, Tone};
use crate::report::text::{count, piece};
use crate::report::{Told, json, sweep as report, tell_one};
use crate::runner::{Options, RunError, Session};
use crate::sandbox::StackConfig;
use crate::suite::{Case, Suite};
use crate::target::Target;

/// Put a fault at every message of a scenario in turn.
///
/// Runs the scenario once without faults and records every message on every link. Then runs it again for each message that
/// changes something, with one fault just there: the instance is killed before or after it, the connection is cut before or
/// after it, the instance is stopped with it in its hands, or it is delivered twice. Where the fault falls is no matter of luck,
/// and what is found is small: one fault at one message. Processes keep their own time all the same, so that what hangs on
/// a race as well shows in some runs only: `fireassay replay` says in how many.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fireassay sweep
  fireassay sweep one-transfer --action crash --pairs 40
  fireassay sweep --target ./my-service
  fireassay sweep --env REFERENCE_DEFECTS=publish-after-commit     a mistake on purpose, to see a finding

Runs with a finding, and the one without faults, are kept under --runs-dir; the others leave nothing. Exit code 5 means that some message was not
reached, or that a requirement saw too little; the report says which.")]
pub(super) struct Args {
    /// The scenarios; all that the suite has for sweeps unless told. Faults of a case of another kind are left out.
    #[arg(value_name = "CASE")]
    case: Vec<String>,
    /// Folder of a target.toml, another manifest by its file, or the name of a folder under `targets`.
    #[arg(long, env = "FIREASSAY_TARGET", default_value = "reference", value_name = "DIR|FILE|NAME")]
    target: String,
    /// A profile's own suite, or a file; the target's profile unless told.
    #[arg(long, value_name = "FILE|PROFILE")]
    suite: Option<String>,
    /// What is done at the messages; everything unless told.
    #[arg(long, num_args = 1.., value_enum, value_name = "ACTION")]
    action: Vec<ActionChoice>,
    /// Afterwards also at most this many pairs: a second fault at what the first one caused, retries first.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pairs: u32,
    /// End with the first finding.
    #[arg(long)]
    first: bool,
    /// Decides the scenario's work.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// How many runs at a time; twice the number of processors, at most 8, unless told: they mostly wait.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Where the runs are kept.
    #[arg(long, default_value = "target/fireassay/runs", value_name = "DIR")]
    runs_dir: PathBuf,
    /// Variables for every process of the target.
    #[arg(long, num_args = 1.., value_name = "NAME=VALUE", value_parser = read_variable)]
    env: Vec<(String, String)>,
    /// How long the target may take to recover and drain after the last fault, instead of what the scenario says.
    #[arg(long, value_name = "TIME", value_parser = read_settle)]
    settle: Option<Duration>,
    /// Form of the report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Also write the report as JUnit XML: a test case for each scenario.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    stack: StackArgs,
}

/// What is done at the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ActionChoice {
    /// The instance is killed before, or after.
    Crash,
    /// The connection is cut before.
    CutBefore,
    /// The connection is cut after.
    CutAfter,
    /// The instance is stopped before, for longer than callers wait, and goes on.
    Stall,
    /// The request is delivered twice (HTTP).
    Repeat,
    /// The request is not done, and an error is the answer. Only if asked for.
    AnswerError,
}

impl From<ActionChoice> for Action {
    fn from(choice: ActionChoice) -> Self {
        match choice {
            ActionChoice::Crash => Self::Crash,
            ActionChoice::CutBefore => Self::CutBefore,
            ActionChoice::CutAfter => Self::CutAfter,
            ActionChoice::Stall => Self::Stall,
            ActionChoice::Repeat => Self::Repeat,
            ActionChoice::AnswerError => Self::AnswerError,
        }
    }
}

pub(super) fn sweep(args: &Args, colour: Colour) -> Result<u8, Failure> {
    let target = Arc::new(locate::target(&args.target)?);
    let suite = Arc::new(locate::suite(args.suite.as_deref(), &target)?);
    let cases = with_settle(choose(&suite, &args.case)?, args.settle);
    let scenario = |case: Case| Scenario {
        case,
        seed: args.seed,
        actions: match args.action.as_slice() {
            [] => Action::USUAL.to_vec(),
            chosen => chosen.iter().map(|choice| Action::from(*choice)).collect(),
        },
        pairs: args.pairs as usize,
        until: if args.first { Until::Found } else { Until::Through },
        jobs: args.jobs.map_or_else(jobs, usize::from),
        env: Vec::new(),
    };
    let (runs_dir, stack, env) = (args.runs_dir.clone(), args.stack.config()?, args.env.clone());
    let place = Place { target, suite, runs_dir, stack, env };
    let outcomes = all(place, cases.into_iter().map(scenario).collect(), colour)?;
    let code = outcomes.iter().map(code_of).reduce(exit::worse).unwrap_or(exit::NOTHING);
    note(&colour.for_stderr().paint(Tone::Faint, next_step(code)));
    let told: Vec<Told> = outcomes.iter().map(|outcome| tell_one(&outcome.representative())).collect();
    let mut unwritten = Vec::new();
    if let Some(path) = &args.junit {
        unwritten.extend(write_junit(path, &told, &[]).err());
    }
    unwritten.extend(write_job_summary(&told).err());
    if args.format == Format::Json {
        match json::sweeps(&outcomes, code) {
            Ok(document) => unwritten.extend(answer(&document).err()),
            Err(error) => unwritten.push(not_unicode(&error)),
        }
    }
    code_with(code, unwritten)
}

/// Where sweeps are carried out.
pub(super) struct Place {
    pub(super) target: Arc<Target>,
    pub(super) suite: Arc<Suite>,
    pub(super) runs_dir: PathBuf,
    pub(super) stack: StackConfig,
    pub(super) env: Vec<(String, String)>,
}

/// How many runs at a time unless told: they mostly wait.
pub(super) fn jobs() -> usize {
    default_jobs() * 2
}

/// Carries out sweeps on one stack, shows how they go and prints what they find.
pub(super) fn all(place: Place, scenarios: Vec<Scenario>, colour: Colour) -> Result<Vec<Outcome>, Failure> {
    let palette = colour.for_stderr();
    let outcomes = interrupt::run(async |cancel| {
        let Place { target, suite, runs_dir, stack, env } = place;
        let options = Options { runs_dir, stack, env, cancel: cancel.clone() };
        let session = Session::start(target, suite, options, progress::sink(palette).as_ref()).await?;
        let mut outcomes = Vec::new();
        let mut failed = None;
        for scenario in scenarios {
            let progress = Progress::new(palette, &scenario.case.id);
            let show = |stage: Stage<'_>| progress.show(&stage);
            let outcome = carry_out(&session, scenario, &show, &cancel).await;
            progress.bar.finish_and_clear();
            let outcome = match outcome {
                Ok(outcome) => outcome,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            };
            note(report::ending(&outcome, palette).trim_end());
            outcomes.push(outcome);
            if cancel.is_cancelled() {
                break;
            }
        }
        // Whatever became of them: what was made in the stack has to go.
        session.finish(progress::sink(palette).as_ref()).await;
        failed.map_or(Ok(outcomes), Err::<_, RunError>)
    })??;
    Ok(outcomes)
}

fn choose(suite: &Suite, names: &[String]) -> Result<Vec<Case>, Failure> {
    if names.is_empty() {
        let scenarios: Vec<Case> = suite.cases.iter().filter(|case| case.is_swept()).cloned().collect();
        if scenarios.is_empty() {
            let what = format!("the suite {} has no case with `explore = \"sweep\"`", suite.profile);
            return Err(Failure::nothing(what, "name a case: fireassay sweep CASE".to_owned()));
        }
        return Ok(scenarios);
    }
    let ids = || suite.cases.iter().map(|case| case.id.as_str());
    let find = |id: &String| {
        suite.cases.iter().find(|case| case.id == *id).cloned().ok_or_else(|| {
            let what = format!("the suite {} has no case `{id}`{}", suite.profile, did_you_mean(id, ids()));
            Failure::usage(what, "fireassay list")
        })
    };
    names.iter().map(find).collect()
}

fn code_of(outcome: &Outcome) -> u8 {
    match outcome.verdict() {
        Verdict::Violation => exit::VIOLATION,
        _ if outcome.interrupted => exit::INTERRUPTED,
        _ if outcome.baseline.error.is_some() => exit::ENVIRONMENT,
        Verdict::Pass | Verdict::Expected => exit::PASS,
        Verdict::NotApplicable => exit::NOTHING,
        Verdict::Inconclusive => exit::INCONCLUSIVE,
    }
}

fn next_step(code: u8) -> &'static str {
    match code {
        exit::VIOLATION => "next: fireassay replay with a folder named above shows a finding again",
        exit::ENVIRONMENT => "next: see the reason above, and `fireassay doctor`",
        exit::INCONCLUSIVE => "next: see above what was not reached; another --seed may reach it",
        exit::INTERRUPTED => "next: what was found until then is told above",
        _ => "next: --pairs 100 for a second fault during the recovery from each first one",
    }
}

/// A bar on a terminal, a line for what is not as it should be everywhere.
struct Progress {
    palette: Palette,
    bar: ProgressBar,
}

impl Progress {
    fn new(palette: Palette, case: &str) -> Self {
        // Hidden by itself where stderr is no terminal.
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{prefix}  {bar:30}  {pos} of {len}  {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(format!("sweep {}", piece(case)));
        Self { palette, bar }
    }

    fn show(&self, stage: &Stage<'_>) {
        let say = |text: &str| self.bar.suspend(|| note(text));
        let faint = |text: &str| say(&self.palette.paint(Tone::Faint, text));
        match stage {
            Stage::Baseline { sites, points } => {
                self.bar.set_length(*points as u64);
                let (sites, points) = (count(*sites as u64, "site"), count(*points as u64, "run"));
                faint(&format!("the scenario has {sites}; {points} follow"));
            }
            Stage::Pairs(pairs) => {
                self.bar.inc_length(*pairs as u64);
                faint(&format!("{} of faults follow", count(*pairs as u64, "pair")));
            }
            Stage::Tried(tried) => {
                self.bar.inc(1);
                if let Some(line) = report::line(tried, self.palette) {
                    say(&line);
                }
            }
        }
    }
}
