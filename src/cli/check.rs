//! `fireassay check`: the oracles again on a stored run.

use std::path::PathBuf;
use std::time::Duration;

use super::failure::Failure;
use super::output::{Colour, answer};
use super::run::Format;
use super::{exit, locate};
use crate::history::{End, Moment, StoredError};
use crate::report::stored::{StoredRun, StoredRunError, read_run};
use crate::report::{json, tell, terminal};
use crate::runner::{CASE_FORMAT, CaseReport, RunReport, conclude};

/// Judge a stored run again. Needs no target and no stack, and always comes to the same.
///
/// Reads case.json and history.jsonl of the run's folder, applies the oracles of this version of fireassay
/// and prints what they find. Useful after an oracle changed, and for a run that a CI job has kept.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  fireassay check target/fireassay/runs/RUN

Exit code 0: pass; 1: violation; 3: the environment failed or the history was cut off; 5: inconclusive.")]
pub(super) struct Args {
    /// Folder of the run.
    #[arg(value_name = "RUN_DIR")]
    run: PathBuf,
    /// Form of the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn check(args: &Args, colour: Colour) -> Result<u8, Failure> {
    let stored = read_run(&args.run).map_err(|error| Failure::usage(error.to_string(), next_step(&error)))?;
    let report = judge(args, &stored)?;
    let told = tell(&report, Some(&stored));
    let run = RunReport { cases: vec![report], ..RunReport::default() };
    let code = exit::code_of(&run, false);
    let report = &run.cases[0];
    let text = match args.format {
        Format::Json => json::document(&run, std::slice::from_ref(&told), &[], code).map_err(|error| {
            Failure::environment(format!("failed to write the report as JSON: {error}"), "use --format text")
        })?,
        Format::Text => {
            let palette = colour.for_stdout();
            let stories = told.stories.iter().map(|story| format!("\n{}\n", terminal::story(report, story, palette)));
            format!("{}\n{}", terminal::case_line(report, palette), stories.collect::<String>())
        }
    };
    answer(&text)?;
    Ok(code)
}

/// What to do about a run that cannot be read.
pub(super) fn next_step(error: &StoredRunError) -> &'static str {
    match error {
        StoredRunError::Read { .. } | StoredRunError::History(StoredError::Read { .. }) => {
            "give the folder of a run, as those under target/fireassay/runs"
        }
        StoredRunError::Version { .. } | StoredRunError::History(StoredError::Version { .. }) => {
            "the run's folder is fine as it is; judge it with that version"
        }
        StoredRunError::NotACase { .. } | StoredRunError::History(_) => "the file is damaged; run the case again",
    }
}

fn judge(args: &Args, stored: &StoredRun) -> Result<CaseReport, Failure> {
    let StoredRun { case, history } = stored;
    let conclusion = conclude(locate::profile_named(&case.profile)?, case, history);
    let error = match history.end() {
        Some(End::Failed(why)) => Some(why.clone()),
        None => Some("the history was cut off: the harness ended before the run did".to_owned()),
        Some(End::Completed | End::Interrupted | End::Stuck(_)) => None,
    };
    Ok(CaseReport {
        fireassay_result: CASE_FORMAT,
        profile: case.profile.clone(),
        case: case.case.clone(),
        title: case.title.clone(),
        regression: case.regression.clone(),
        target: case.target.clone(),
        seed: case.seed,
        verdict: conclusion.verdict,
        findings: conclusion.findings,
        faults: conclusion.faults,
        figures: conclusion.figures,
        error,
        stuck: conclusion.stuck,
        notes: conclusion.notes,
        whole: conclusion.whole,
        interrupted: history.end() == Some(&End::Interrupted),
        directory: args.run.clone(),
        started_unix: 0,
        took: history.events.last().map_or(Duration::ZERO, |event| Moment::since_start(event.at)),
    })
}
