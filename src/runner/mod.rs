//! The path of a run: plan → sandbox up → workload ∥ nemesis → heal → settle → observe → oracles → report.
//!
//! The runner emits [`Progress`]; whoever shows it or writes it down is a consumer, so that no report can change a run.

mod case;
mod conclude;
mod containers;
mod inject;
mod load;
mod nemesis;
mod readings;
mod report;
mod session;
mod settle;
mod stored;

pub use conclude::{Conclusion, conclude};
pub use report::{
    CASE_FORMAT, CaseFile, CaseReport, FaultReport, Figures, Judged, NOTES_MAX, Progress, RunReport, Sink, Step,
};
pub use session::{Options, Session};
pub use stored::{Misfit, fits, is_whole};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::fault::{Fault, resolve};
use crate::history::InstanceName;
use crate::sandbox::StackConfig;
use crate::suite::{Case, Requirement, Suite};
use crate::target::Target;

/// What to run and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The system under test.
    pub target: Arc<Target>,
    /// The specification.
    pub suite: Arc<Suite>,
    /// Which case with which seed, in this order. An exclusive case waits until it is alone.
    pub runs: Vec<Planned>,
    /// Where the runs' folders go.
    pub runs_dir: PathBuf,
    /// How many sandboxes at a time; at least 1.
    pub jobs: usize,
    /// The stack.
    pub stack: StackConfig,
    /// Environment variables added to every instance of the target, as `REFERENCE_DEFECTS=…`.
    pub env: Vec<(String, String)>,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What is run.
    pub work: Work,
    /// Variables for this run's instances only, on top of [`Request::env`]. Those of a stored case are added to them.
    pub env: Vec<(String, String)>,
}

/// Where script and plan come from.
#[derive(Clone, Debug)]
pub enum Work {
    /// Drawn from a case of the suite.
    Drawn {
        /// The case.
        case: Case,
        /// The seed.
        seed: u64,
    },
    /// As an earlier run, or a search that started from one, has stored them.
    Stored(Arc<CaseFile>),
}

impl Planned {
    /// A case of the suite with a seed.
    #[must_use]
    pub fn drawn(case: Case, seed: u64) -> Self {
        Self { work: Work::Drawn { case, seed }, env: Vec::new() }
    }

    /// A stored case, exactly as it is.
    #[must_use]
    pub fn stored(file: Arc<CaseFile>) -> Self {
        Self { work: Work::Stored(file), env: Vec::new() }
    }

    /// The same with variables for its instances.
    #[must_use]
    pub fn with_env(mut self, env: impl IntoIterator<Item = (String, String)>) -> Self {
        self.env.extend(env);
        self
    }

    /// The case's id.
    #[must_use]
    pub fn case(&self) -> &str {
        match &self.work {
            Work::Drawn { case, .. } => &case.id,
            Work::Stored(file) => &file.case,
        }
    }

    /// The case's title.
    #[must_use]
    pub fn title(&self) -> &str {
        match &self.work {
            Work::Drawn { case, .. } => &case.title,
            Work::Stored(file) => &file.title,
        }
    }

    /// Why its faults cannot be done to a target at all, if so: containers have a network to be taken out of, processes not.
    #[must_use]
    pub fn out_of_reach(&self, target: &Target) -> Option<String> {
        let is_process =
            |name: &InstanceName| target.roles.iter().any(|role| role.name == name.role && role.container.is_none());
        let plan = match &self.work {
            // A case that cannot be resolved says why when it is run.
            Work::Drawn { case, seed } => resolve(&case.faults, &target.instances(), *seed).ok()?,
            Work::Stored(file) => file.plan.clone(),
        };
        let disconnected = plan.steps.iter().find_map(|step| match &step.fault {
            Fault::Disconnect(name) if is_process(name) => Some(name),
            _ => None,
        });
        disconnected.map(|name| format!("{name} {}", inject::NO_NETWORK))
    }

    /// The hash of the regression that it is, if it is one.
    #[must_use]
    pub fn regression(&self) -> Option<&str> {
        match &self.work {
            Work::Drawn { .. } => None,
            Work::Stored(file) => file.regression.as_deref(),
        }
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        match &self.work {
            Work::Drawn { seed, .. } => *seed,
            Work::Stored(file) => file.seed,
        }
    }

    /// Whether it breaks what several runs share, so that it must be run alone.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        match &self.work {
            Work::Drawn { case, .. } => case.is_exclusive(),
            Work::Stored(file) => file.plan.steps.iter().any(|step| step.fault.is_exclusive()),
        }
    }

    /// The requirements it is judged by, with the texts of the suite or of the stored case.
    pub(crate) fn requirements(&self, suite: &Suite) -> Vec<Requirement> {
        match &self.work {
            Work::Drawn { case, .. } => {
                let checked = suite.requirements.iter().filter(|it| case.requirements.contains(&it.id));
                checked.cloned().collect()
            }
            Work::Stored(file) => file.requirements.clone(),
        }
    }
}

/// Runs everything, on one stack. Stops early, in order, when `cancel` is cancelled.
///
/// # Errors
/// When the environment failed as a whole: no stack, no target build, no run folder.
pub async fn run(request: Request, sink: &dyn Sink, cancel: &CancellationToken) -> Result<RunReport, RunError> {
    let started = Instant::now();
    let options =
        Options { runs_dir: request.runs_dir, stack: request.stack, env: request.env, cancel: cancel.clone() };
    let session = Session::start(request.target, request.suite, options, sink).await?;
    let total = request.runs.len();
    let cases: Vec<CaseReport> = futures::stream::iter(request.runs.iter().enumerate())
        .take_while(|_| std::future::ready(!cancel.is_cancelled()))
        .map(|(run, planned)| session.run_one(planned, run, total, sink))
        .buffered(request.jobs.max(1))
        .collect()
        .await;
    let stack_start = session.stack_start();
    session.finish(sink).await;
    let unstarted = total - cases.len();
    Ok(RunReport { cases, unstarted, interrupted: cancel.is_cancelled(), stack_start, took: started.elapsed() })
}

/// Why nothing could be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The environment lacks something; the text says what and how to mend it.
    #[error("{0}")]
    Environment(String),
    /// The target's own build failed.
    #[error("{what}")]
    Build {
        /// What was run and how it failed.
        what: String,
        /// Where it is built.
        directory: PathBuf,
        /// What builds it.
        command: Vec<String>,
        /// All that it said, if it ran.
        log: Option<PathBuf>,
    },
    /// The suite and the target do not fit each other.
    #[error("{0}")]
    Configuration(String),
    /// What was said of the stack cannot be used.
    #[error("{0}")]
    Stack(String),
    /// Somebody asked the harness to stop before the first run.
    #[error("interrupted")]
    Interrupted,
}
