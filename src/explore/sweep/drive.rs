//! Carrying a sweep out: the scenario without faults, then a run for each point.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::outcome::{Outcome, Tried};
use super::point::{Action, Point, plan, points};
use super::site::{Found, new_sites, sites};
use crate::fault::Plan;
use crate::report::stored::read_run;
use crate::runner::{CaseFile, CaseReport, Options, Planned, Progress, RunError, Session, Sink};
use crate::sandbox::StackConfig;
use crate::suite::{Case, Explore, Suite};
use crate::target::Target;

/// What to sweep and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The system under test.
    pub target: Arc<Target>,
    /// The specification.
    pub suite: Arc<Suite>,
    /// The scenario. Its own faults are left out.
    pub case: Case,
    /// Decides the scenario's work.
    pub seed: u64,
    /// What is done at each site.
    pub actions: Vec<Action>,
    /// How many pairs of faults are tried after the single ones, at most.
    pub pairs: usize,
    /// Where the runs' folders go. Those of runs that found nothing are removed.
    pub runs_dir: PathBuf,
    /// How many sandboxes at a time; at least 1.
    pub jobs: usize,
    /// Variables added to every process of the target.
    pub env: Vec<(String, String)>,
}

/// How far a sweep has come.
#[derive(Debug)]
pub enum Stage<'a> {
    /// Stack and target are being prepared; the text says what is going on.
    Preparing(String),
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
pub(super) type Shown<'a> = &'a (dyn Fn(Stage<'_>) + Send + Sync);

/// Runs the scenario once without faults and once for each point. Ends early, in order, when `cancel` is cancelled.
///
/// # Errors
/// When the environment failed as a whole, or the scenario's own run left nothing to go by.
pub async fn sweep(request: Request, shown: Shown<'_>, cancel: &CancellationToken) -> Result<Outcome, RunError> {
    let clock = Instant::now();
    let options = Options {
        runs_dir: request.runs_dir.clone(),
        stack: StackConfig::from_env().map_err(|error| RunError::Configuration(error.to_string()))?,
        env: request.env.clone(),
        cancel: cancel.clone(),
    };
    let preparing = Preparing(shown);
    let (target, suite) = (Arc::clone(&request.target), Arc::clone(&request.suite));
    let session = Session::start(target, suite, options, &preparing).await?;
    let mut sweep = Sweep { session, request, shown, cancel };
    let outcome = sweep.carry_out().await;
    sweep.session.finish().await;
    Ok(Outcome { took: clock.elapsed(), interrupted: cancel.is_cancelled(), ..outcome? })
}

struct Sweep<'a> {
    session: Session,
    request: Request,
    shown: Shown<'a>,
    cancel: &'a CancellationToken,
}

impl Sweep<'_> {
    async fn carry_out(&mut self) -> Result<Outcome, RunError> {
        let mut case = self.request.case.clone();
        case.faults.clear();
        case.explore = Some(Explore::Sweep);
        let clock = Instant::now();
        let baseline = self.session.run_one(&Planned::drawn(case, self.request.seed), 0, 1, &()).await;
        let once = clock.elapsed();
        let mut outcome = Outcome::new(baseline, self.session.stack_start(), once);
        if !outcome.has_sound_baseline() || self.cancel.is_cancelled() {
            return Ok(outcome);
        }
        let stored = read_run(&outcome.baseline.directory).map_err(|error| RunError::Environment(error.to_string()))?;
        outcome.sites = sites(&stored.history);
        let singles: Vec<Vec<Point>> =
            points(&outcome.sites, &self.request.actions).into_iter().map(|point| vec![point]).collect();
        (self.shown)(Stage::Baseline { sites: outcome.sites.len(), points: singles.len() });
        let file = Arc::new(stored.case);
        let wants_pairs = self.request.pairs > 0;
        let tried = self.try_all(&file, singles, wants_pairs.then_some(&outcome.sites)).await;
        let pairs = pairs(&tried, &self.request.actions, self.request.pairs);
        outcome.tried = tried.into_iter().map(|(tried, _)| tried).collect();
        if !pairs.is_empty() && !self.cancel.is_cancelled() {
            (self.shown)(Stage::Pairs(pairs.len()));
            outcome.tried.extend(self.try_all(&file, pairs, None).await.into_iter().map(|(tried, _)| tried));
        }
        Ok(outcome)
    }

    /// One run for each list of points; with each the sites that it has beyond the known ones.
    async fn try_all(
        &self,
        file: &Arc<CaseFile>,
        lists: Vec<Vec<Point>>,
        known: Option<&Vec<Found>>,
    ) -> Vec<(Tried, Vec<Found>)> {
        let runs = futures::stream::iter(lists)
            .take_while(|_| std::future::ready(!self.cancel.is_cancelled()))
            .map(|points| self.try_one(file, points, known))
            .buffered(self.request.jobs.max(1));
        // A run that was cut short says nothing about its point.
        runs.filter(|(tried, _)| std::future::ready(!tried.report.interrupted)).collect().await
    }

    async fn try_one(
        &self,
        file: &Arc<CaseFile>,
        points: Vec<Point>,
        known: Option<&Vec<Found>>,
    ) -> (Tried, Vec<Found>) {
        let patience = file.script.patience.timeout;
        let plan: Plan = plan(&points.iter().collect::<Vec<_>>(), patience);
        let planned = Planned::stored(Arc::new(CaseFile { plan, ..file.as_ref().clone() }));
        let report: CaseReport = self.session.run_one(&planned, 0, 1, &()).await;
        let new = match known {
            Some(known) => {
                read_run(&report.directory).map(|stored| new_sites(&stored.history, known)).unwrap_or_default()
            }
            None => Vec::new(),
        };
        let tried = Tried::new(points, report);
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

/// Passes on what the session says while it starts.
struct Preparing<'a>(Shown<'a>);

impl Sink for Preparing<'_> {
    fn progress(&self, progress: Progress) {
        if let Progress::Preparing(what) = progress {
            (self.0)(Stage::Preparing(what));
        }
    }
}
