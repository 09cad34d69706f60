//! One process of the target: started, watched, and treated badly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::{Port, Process, ProcessSpec, Processes};
use crate::history::{InstanceName, ProcessChange, Recorder, What};
use crate::target::{Driver, Ready};

/// How many lines of an instance's output an error shows.
const TAIL_LINES: usize = 15;

/// The pause between two ready probes.
const PROBE_PAUSE: Duration = Duration::from_millis(10);

/// How long a killed process may take to be gone.
const KILL_DEADLINE: Duration = Duration::from_secs(10);

/// What an instance is and how long it may take.
#[derive(Debug)]
pub struct InstanceSpec {
    /// Its name.
    pub name: InstanceName,
    /// The process; its log receives the output of every start.
    pub process: ProcessSpec,
    /// Where it listens, if it does; reserved for as long as the instance may be started again.
    pub port: Port,
    /// How it is known to be ready.
    pub ready: Ready,
    /// From spawn to ready.
    pub start_deadline: Duration,
    /// From SIGTERM to gone.
    pub stop_deadline: Duration,
}

/// Why an instance did not start.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StartError {
    /// It could not be spawned.
    #[error("failed to start {name}: {why}")]
    Spawn {
        /// The instance.
        name: InstanceName,
        /// The system's reason.
        why: String,
    },
    /// It ended before it was ready.
    #[error("{name} ended before it was ready ({status}); {}", last_lines(tail))]
    Exited {
        /// The instance.
        name: InstanceName,
        /// How it ended.
        status: String,
        /// The end of its output.
        tail: String,
    },
    /// It did not answer its probe in time.
    #[error("{name} was not ready after {}: {why}; {}", humantime::format_duration(*deadline), last_lines(tail))]
    NotReady {
        /// The instance.
        name: InstanceName,
        /// How long it had.
        deadline: Duration,
        /// What the last probe said.
        why: String,
        /// The end of its output.
        tail: String,
    },
}

fn last_lines(tail: &str) -> String {
    if tail.trim().is_empty() { "it printed nothing".to_owned() } else { format!("its last lines:\n{tail}") }
}

/// A process of the target that can be started again and again on the same port.
#[derive(Debug)]
pub struct Instance {
    spec: InstanceSpec,
    processes: Processes,
    recorder: Arc<Recorder>,
    process: Mutex<Option<Process>>,
}

impl Instance {
    /// An instance that is not running yet.
    #[must_use]
    pub fn new(spec: InstanceSpec, processes: Processes, recorder: Arc<Recorder>) -> Self {
        Self { spec, processes, recorder, process: Mutex::new(None) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &InstanceName {
        &self.spec.name
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.spec.port.address()
    }

    /// Starts it, unless it runs, and waits until it is ready. Left running when it misses its deadline:
    /// it may yet come, and what it answers then belongs to the evidence.
    ///
    /// # Errors
    /// When it cannot be spawned, ends at once or is not ready in time.
    pub async fn start(&self) -> Result<(), StartError> {
        let mut guard = self.process.lock().await;
        if guard.as_ref().is_some_and(|process| process.try_status().is_none()) {
            return Ok(());
        }
        self.forget_if_ended(&mut guard);
        let process = self
            .processes
            .spawn(&self.spec.process)
            .map_err(|error| StartError::Spawn { name: self.spec.name.clone(), why: error.to_string() })?;
        self.record(ProcessChange::Started { pid: process.pid() });
        let process = guard.insert(process);
        let deadline = Instant::now() + self.spec.start_deadline;
        loop {
            let why = match Driver::ready(self.address(), &self.spec.ready).await {
                Ok(()) => {
                    self.record(ProcessChange::Ready);
                    return Ok(());
                }
                Err(error) => error.to_string(),
            };
            let tail = || process.log_tail(TAIL_LINES);
            if let Some(status) = process.try_status() {
                let (status, tail) = (status.to_string(), tail());
                self.forget_if_ended(&mut guard);
                return Err(StartError::Exited { name: self.spec.name.clone(), status, tail });
            }
            if Instant::now() >= deadline {
                let (name, deadline) = (self.spec.name.clone(), self.spec.start_deadline);
                return Err(StartError::NotReady { name, deadline, why, tail: tail() });
            }
            tokio::time::sleep(PROBE_PAUSE).await;
        }
    }

    /// SIGKILL; returns once it is gone. `None` when it was not running.
    pub async fn kill(&self) -> Option<String> {
        let mut guard = self.process.lock().await;
        self.forget_if_ended(&mut guard);
        let process = guard.take()?;
        process.kill();
        Some(self.gone(&process, KILL_DEADLINE).await)
    }

    /// SIGTERM, and SIGKILL after its stop deadline; returns once it is gone. `None` when it was not running.
    pub async fn stop(&self) -> Option<String> {
        let mut guard = self.process.lock().await;
        self.forget_if_ended(&mut guard);
        let process = guard.take()?;
        process.terminate();
        let pid = process.pid();
        if let Some(status) = process.wait(self.spec.stop_deadline).await {
            self.record(ProcessChange::Exited { status: status.to_string(), expected: true });
            return Some(format!("process {pid} took SIGTERM and ended by itself: {status}"));
        }
        process.kill();
        let gone = self.gone(&process, KILL_DEADLINE).await;
        let patience = humantime::format_duration(self.spec.stop_deadline);
        Some(format!("process {pid} took SIGTERM, did not end within {patience} and was killed: {gone}"))
    }

    /// SIGSTOP. `None` when it was not running.
    pub async fn pause(&self) -> Option<String> {
        let mut guard = self.process.lock().await;
        self.forget_if_ended(&mut guard);
        let process = guard.as_ref()?;
        process.pause();
        Some(format!("process {} stopped by SIGSTOP", process.pid()))
    }

    /// SIGCONT.
    pub async fn resume(&self) {
        if let Some(process) = self.process.lock().await.as_ref() {
            process.resume();
        }
    }

    /// Whether it is not running and nobody is about to start it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        // Whoever holds the lock is starting or ending it.
        self.process.try_lock().is_ok_and(|process| process.as_ref().is_none_or(|it| it.try_status().is_some()))
    }

    /// Records an end that nobody asked for.
    pub fn notice_exit(&self) {
        if let Ok(mut guard) = self.process.try_lock() {
            self.forget_if_ended(&mut guard);
        }
    }

    fn forget_if_ended(&self, guard: &mut MutexGuard<'_, Option<Process>>) {
        if let Some(status) = guard.as_ref().and_then(Process::try_status) {
            self.record(ProcessChange::Exited { status: status.to_string(), expected: false });
            guard.take();
        }
    }

    async fn gone(&self, process: &Process, deadline: Duration) -> String {
        let status = process
            .wait(deadline)
            .await
            .map_or_else(|| "still there: it cannot be killed".to_owned(), |status| status.to_string());
        self.record(ProcessChange::Exited { status: status.clone(), expected: true });
        format!("process {} ended: {status}", process.pid())
    }

    fn record(&self, change: ProcessChange) {
        self.recorder.record(What::Process { name: self.spec.name.to_string(), change });
    }
}
