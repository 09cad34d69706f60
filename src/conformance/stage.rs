//! One session that all tests of a process share, started by the first that runs.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Runtime;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::cli::locate;
use crate::explore;
use crate::explore::sweep::{Outcome, Scenario};
use crate::report::terminal::seconds;
use crate::report::text::{count, sentence};
use crate::report::{Told, tell_one};
use crate::runner::{CaseReport, Options, Planned, Progress, Session, Sink};
use crate::sandbox::StackConfig;
use crate::suite::Suite;
use crate::target::Target;

/// Where the runs of tests are kept.
const RUNS: &str = "target/fireassay/runs";

/// Why no test can be listed or run; says how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StageError(pub String);

/// Says what a reader should know of the stack, and nothing else.
struct Notes;

impl Sink for Notes {
    fn progress(&self, progress: Progress) {
        if let Progress::Note(text) = progress {
            super::say(&sentence(&text));
        }
    }
}

/// A target, its suite, and a session that starts when it is first needed.
#[derive(Debug)]
pub struct Stage {
    target: Arc<Target>,
    suite: Arc<Suite>,
    runtime: Runtime,
    /// The session, or why there is none: then every test says so, and nothing is started again.
    session: OnceCell<Result<Session, String>>,
    told: Mutex<Vec<Told>>,
}

impl Stage {
    /// Reads the target's manifest and suite. Starts nothing.
    ///
    /// # Errors
    /// When there is no such target, or its manifest or suite cannot be used.
    pub fn new(target: &str) -> Result<Arc<Self>, StageError> {
        let failed = |failure: crate::cli::Failure| StageError(format!("{failure}\n next: {}", failure.next));
        let target = locate::target(target).map_err(failed)?;
        let suite = locate::suite(None, &target).map_err(failed)?;
        let runtime =
            Runtime::new().map_err(|error| StageError(format!("failed to start the asynchronous runtime: {error}")))?;
        let (session, told) = (OnceCell::new(), Mutex::default());
        Ok(Arc::new(Self { target: Arc::new(target), suite: Arc::new(suite), runtime, session, told }))
    }

    /// The target.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The target's suite.
    #[must_use]
    pub fn suite(&self) -> &Suite {
        &self.suite
    }

    /// The target's catalogue of defects.
    ///
    /// # Errors
    /// When it has none, or one that does not fit the suite.
    pub fn defects(&self) -> Result<crate::detection::Catalogue, StageError> {
        locate::defects(&self.target, &self.suite).map_err(|failure| StageError(failure.to_string()))
    }

    /// Runs a case, starting the session if this is the first. Blocks; called by one thread for each test.
    #[must_use]
    pub fn run(&self, planned: &Planned) -> Told {
        let report = self.runtime.block_on(async {
            match self.session.get_or_init(|| self.start()).await {
                Ok(session) => session.run_one(planned, 0, 1, &()).await,
                Err(why) => CaseReport::not_run(planned, why.clone()),
            }
        });
        let report = CaseReport { profile: self.suite.profile.clone(), ..report };
        let told = tell_one(&report);
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(told.clone());
        told
    }

    /// Sweeps a scenario, starting the session if this is the first. Blocks. In reports it counts as one run.
    ///
    /// # Errors
    /// Why there is no session, or nothing to go by.
    pub fn sweep(&self, scenario: Scenario) -> Result<Outcome, StageError> {
        let cancel = CancellationToken::new();
        let outcome = self.runtime.block_on(async {
            match self.session.get_or_init(|| self.start()).await {
                Ok(session) => {
                    let swept = explore::sweep::sweep(session, scenario, &|_| (), &cancel).await;
                    swept.map_err(|error| StageError(error.to_string()))
                }
                Err(why) => Err(StageError(why.clone())),
            }
        })?;
        let told = tell_one(&outcome.representative());
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(told);
        Ok(outcome)
    }

    /// What all runs so far came to.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the stack and the resets took, for people; `None` when nothing was run.
    #[must_use]
    pub fn figures(&self) -> Option<String> {
        let Some(Ok(session)) = self.session.get() else { return None };
        let mut resets: Vec<_> = self.told().iter().map(|told| told.report.figures.reset.as_millis()).collect();
        resets.retain(|millis| *millis > 0);
        resets.sort_unstable();
        let (median, most) = (resets.get(resets.len() / 2)?, resets.last()?);
        let stack = session.stack_start().as_secs_f64();
        let mut figures = format!(
            "figures: stack ready in {stack:.1} s; reset over {}: {median} ms at the median, {most} ms at most",
            count(resets.len() as u64, "run")
        );
        let told = self.told();
        let recovered = told.iter().filter_map(|told| Some((told.report.figures.recovery?, &told.report.case)));
        if let Some((slowest, case)) = recovered.max() {
            figures.push_str(&format!("; slowest recovery: {} ({case})", seconds(slowest)));
        }
        Some(figures)
    }

    /// Takes the session down, if it was ever started.
    pub fn finish(self) {
        if let Some(Ok(session)) = self.session.into_inner() {
            self.runtime.block_on(session.finish(&Notes));
        }
    }

    async fn start(&self) -> Result<Session, String> {
        let stack = StackConfig::from_env().and_then(StackConfig::agreed).map_err(|error| error.to_string())?;
        // A test binary is ended by whoever runs it; nothing here is cancelled in order.
        let cancel = CancellationToken::new();
        let options = Options { runs_dir: PathBuf::from(RUNS), stack, env: Vec::new(), cancel };
        let session = Session::start(Arc::clone(&self.target), Arc::clone(&self.suite), options, &()).await;
        session.map_err(|error| error.to_string())
    }
}
