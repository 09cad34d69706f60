//! `fireassay defects`: the detection matrix.

mod hunt;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::failure::{Failure, did_you_mean};
use super::output::{Colour, answer, note};
use super::select::{default_jobs, read_settle, with_settle};
use super::stack::StackArgs;
use super::{exit, interrupt, locate, progress};
use crate::detection::{Catalogue, Defect, Matrix, Row, SWITCH, Sight, page};
use crate::report::text::shell;
use crate::runner::{self, CaseReport, Planned, Progress, Request, Sink};
use crate::suite::Case;

/// The target that is meant unless told.
const REFERENCE: &str = "reference";

/// Prove that the suite sees: run each defect of the reference target in its case.
///
/// Switches each defect on, runs its case with every seed and counts in how many runs a requirement that names the
/// defect was violated, and in how many an unrelated one was. Prints the matrix as Markdown.
///
/// With --hunt, compares instead how many runs it takes to find those defects that have a window: by a sweep, by a random
/// fault in the same scenario, and by a storm.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fireassay defects --defect check-then-insert --seeds 3
  fireassay defects --seeds 20 --write docs/detection.md
  fireassay defects --hunt --seeds 5 --write docs/detection.md

With --write, the rows of defects that are not run now stay as they are in the file, if the same version wrote it; after
Ctrl-C the finished ones are written, and `--defect` goes on with the others.

Exit code 0: each defect was caught and blamed on nothing unrelated: a certain one in at least 19 of 20 runs (in all of
fewer), a likely one in at least one; 1: not so. With --hunt, 0: the sweep found each, in at most a tenth of the runs that the
random fault took, as far as that one found it; 1: not so.")]
pub(super) struct Args {
    /// A target with a catalogue of defects.
    #[arg(long, default_value = REFERENCE, value_name = "DIR|FILE|NAME")]
    target: String,
    /// A profile's own suite, or a file; the target's profile unless told.
    #[arg(long, value_name = "FILE|PROFILE")]
    suite: Option<String>,
    /// Only these defects.
    #[arg(long, num_args = 1.., value_name = "NAME")]
    defect: Vec<String>,
    /// How many seeds for each, from 1 on.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// Count the runs that sweep and storm take until they find a defect.
    #[arg(long)]
    hunt: bool,
    /// The most runs of a storm with --hunt.
    #[arg(long, requires = "hunt", default_value_t = 40, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    most: u32,
    /// How long the target may take to recover and drain after the last fault, instead of what each case says: what is lost is waited for so long.
    #[arg(long, value_name = "TIME", value_parser = read_settle)]
    settle: Option<Duration>,
    /// Write the matrix to this file instead of stdout.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// How many cases at a time; the number of processors, at most 4, unless told.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Where the runs are kept.
    #[arg(long, default_value = "target/fireassay/runs", value_name = "DIR")]
    runs_dir: PathBuf,
    #[command(flatten)]
    stack: StackArgs,
}

pub(super) fn defects(args: &Args, colour: Colour) -> Result<u8, Failure> {
    if args.hunt {
        return hunt::hunt(args, colour);
    }
    let target = Arc::new(locate::target(&args.target)?);
    let suite = Arc::new(locate::suite(args.suite.as_deref(), &target)?);
    let catalogue = locate::defects(&target, &suite)?;
    let defects = choose(&catalogue, &args.defect)?;
    let cases = with_settle(suite.cases.clone(), args.settle);
    let (runs, of_defect) = plan(&defects, &cases, args.seeds);
    let request = Request {
        target,
        suite,
        runs,
        runs_dir: args.runs_dir.clone(),
        jobs: args.jobs.map_or_else(default_jobs, usize::from),
        stack: args.stack.config()?,
        env: Vec::new(),
    };
    let sink = Keep { shown: progress::sink(colour.for_stderr()), finished: Mutex::default() };
    let report = interrupt::run(async |cancel| runner::run(request, &sink, &cancel).await)??;
    let mut matrix = Matrix { rows: defects.into_iter().map(Row::new).collect(), command: command(args) };
    // A run that was cut short neither caught nor missed anything.
    for (run, report) in sink.into_finished().into_iter().filter(|(_, report)| !report.interrupted) {
        let row = of_defect.get(run).and_then(|row| matrix.rows.get_mut(*row));
        if let Some(row) = row {
            let sight = Sight::of(&row.defect, &report);
            row.count(sight);
        }
    }
    if report.interrupted {
        let asked = matrix.rows.len();
        matrix.rows.retain(|row| u64::from(row.runs()) == args.seeds);
        note(&format!(
            "interrupted: {} of {asked} defects had all their runs, and only they are told",
            matrix.rows.len()
        ));
    }
    let proven = publish(args, &matrix, &catalogue)?;
    Ok(if report.interrupted { exit::INTERRUPTED } else { proven })
}

/// Writes the page; gives back the exit code of a matrix that is complete.
fn publish(args: &Args, matrix: &Matrix, catalogue: &Catalogue) -> Result<u8, Failure> {
    match &args.write {
        Some(path) => rewrite(path, |earlier| page(matrix, &catalogue.defects, earlier))?,
        None => answer(&page(matrix, &catalogue.defects, ""))?,
    }
    for row in matrix.rows.iter().filter(|row| !row.is_proven()) {
        let name = &row.defect.name;
        note(&format!(
            "not proven: {name}: caught in {} of {} runs; next: fireassay explain {name}",
            row.caught,
            row.runs()
        ));
    }
    let has_failed = matrix.rows.iter().any(|row| row.failed > 0);
    Ok(if matrix.is_proven() {
        exit::PASS
    } else if has_failed && matrix.rows.iter().all(|row| row.missed == 0 && row.blamed.is_empty()) {
        exit::ENVIRONMENT
    } else {
        exit::VIOLATION
    })
}

/// Writes a page, given what it was; empty where it was not there.
fn rewrite(path: &Path, page: impl FnOnce(&str) -> String) -> Result<(), Failure> {
    let unwritten = |error: std::io::Error| {
        Failure::environment(
            format!("failed to write {}: {error}", path.display()),
            "free some space there or choose another path",
        )
    };
    let earlier = match std::fs::read_to_string(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unwritten(error)),
        read => read.unwrap_or_default(),
    };
    std::fs::write(path, page(&earlier)).map_err(unwritten)
}

fn choose(catalogue: &Catalogue, names: &[String]) -> Result<Vec<Defect>, Failure> {
    if names.is_empty() {
        return Ok(catalogue.defects.clone());
    }
    let find = |name: &String| {
        catalogue.named(name).cloned().ok_or_else(|| {
            let known = catalogue.defects.iter().map(|defect| defect.name.as_str());
            Failure::usage(
                format!("there is no defect `{name}`{}", did_you_mean(name, known)),
                "see defects.toml beside the target's manifest",
            )
        })
    };
    names.iter().map(find).collect()
}

/// The runs, and for each the index of its defect.
fn plan(defects: &[Defect], cases: &[Case], seeds: u64) -> (Vec<Planned>, Vec<usize>) {
    let mut runs = Vec::new();
    let mut of_defect = Vec::new();
    for (index, defect) in defects.iter().enumerate() {
        let case = cases.iter().find(|case| case.id == defect.case);
        for (seed, case) in (1..=seeds).flat_map(|seed| case.map(|case| (seed, case))) {
            runs.push(Planned::drawn(case.clone(), seed).with_env([(SWITCH.into(), defect.name.clone())]));
            of_defect.push(index);
        }
    }
    (runs, of_defect)
}

/// The command as it would be typed again.
fn command(args: &Args) -> String {
    let mut command = "fireassay defects".to_owned();
    if args.target != REFERENCE {
        command.push_str(&format!(" --target {}", shell(&args.target)));
    }
    command.push_str(&format!(" --seeds {}", args.seeds));
    if args.hunt {
        command.push_str(&format!(" --hunt --most {}", args.most));
    }
    for name in &args.defect {
        command.push_str(&format!(" --defect {}", shell(name)));
    }
    if let Some(settle) = args.settle {
        command.push_str(&format!(" --settle {}", humantime::format_duration(settle)));
    }
    if let Some(jobs) = args.jobs {
        command.push_str(&format!(" --jobs {jobs}"));
    }
    if let Some(path) = &args.write {
        command.push_str(&format!(" --write {}", shell(&path.display().to_string())));
    }
    command
}

/// Shows progress and keeps each report with the run it belongs to.
struct Keep {
    shown: Box<dyn Sink>,
    finished: Mutex<Vec<(usize, CaseReport)>>,
}

impl Keep {
    fn into_finished(self) -> Vec<(usize, CaseReport)> {
        self.finished.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Keep {
    fn progress(&self, progress: Progress) {
        if let Progress::Finished { run, report } = &progress {
            self.finished.lock().unwrap_or_else(PoisonError::into_inner).push((*run, report.as_ref().clone()));
        }
        self.shown.progress(progress);
    }
}
