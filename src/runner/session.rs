//! Many runs on one stack that is started once, for callers that ask for one run at a time, as test harnesses do.

use std::path::PathBuf;
use std::sync::Arc;

use super::{CaseReport, Planned, RunError};
use crate::suite::Suite;
use crate::target::Target;

/// How a session runs what it is given.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Where the runs' folders go.
    pub runs_dir: PathBuf,
    /// How many sandboxes at a time; at least 1.
    pub jobs: usize,
    /// Environment variables added to every instance of the target.
    pub env: Vec<(String, String)>,
}

/// A started stack and a built target. Dropping it takes everything down.
#[derive(Debug)]
pub struct Session {}

impl Session {
    /// Starts the stack and builds the target.
    ///
    /// # Errors
    /// When the environment failed as a whole: no stack, no target build, no run folder.
    pub async fn start(target: Arc<Target>, suite: Arc<Suite>, options: SessionOptions) -> Result<Self, RunError> {
        let _ = (target, suite, options);
        Err(RunError::Environment("not written yet".into()))
    }

    /// Runs one case. Waits for a free sandbox; an exclusive case waits until it is alone.
    /// What goes wrong with this run alone is in the report's `error`.
    pub async fn run_one(&self, planned: &Planned) -> CaseReport {
        CaseReport::not_run(planned, "not written yet")
    }

    /// Takes the stack down and waits until it is gone.
    pub async fn finish(self) {}
}
