//! `fireassay shrink`: the smallest case that still shows a finding.

use std::path::{Path, PathBuf};

use super::failure::{Failure, did_you_mean};
use super::output::{Colour, note};
use super::replay::{one_line, read, stage, write};
use super::select::default_jobs;
use super::stack::StackArgs;
use super::{exit, interrupt, locate};
use crate::explore::Signature;
use crate::explore::load::Evidence;
use crate::explore::regression::{FOLDER, Regression};
use crate::explore::shrink::{Decision, Ended, Ran, Search, Share, shrink as carry_out};
use crate::report::style::{Palette, Tone};
use crate::report::text::{piece, sentence, shell};
use crate::report::{stored, story, terminal};
use crate::runner::{Judged, Options, Progress, RunError, Session, Sink};

/// Make a finding smaller: the fewest faults, clients and operations that still show it.
///
/// Starts from what the oracle's witnesses name, then leaves out faults, clients and operations by delta debugging, and
/// makes values simpler. One violation of the same requirement with the same kind of anomaly proves that less is enough.
/// That it is not is believed after as many misses as the rate of reproduction demands, which is measured first. The
/// smallest case is kept as a run of its own, with its story.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fireassay shrink target/fireassay/runs/RUN
  fireassay shrink target/fireassay/runs/RUN --requirement ledger.once --budget 100
  fireassay shrink target/fireassay/runs/RUN --write              and keep the result under regressions

Exit code 1: it still violates, be it smaller or not; 5: it was not reproduced; 2: the run violated nothing.")]
pub(super) struct Args {
    /// Folder of a run that violated a requirement.
    #[arg(value_name = "RUN_DIR")]
    run: PathBuf,
    /// The requirement whose violation is to be kept; the first that was violated unless told.
    #[arg(long, value_name = "ID")]
    requirement: Option<String>,
    /// The most runs that it may take.
    #[arg(long, default_value_t = 60, value_name = "RUNS", value_parser = clap::value_parser!(u32).range(10..=100_000))]
    budget: u32,
    /// Keep the result as a regression in this folder.
    #[arg(long, num_args = 0..=1, default_missing_value = FOLDER, value_name = "DIR")]
    write: Option<PathBuf>,
    /// How many at a time; the number of processors, at most 4, unless told.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Another target; the one it was found in unless told.
    #[arg(long, value_name = "DIR|FILE|NAME")]
    target: Option<String>,
    /// Where the runs are kept.
    #[arg(long, default_value = "target/fireassay/runs", value_name = "DIR")]
    runs_dir: PathBuf,
    #[command(flatten)]
    stack: StackArgs,
}

pub(super) fn shrink(args: &Args, colour: Colour) -> Result<u8, Failure> {
    let stored = read(&args.run)?;
    let Some(Evidence { directory, history, findings, .. }) = stored.run else {
        return Err(Failure::usage(
            format!("{} has no history, and a search starts from what happened", args.run.display()),
            format!("fireassay replay {} makes runs that have one", shell(&args.run.display().to_string())),
        ));
    };
    let (case, goal) = (stored.case, goal(args, &stored.violated, &findings)?);
    let (target, suite) = stage(&case, args.target.as_deref(), &args.run)?;
    let profile = locate::profile_named(&case.profile)?;
    let palette = colour.for_stderr();
    let plan = case.plan.clone();
    let mut search = Search::new(profile, case, Ran { history, findings, directory }, goal.clone(), args.budget);
    let stack = args.stack.config()?;
    let jobs = args.jobs.map_or_else(default_jobs, usize::from);
    note(&palette.paint(Tone::Faint, &format!("looking for a smaller case that violates {}", words(&goal))));
    let shown = |decision: &Decision| note(&decided(decision, palette));
    let interrupted = interrupt::run(async |cancel| {
        let options = Options { runs_dir: args.runs_dir.clone(), stack, env: Vec::new(), cancel: cancel.clone() };
        let session = Session::start(target, suite, options, &Quiet(palette)).await?;
        if let Some(why) = session.refuses(&plan) {
            session.finish(&Quiet(palette)).await;
            return Err(RunError::Stack(why));
        }
        carry_out(&session, &mut search, jobs, &Quiet(palette), &cancel, &shown).await;
        session.finish(&Quiet(palette)).await;
        Ok::<bool, RunError>(cancel.is_cancelled())
    })??;
    let ended = search.end();
    tell(&ended, &goal, (&args.run, interrupted), palette);
    if ended.share.0.hits == 0 && !interrupted {
        note(&format!(
            "next: fireassay replay {} --times 50 shows how rare it is",
            shell(&args.run.display().to_string())
        ));
        return Ok(exit::INCONCLUSIVE);
    }
    if let Some(folder) = &args.write {
        keep(folder, &ended, &goal)?;
    }
    Ok(if interrupted { exit::INTERRUPTED } else { exit::VIOLATION })
}

/// What is to be kept: one requirement, with the kinds of its anomalies.
fn goal(args: &Args, violated: &Signature, findings: &[Judged]) -> Result<Signature, Failure> {
    let place = shell(&args.run.display().to_string());
    let mut ids = findings.iter().map(|judged| &judged.requirement.id);
    let Some(first) = ids.find(|id| violated.0.contains_key(*id)) else {
        return Err(Failure::usage(
            format!("{} violated nothing that could be made smaller", args.run.display()),
            format!("fireassay check {place} says how it stands"),
        ));
    };
    let wanted = args.requirement.as_ref().unwrap_or(first);
    let goal = violated.only(wanted);
    if goal.is_empty() {
        let known = violated.0.keys().map(String::as_str);
        let list = violated.0.keys().cloned().collect::<Vec<_>>().join(", ");
        return Err(Failure::usage(
            format!("the run did not violate `{wanted}`, but {list}{}", did_you_mean(wanted, known)),
            format!("fireassay check {place}"),
        ));
    }
    Ok(goal)
}

fn words(goal: &Signature) -> String {
    let one = |(id, kinds): (&String, &std::collections::BTreeSet<String>)| {
        format!("{} ({})", piece(id), kinds.iter().map(|kind| piece(kind)).collect::<Vec<_>>().join(", "))
    };
    goal.0.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn decided(decision: &Decision, palette: Palette) -> String {
    let (used, budget) = decision.used;
    let (tone, word) = match decision.accepted {
        Some(true) => (Tone::Good, "still"),
        Some(false) => (Tone::Faint, "no"),
        None => (Tone::Usual, ""),
    };
    let text = format!(
        "{used:>4}/{budget}  {:<12}  {:<42}  {} {word}",
        decision.what,
        decision.size.to_string(),
        decision.share
    );
    palette.paint(tone, text.trim_end())
}

/// The table before and after, and the story of the smallest. The search started from a run, and was interrupted or not.
fn tell(ended: &Ended, goal: &Signature, (from, interrupted): (&Path, bool), palette: Palette) {
    let (before, after) = ended.size;
    let (rate_before, rate_after) = ended.share;
    let (used, budget) = ended.used;
    let directory = &ended.ran.directory;
    let report = stored::read_result(directory).ok();
    if let (Some(report), Ok(run)) = (report, stored::read_run(directory)) {
        for judged in report.findings.iter().filter(|judged| goal.0.contains_key(&judged.requirement.id)) {
            let told = story::tell(judged, Some(&run.history), directory);
            note(&format!("\n{}", terminal::story(&report, &told, palette)));
        }
    }
    note("");
    note(&palette.paint(Tone::Faint, &format!("{:<12}  {:>10}  {:>10}", "", "before", "after")));
    let rows = [
        ("faults", before.faults.to_string(), after.faults.to_string()),
        ("clients", before.clients.to_string(), after.clients.to_string()),
        ("operations", before.operations.to_string(), after.operations.to_string()),
        ("reproduced", rate_before.to_string(), rate_after.to_string()),
    ];
    for (name, before, after) in rows {
        note(&format!("{name:<12}  {before:>10}  {after:>10}"));
    }
    note(&format!("{used} of {budget} runs used; {}", how_it_ended(ended.is_complete, rate_before, interrupted)));
    let what =
        if directory == from { "nothing smaller was found than" } else { "the smallest case and what happened:" };
    note(&format!("{what} {}", directory.display()));
}

/// What is known of the original, which showed it again so often, and of what could still go.
fn how_it_ended(is_complete: bool, before: Share, interrupted: bool) -> &'static str {
    match (before, interrupted) {
        _ if is_complete => "nothing more can go",
        (Share { runs: 0, .. }, true) => {
            "interrupted before one had ended, so it is not known whether it shows again, and nothing was left out yet"
        }
        (Share { runs: 0, .. }, false) => "none could be judged, so it is not known whether it shows again",
        (Share { hits: 0, .. }, true) => "interrupted before it had shown again, and nothing was left out yet",
        (Share { hits: 0, .. }, false) => "it did not show again",
        (_, true) => "interrupted, so there may be something more to leave out",
        (_, false) => "there may be something more to leave out",
    }
}

fn keep(folder: &Path, ended: &Ended, goal: &Signature) -> Result<(), Failure> {
    let mut findings = ended.ran.findings.iter().filter(|judged| goal.0.contains_key(&judged.requirement.id));
    let found = findings.find_map(|judged| judged.finding.anomalies.first()).map(|anomaly| one_line(&anomaly.found));
    let title = found.unwrap_or_else(|| ended.case.title.clone());
    let shown = Some(ended.share.1).filter(|share| share.runs > 0);
    write(folder, &Regression::new(title, goal.clone(), shown, ended.case.clone()))
}

/// Says how the stack gets up and what fails; the search itself says what it tries.
struct Quiet(Palette);

impl Sink for Quiet {
    fn progress(&self, progress: Progress) {
        match progress {
            Progress::Note(text) => note(&sentence(&text)),
            Progress::Preparing(what) => note(&self.0.paint(Tone::Faint, &sentence(&what))),
            Progress::Finished { report, .. } if report.error.is_some() => note(&terminal::case_line(&report, self.0)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_early_end_claims_no_more_than_was_seen() {
        let ended = |hits, runs, interrupted| how_it_ended(false, Share { hits, runs }, interrupted);
        assert_eq!(Share::default().to_string(), "not known");
        assert!(ended(0, 0, true).starts_with("interrupted before one had ended"), "{}", ended(0, 0, true));
        assert!(ended(0, 3, true).starts_with("interrupted before it had shown again"), "{}", ended(0, 3, true));
        assert_eq!(ended(0, 10, false), "it did not show again");
        assert!(ended(2, 3, true).starts_with("interrupted, "), "{}", ended(2, 3, true));
        assert_eq!(how_it_ended(true, Share { hits: 3, runs: 3 }, false), "nothing more can go");
    }
}
