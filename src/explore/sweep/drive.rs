//! Carrying a sweep out: the scenario without faults, then a run for each point.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::outcome::{Outcome, Tried};
use super::point::{Action, Point, plan, points};
use super::site::{Found, Scenery, new_sites, scenery};
use crate::report::stored::read_run;
use crate::runner::{CaseFile, Planned, RunError, Session};
use crate::suite::{Case, Explore};

/// What to sweep and how.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The work. Of the faults that the case has of its own only those of the gateway stay: what it answers is a part of
    /// the work.
    pub case: Case,
    /// Decides the work.
    pub seed: u64,
    /// What is done at each site.
    pub actions: Vec<Action>,
    /// How many pairs of faults are tried after the single ones, at most.
    pub pairs: usize,
    /// When it may end before everything has been tried.
    pub until: Until,
    /// How many sandboxes at a time; at least 1.
    pub jobs: usize,
    /// Variables added to every process of the target, on top of the session's.
    pub env: Vec<(String, String)>,
}

/// When a sweep may end before everything has been tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// Never.
    #[default]
    Through,
    /// When something was found.
    Found,
    /// When one of these requirements was violated.
    Violated(Vec<String>),
}

impl Until {
    fn is_met_by(&self, tried: &Tried) -> bool {
        match self {
            Self::Through => false,
            Self::Found => tried.has_violation(),
            Self::Violated(requirements) => tried.violated().any(|id| requirements.iter().any(|it| it == id)),
        }
    }
}

/// How far a sweep has come.
#[derive(Debug)]
pub enum Stage<'a> {
    /// The scenario was run without faults.
    Baseline {
        /// How many sites it has.
        sites: usize,
        /// How many runs follow, without pairs.
        points: usize,
    },
    /// Single faults are through, and these pairs follow.
    Pairs(usize),
    /// A run ended.
    Tried(&'a Tried),
}

/// Shows how far a sweep has come.
type Shown<'a> = &'a (dyn Fn(Stage<'_>) + Send + Sync);

/// Runs the scenario once without faults and once for each point. Points whose fault did not bite are tried a second time,
/// one by one: under load a message may come late. Ends early, in order, when `cancel` is cancelled, which has to be
/// the session's.
///
/// Folders of runs that found nothing are removed, but for that of the run without faults.
///
/// # Errors
/// When the scenario's own run left nothing to go by.
pub async fn sweep(
    session: &Session,
    scenario: Scenario,
    shown: Shown<'_>,
    cancel: &CancellationToken,
) -> Result<Outcome, RunError> {
    let clock = Instant::now();
    let is_met = AtomicBool::new(false);
    let outcome = Sweep { session, scenario, shown, cancel, is_met }.carry_out().await?;
    Ok(Outcome { took: clock.elapsed(), interrupted: cancel.is_cancelled(), ..outcome })
}

struct Sweep<'a> {
    session: &'a Session,
    scenario: Scenario,
    shown: Shown<'a>,
    cancel: &'a CancellationToken,
    is_met: AtomicBool,
}

impl Sweep<'_> {
    async fn carry_out(&self) -> Result<Outcome, RunError> {
        let mut case = self.scenario.case.clone();
        case.faults.retain(|fault| fault.inject.is_of_gateway());
        case.explore = Some(Explore::Sweep);
        let clock = Instant::now();
        let baseline = Planned::drawn(case, self.scenario.seed).with_env(self.scenario.env.clone());
        let mut outcome = Outcome::new(self.session.run_one(&baseline, 0, 1, &()).await, clock.elapsed());
        if !outcome.has_sound_baseline() || self.cancel.is_cancelled() {
            return Ok(outcome);
        }
        let stored = read_run(&outcome.baseline.directory).map_err(|error| RunError::Environment(error.to_string()))?;
        outcome.scenery = scenery(&stored.history);
        let singles: Vec<Vec<Point>> =
            points(&outcome.scenery.sites, &self.scenario.actions).into_iter().map(|point| vec![point]).collect();
        outcome.planned = singles.len();
        (self.shown)(Stage::Baseline { sites: outcome.scenery.sites.len(), points: singles.len() });
        let file = stored.case;
        let mut tried = self.try_all(&file, singles, &outcome.scenery).await;
        outcome.again = self.try_again(&file, &mut tried, &outcome.scenery).await;
        let pairs = pairs(&tried, &self.scenario.actions, self.scenario.pairs);
        if !pairs.is_empty() && !self.is_over() {
            outcome.planned += pairs.len();
            (self.shown)(Stage::Pairs(pairs.len()));
            let mut second = self.try_all(&file, pairs, &outcome.scenery).await;
            outcome.again += self.try_again(&file, &mut second, &outcome.scenery).await;
            tried.extend(second);
        }
        outcome.tried = tried.into_iter().map(|(tried, _)| tried).collect();
        Ok(outcome)
    }

    /// Whether no further run is to begin.
    fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || self.is_met.load(Ordering::Relaxed)
    }

    /// One run for each list of points; with each the sites that it has beyond the known ones.
    async fn try_all(&self, file: &CaseFile, lists: Vec<Vec<Point>>, known: &Scenery) -> Vec<(Tried, Vec<Found>)> {
        // A run that stops somebody takes three times as long as others: nobody waits for it to keep the order.
        let runs = futures::stream::iter(lists.into_iter().enumerate())
            .take_while(|_| std::future::ready(!self.is_over()))
            .map(|(index, points)| async move { (index, self.try_one(file, points, known).await) })
            .buffer_unordered(self.scenario.jobs.max(1));
        // A run that was cut short says nothing about its point.
        let through = runs.filter(|(_, (tried, _))| std::future::ready(!tried.report.interrupted));
        let mut through: Vec<_> = through.collect().await;
        through.sort_unstable_by_key(|(index, _)| *index);
        through.into_iter().map(|(_, tried)| tried).collect()
    }

    /// Tries once more what says nothing because its fault did not bite; gives back how many these were.
    async fn try_again(&self, file: &CaseFile, tried: &mut [(Tried, Vec<Found>)], known: &Scenery) -> usize {
        let mut again = 0;
        for entry in tried.iter_mut().filter(|(tried, _)| !tried.was_reached() && !tried.has_violation()) {
            if self.is_over() {
                break;
            }
            again += 1;
            let second = self.try_one(file, entry.0.points.clone(), known).await;
            if !second.0.report.interrupted {
                *entry = second;
            }
        }
        again
    }

    async fn try_one(&self, file: &CaseFile, points: Vec<Point>, known: &Scenery) -> (Tried, Vec<Found>) {
        let plan = plan(&file.plan, &points, file.script.patience.timeout);
        // What this fault has caused is only asked for when second faults are to be put there.
        let wanted = self.scenario.pairs > 0 && points.len() == 1;
        // What the gateway does wrong would be over before it is asked, if the load ended with the fault.
        let to_rest = wanted || !file.plan.steps.is_empty();
        let planned = Planned::stored(Arc::new(CaseFile { plan, to_rest, ..file.clone() }));
        let report = self.session.run_one(&planned, 0, 1, &()).await;
        let stored = if wanted { read_run(&report.directory).ok() } else { None };
        let new = stored.map(|stored| new_sites(&stored.history, known)).unwrap_or_default();
        let tried = Tried { points, report };
        self.is_met.fetch_or(self.scenario.until.is_met_by(&tried), Ordering::Relaxed);
        if !tried.is_worth_keeping() {
            // Nobody looks at it; a folder that stays behind does no harm.
            let _ = std::fs::remove_dir_all(&tried.report.directory);
        }
        (self.shown)(Stage::Tried(&tried));
        (tried, new)
    }
}

/// A second fault at what each first fault has caused, `most` pairs in all: the first new site of every run, then the second
/// of every run, and so on, because what is done again first matters most.
fn pairs(tried: &[(Tried, Vec<Found>)], actions: &[Action], most: usize) -> Vec<Vec<Point>> {
    let seconds: Vec<(&Tried, Vec<Point>)> = tried
        .iter()
        .filter(|(tried, _)| tried.was_reached() && !tried.has_violation())
        .map(|(tried, new)| (tried, points(new, actions)))
        .collect();
    let longest = seconds.iter().map(|(_, points)| points.len()).max().unwrap_or(0);
    let by_rank = (0..longest).flat_map(|rank| {
        seconds.iter().filter_map(move |(tried, points)| {
            let second = points.get(rank)?;
            Some(tried.points.iter().chain([second]).cloned().collect())
        })
    });
    by_rank.take(most).collect()
}
