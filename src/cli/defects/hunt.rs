//! `fireassay defects --hunt`: how many runs the sweep takes to find a defect, and how many storms take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::{Args, choose};
use crate::cli::failure::Failure;
use crate::cli::output::{Colour, answer, note};
use crate::cli::select::default_jobs;
use crate::cli::{exit, interrupt, locate, progress};
use crate::detection::{Conditions, Defect, Hunt, SWITCH, Way, with_hunts};
use crate::explore::sweep::{Action, Scenario, Until, sweep};
use crate::fault::{Kind, StormSpec};
use crate::judgement::Verdict;
use crate::report::style::Tone;
use crate::runner::{CaseReport, Options, Planned, RunError, Session};
use crate::suite::{Case, Explore, Suite};
use crate::target::Target;

/// Seeds of storms that look for the same defect from different seeds are this far apart.
const SEEDS_APART: u64 = 100_000;

/// One defect, one way and one seed.
#[derive(Clone, Copy, Debug)]
struct Task {
    /// Index of the hunt.
    hunt: usize,
    way: Way,
    seed: u64,
}

/// The cases that are hunted in.
struct Grounds {
    scenario: Case,
    /// The same case with a random fault.
    scenario_storm: Case,
    storm: Case,
    /// Faults in a run of `storm`.
    faults: u16,
}

impl Grounds {
    fn of(suite: &Suite) -> Result<Self, Failure> {
        let lacking = |explore: &str| {
            let what = format!("the suite {} has no case with `explore = \"{explore}\"`", suite.profile);
            Failure::nothing(what, "docs/sweep.md says how to write one".to_owned())
        };
        let scenario = suite.cases.iter().find(|case| case.is_swept()).ok_or_else(|| lacking("sweep"))?;
        let storms = suite.cases.iter().filter_map(|case| match &case.explore {
            Some(Explore::Storm(spec)) => Some((case, spec.faults)),
            _ => None,
        });
        let (storm, faults) = storms.max_by_key(|(_, faults)| *faults).ok_or_else(|| lacking("storm"))?;
        // As many as the sweep has in a run. What falls on a message is the sweep's own means.
        let one = StormSpec { faults: 1, menu: Kind::AT_MOMENTS.to_vec() };
        let scenario_storm = Case { explore: Some(Explore::Storm(one)), faults: Vec::new(), ..scenario.clone() };
        Ok(Self { scenario: scenario.clone(), scenario_storm, storm: storm.clone(), faults })
    }
}

pub(super) fn hunt(args: &Args, colour: Colour) -> Result<u8, Failure> {
    let target = Arc::new(locate::target(&args.target)?);
    let suite = Arc::new(locate::suite(args.suite.as_deref(), &target)?);
    let catalogue = locate::defects(&target, &suite)?;
    let grounds = Grounds::of(&suite)?;
    let mut hunts: Vec<Hunt> =
        choose(&catalogue, &args.defect)?.into_iter().filter(|defect| defect.window.is_some()).map(Hunt::new).collect();
    if hunts.is_empty() {
        let next = "name one that has a `window` in defects.toml";
        return Err(Failure::nothing("none of these defects has a window to hunt for".to_owned(), next.to_owned()));
    }
    let palette = colour.for_stderr();
    let jobs = args.jobs.map_or_else(default_jobs, usize::from);
    let conditions = conditions(args, &target, &grounds);
    let stack = args.stack.config()?;
    let tasks: Vec<Task> = (0..hunts.len())
        .flat_map(|hunt| (1..=args.seeds).map(move |seed| (hunt, seed)))
        .flat_map(|(hunt, seed)| Way::ALL.map(|way| Task { hunt, way, seed }))
        .collect();
    let defects: Vec<Defect> = hunts.iter().map(|hunt| hunt.defect.clone()).collect();
    let (found, interrupted) = interrupt::run(async |cancel| {
        let options = Options { runs_dir: args.runs_dir.clone(), stack, env: Vec::new(), cancel: cancel.clone() };
        let session = Session::start(target, suite, options, progress::sink(palette).as_ref()).await?;
        let (done, all) = (AtomicUsize::new(0), tasks.len());
        let tasks = futures::stream::iter(tasks).take_while(|_| std::future::ready(!cancel.is_cancelled()));
        let runs = tasks.map(async |task| {
            let defect = &defects[task.hunt];
            let found = carry_out(&session, &grounds, task, defect, args.most, &cancel).await;
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            let words = match &found {
                Ok(Some(runs)) => format!("found in run {runs}"),
                Ok(None) => "not found".to_owned(),
                Err(why) => format!("failed: {why}"),
            };
            let line =
                format!("{done:>4}/{all}  {:<26} {:<14} seed {}  {words}", defect.name, told(task.way), task.seed);
            note(&palette.paint(Tone::Usual, &line));
            (task, found)
        });
        let found: Vec<_> = runs.buffered(jobs.max(1)).collect().await;
        session.finish(progress::sink(palette).as_ref()).await;
        Ok::<_, RunError>((found, cancel.is_cancelled()))
    })??;
    let mut failed = None;
    for (task, found) in found {
        match found {
            Ok(runs) => hunts[task.hunt].took(task.way, runs),
            Err(why) => _ = failed.get_or_insert(why),
        }
    }
    // A hunt that was cut short says nothing.
    hunts.retain(|hunt| hunt.runs.iter().all(|runs| runs.len() as u64 == args.seeds));
    publish(args, &hunts, &catalogue.defects, &conditions)?;
    if let Some(why) = failed.filter(|_| !interrupted) {
        return Err(Failure::environment(why, "mend that and begin again; --defect leaves out what is done"));
    }
    let is_found = |hunt: &Hunt| hunt.median(Way::Sweep).is_some() && hunt.is_a_tenth(args.most) != Some(false);
    Ok(if interrupted {
        exit::INTERRUPTED
    } else if hunts.iter().all(is_found) {
        exit::PASS
    } else {
        exit::VIOLATION
    })
}

/// How many runs it took; `None`: all that were allowed, or all that there are, without finding it.
async fn carry_out(
    session: &Session,
    grounds: &Grounds,
    task: Task,
    defect: &Defect,
    most: u32,
    cancel: &CancellationToken,
) -> Result<Option<u32>, String> {
    let env = vec![(SWITCH.to_owned(), defect.name.clone())];
    let case = match task.way {
        Way::Sweep => return sweep_until_found(session, grounds, task.seed, defect, env, cancel).await,
        Way::ScenarioStorm => &grounds.scenario_storm,
        Way::Storm => &grounds.storm,
    };
    for run in 1..=most {
        let seed = task.seed * SEEDS_APART + u64::from(run);
        let report = session.run_one(&Planned::drawn(case.clone(), seed).with_env(env.clone()), 0, 1, &()).await;
        if report.interrupted {
            return Err("interrupted".to_owned());
        }
        if let Some(why) = report.failure() {
            return Err(why);
        }
        let is_found = violates(&report, defect);
        // Nobody looks at it; a folder that stays behind does no harm.
        let _ = std::fs::remove_dir_all(&report.directory);
        if is_found {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

async fn sweep_until_found(
    session: &Session,
    grounds: &Grounds,
    seed: u64,
    defect: &Defect,
    env: Vec<(String, String)>,
    cancel: &CancellationToken,
) -> Result<Option<u32>, String> {
    let scenario = Scenario {
        case: grounds.scenario.clone(),
        seed,
        actions: Action::USUAL.to_vec(),
        pairs: 0,
        until: Until::Violated([&defect.caught_by].into_iter().chain(&defect.also).cloned().collect()),
        // One at a time, so that none is begun which would not have been needed.
        jobs: 1,
        env,
    };
    let outcome = sweep(session, scenario, &|_| (), cancel).await.map_err(|error| error.to_string())?;
    if outcome.interrupted {
        return Err("interrupted".to_owned());
    }
    if let Some(why) = &outcome.baseline.failure() {
        return Err(why.clone());
    }
    if violates(&outcome.baseline, defect) {
        return Ok(Some(1));
    }
    let is_found = outcome.tried.iter().any(|tried| violates(&tried.report, defect));
    let runs = 1 + outcome.tried.len() + outcome.again;
    Ok(is_found.then(|| u32::try_from(runs).unwrap_or(u32::MAX)))
}

/// Whether a requirement was violated that the defect is wrong about.
fn violates(report: &CaseReport, defect: &Defect) -> bool {
    let is_its = |id: &String| defect.caught_by == *id || defect.also.contains(id);
    report.findings.iter().any(|judged| judged.verdict == Verdict::Violation && is_its(&judged.requirement.id))
}

fn conditions(args: &Args, target: &Target, grounds: &Grounds) -> Conditions {
    let operations = |case: &Case| case.workload.script(1, &target.fronts()).attempts_least();
    Conditions {
        scenario: grounds.scenario.id.clone(),
        storm: grounds.storm.id.clone(),
        operations: [operations(&grounds.scenario), operations(&grounds.storm)],
        faults: grounds.faults,
        most: args.most,
        seeds: args.seeds,
        command: super::command(args),
    }
}

fn publish(args: &Args, hunts: &[Hunt], defects: &[Defect], conditions: &Conditions) -> Result<(), Failure> {
    match &args.write {
        None => answer(&with_hunts("", hunts, defects, conditions)),
        Some(path) => super::rewrite(path, |earlier| with_hunts(earlier, hunts, defects, conditions)),
    }
}

fn told(way: Way) -> &'static str {
    match way {
        Way::Sweep => "sweep",
        Way::ScenarioStorm => "scenario storm",
        Way::Storm => "storm",
    }
}
