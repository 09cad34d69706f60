//! The suites under `cargo test`: one test for each case of a target.
//!
//! A crate that has a `target.toml` gets them with a test file of its own,
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     fireassay::conformance::main()
//! }
//! ```
//!
//! which Cargo has to be told not to put its own harness around:
//!
//! ```toml
//! [[test]]
//! name = "conformance"
//! harness = false
//! ```
//!
//! Before the cases come the findings that are kept under `regressions`, as `regression::CASE::HASH`.
//!
//! Listing starts nothing. The first test that runs starts the stack, and all share it. Environment variables:
//! `FIREASSAY_TARGET` is the target's folder or name (`reference` unless set), `FIREASSAY_TIER=full` runs more than the
//! quick cases, `FIREASSAY_SEED` is the seed (1 unless set). JUnit goes to `target/fireassay/junit.xml`, or, by
//! [`main_of`], to a file that has the target's name; a runner that starts a process for each test, as nextest does,
//! leaves only the last one's there.

mod arguments;
mod stage;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Completion, Failed, Trial};

pub use arguments::Arguments;
pub use stage::{Stage, StageError};

use crate::cli::regressions::{kept, planned};
use crate::cli::run::{write_job_summary, write_junit};
use crate::cli::select::{Selection, TierChoice, default_jobs, select};
use crate::explore::regression::{FOLDER, Kept};
use crate::explore::sweep::{Action, Scenario, Until};
use crate::judgement::Verdict;
use crate::report::style::Palette;
use crate::report::summary::{Standing, reasons, stale, stale_sentence};
use crate::report::terminal;
use crate::report::{self, Told};
use crate::runner::{Planned, RunReport};
use crate::suite::{Case, Suite};

/// Where the JUnit report of a test run goes.
const JUNIT: &str = "target/fireassay/junit.xml";

/// The exit code of a failed test binary, as Cargo's own harness has it.
const FAILED: u8 = 101;

/// Runs the cases of the target that `FIREASSAY_TARGET` names: as many at a time as `fireassay run` does, unless
/// `--test-threads` says otherwise.
#[must_use]
pub fn main() -> ExitCode {
    let target = std::env::var("FIREASSAY_TARGET").ok().filter(|target| !target.is_empty());
    main_with(target.as_deref().unwrap_or("reference"), Some(Path::new(JUNIT)), default_jobs(), trials)
}

/// Runs the cases of this target: a folder with a `target.toml`, or the name of one under `targets`. Its JUnit report is a
/// file of its own, for a crate may test several targets.
#[must_use]
pub fn main_of(target: &str) -> ExitCode {
    let name = Path::new(target).file_name().unwrap_or_default();
    let junit = Path::new(JUNIT).with_file_name(format!("junit-{}.xml", name.display()));
    main_with(target, Some(&junit), default_jobs(), trials)
}

/// Runs trials of one's own on a target, all in one session, and `at_once` of them at a time unless `--test-threads` says
/// otherwise. If a file is given for JUnit, it is written as [`main`] does.
#[must_use]
pub fn main_with(
    target: &str,
    junit: Option<&Path>,
    at_once: usize,
    trials: impl FnOnce(&Arc<Stage>) -> Result<Vec<Trial>, StageError>,
) -> ExitCode {
    let arguments = Arguments::from_args().at_once(at_once);
    match Stage::new(target).and_then(|stage| Ok((trials(&stage)?, stage))) {
        Ok((trials, stage)) => finish(arguments.run(trials), stage, junit),
        Err(error) => complain(&error.to_string()),
    }
}

/// Takes the stage down and gives back the exit code. If a file is given for JUnit and anything was run, it is written,
/// and so is the summary page of a GitHub job; failures that the target declares and that are none any more then fail
/// the whole, with a sentence for each.
fn finish(code: ExitCode, stage: Arc<Stage>, junit: Option<&Path>) -> ExitCode {
    let told = stage.told();
    if let Some(figures) = stage.figures() {
        say(&figures);
    }
    let stale = stale_among(&told, stage.suite());
    // Trials hold the stage while they run; all have ended by now.
    if let Some(stage) = Arc::into_inner(stage) {
        stage.finish();
    }
    let Some(junit) = junit.filter(|_| !told.is_empty()) else { return code };
    match write_junit(junit, &told, &stale).and_then(|()| write_job_summary(&told)) {
        Ok(()) if stale.is_empty() => code,
        Ok(()) => complain(&stale.iter().map(|id| stale_sentence(id)).collect::<Vec<_>>().join("\n")),
        Err(failure) => complain(&format!("{failure}\n next: {}", failure.next)),
    }
}

/// No single test can tell that a declaration is stale; all of them together can.
fn stale_among(told: &[Told], suite: &Suite) -> Vec<String> {
    let cases = told.iter().map(|told| told.report.clone()).collect();
    stale(&RunReport { cases, ..RunReport::default() }, suite)
}

/// What a run comes to as a test.
///
/// # Errors
/// The story of a violation, or the reason why nothing can be said.
pub fn verdict(told: &Told) -> Result<Completion, Failed> {
    let report = &told.report;
    match Standing::of(report) {
        Standing::Pass => Ok(Completion::Completed),
        Standing::Expected | Standing::NotApplicable => Ok(Completion::ignored_with(reasons(report).join("; "))),
        Standing::Violation | Standing::Error | Standing::Inconclusive => {
            let mut text = terminal::case_line(report, Palette::Plain);
            for story in &told.stories {
                text.push_str("\n\n");
                text.push_str(&terminal::story(report, story, Palette::Plain));
            }
            Err(text.into())
        }
    }
}

/// A scenario with a fault at every message in turn, as one test.
fn swept(stage: &Stage, case: Case, seed: u64) -> Result<Completion, Failed> {
    let scenario = Scenario {
        case,
        seed,
        actions: Action::USUAL.to_vec(),
        pairs: 0,
        until: Until::Through,
        jobs: default_jobs(),
        env: Vec::new(),
    };
    let outcome = stage.sweep(scenario)?;
    match outcome.verdict() {
        Verdict::Pass => Ok(Completion::Completed),
        Verdict::Expected | Verdict::NotApplicable => {
            Ok(Completion::ignored_with(reasons(&outcome.representative()).join("; ")))
        }
        Verdict::Inconclusive | Verdict::Violation => Err(report::sweep::ending(&outcome, Palette::Plain).into()),
    }
}

fn trials(stage: &Arc<Stage>) -> Result<Vec<Trial>, StageError> {
    let tier = match std::env::var("FIREASSAY_TIER").as_deref() {
        Ok("full") => TierChoice::Full,
        Ok("quick" | "") | Err(_) => TierChoice::Quick,
        Ok(other) => return Err(StageError(format!("FIREASSAY_TIER is `{other}`; it may be `quick` or `full`"))),
    };
    let seed = match std::env::var("FIREASSAY_SEED").as_deref() {
        Ok("") | Err(_) => 1,
        Ok(text) => {
            text.parse().map_err(|_| StageError(format!("FIREASSAY_SEED is `{text}`; it has to be a whole number")))?
        }
    };
    let mut cases = select(stage.suite(), &Selection { tier, ..Selection::default() })
        .map_err(|failure| StageError(failure.to_string()))?;
    // One that has the stack to itself waits for all others, and the others wait for it.
    cases.sort_by_key(Case::is_exclusive);
    let trial = |case: Case| {
        let stage = Arc::clone(stage);
        let applies = case.requirements.iter().any(|id| stage.target().lack(id).is_none());
        Trial::ignorable_test(format!("{}::{}", stage.suite().profile, case.id), move || {
            if case.is_swept() { swept(&stage, case, seed) } else { verdict(&stage.run(&Planned::drawn(case, seed))) }
        })
        .with_ignored_flag(!applies)
    };
    let mut trials = regressions(stage, Path::new(FOLDER))?;
    trials.extend(cases.into_iter().map(trial));
    Ok(trials)
}

/// A test for each regression that is kept of the suite's cases, whatever their tier.
fn regressions(stage: &Arc<Stage>, folder: &Path) -> Result<Vec<Trial>, StageError> {
    let failed = |failure: crate::cli::Failure| StageError(format!("{failure}\n next: {}", failure.next));
    let mut all = kept(folder).map_err(failed)?;
    all.retain(|kept| kept.regression.case.profile == stage.suite().profile);
    let trial = |kept: &Kept| {
        let (name, stage) = (format!("regression::{}::{}", kept.regression.case.case, kept.hash), Arc::clone(stage));
        let replays = planned(kept, stage.target()).map_err(failed)?;
        Ok(Trial::ignorable_test(name, move || {
            // Each has to pass: one violation is proof.
            let mut last = Completion::Completed;
            for replay in &replays {
                last = verdict(&stage.run(replay))?;
            }
            Ok(last)
        }))
    };
    all.iter().map(trial).collect()
}

/// Says why no test could be run.
fn complain(why: &str) -> ExitCode {
    say(&format!("error: {why}"));
    ExitCode::from(FAILED)
}

/// Nobody is left to tell when stderr is gone.
fn say(what: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{report, suite};
    use crate::report::tell;

    #[test]
    fn what_is_kept_is_listed_as_tests_and_what_does_not_fit_is_an_error() {
        use crate::explore::Signature;
        use crate::explore::regression::Regression;
        use crate::fault::Fault;
        use crate::history::InstanceName;
        use crate::report::samples::case_file;

        let folder = tempfile::tempdir().expect("a folder");
        let stage = Stage::new("reference").expect("a stage");
        let violated = Signature::of(&report("retries", 1, &["ledger.once"]).findings);
        let mut kept = Regression::new("twice".into(), violated, None, case_file());
        let path = kept.write(folder.path()).expect("written");
        let names: Vec<_> =
            regressions(&stage, folder.path()).expect("it fits").iter().map(|it| it.name().to_owned()).collect();
        let hash = path.file_stem().expect("a name").to_string_lossy().into_owned();
        assert_eq!(names, [format!("regression::retries::{hash}")]);
        kept.case.plan.steps[0].fault = Fault::Kill(InstanceName { role: "api".into(), number: 9 });
        let path = kept.write(folder.path()).expect("written");
        let why = regressions(&stage, folder.path()).expect_err("there is no api-9").to_string();
        assert!(why.contains(&path.display().to_string()) && why.contains("treats api-9"), "{why}");
    }

    #[test]
    fn a_declaration_is_stale_once_every_case_that_checks_it_has_passed() {
        let passed = |case: &str| {
            let mut report = report(case, 1, &[]);
            report.findings[0].expected = Some("a replica lags".into());
            tell(&report, None)
        };
        assert_eq!(stale_among(&[passed("retries"), passed("broker-down")], &suite()), ["ledger.acked"]);
        assert!(stale_among(&[passed("retries")], &suite()).is_empty(), "tests may have been filtered");
    }
}
