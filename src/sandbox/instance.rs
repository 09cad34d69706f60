//! One process of the target, or one container: started, watched, and treated badly.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::Port;
use super::docker::DockerError;
use super::running::{Program, Running};
use crate::clock::{Unloadable, loadable};
use crate::history::{InstanceName, ProcessChange, Recorder, What};
use crate::target::{Driver, Ready};

/// How many lines of an instance's output an error shows.
const TAIL_LINES: usize = 15;

/// The pause between two ready probes.
const PROBE_PAUSE: Duration = Duration::from_millis(10);

/// How long a killed process may take to be gone.
const KILL_DEADLINE: Duration = Duration::from_secs(10);

/// How long a process may take to come to a stop after SIGSTOP.
const FREEZE_DEADLINE: Duration = Duration::from_secs(1);

/// What an instance is and how long it may take.
#[derive(Debug)]
pub struct InstanceSpec {
    /// Its name.
    pub name: InstanceName,
    /// What is started; its log receives the output of every start.
    pub(super) program: Program,
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

/// Why an instance is not back in its network.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReconnectError {
    /// The daemon did not do it.
    #[error(transparent)]
    Docker(DockerError),
    /// The instance is not found there.
    #[error(transparent)]
    Target(StartError),
}

fn last_lines(tail: &str) -> String {
    if tail.trim().is_empty() { "it printed nothing".to_owned() } else { format!("its last lines:\n{tail}") }
}

/// A process of the target that can be started again and again on the same port.
#[derive(Debug)]
pub struct Instance {
    spec: InstanceSpec,
    recorder: Arc<Recorder>,
    process: Mutex<Option<Running>>,
}

impl Instance {
    /// An instance that is not running yet.
    #[must_use]
    pub fn new(spec: InstanceSpec, recorder: Arc<Recorder>) -> Self {
        Self { spec, recorder, process: Mutex::new(None) }
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
        let started = self.spec.program.start().await;
        let process =
            started.map_err(|error| StartError::Spawn { name: self.spec.name.clone(), why: error.to_string() })?;
        self.record(ProcessChange::Started { pid: process.pid() });
        *guard = Some(process);
        self.get_ready(&mut guard).await
    }

    /// Waits until what runs is ready, as [`Instance::start`] does.
    async fn get_ready(&self, guard: &mut MutexGuard<'_, Option<Running>>) -> Result<(), StartError> {
        let Some(process) = guard.as_ref() else { return Ok(()) };
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
                self.forget_if_ended(guard);
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
        if !guard.as_ref()?.kill().await {
            self.ended_by_itself(&mut guard).await;
            return None;
        }
        let process = guard.take()?;
        let status = process.wait(KILL_DEADLINE).await;
        // It may have ended by itself between the look and the signal.
        let killed = status.is_none_or(|status| status.signal() == Some(Signal::SIGKILL as i32));
        let gone = self.gone(&process, status, killed);
        killed.then_some(gone)
    }

    /// SIGTERM, and SIGKILL after its stop deadline; returns once it is gone. `None` when it was not running.
    pub async fn stop(&self) -> Option<String> {
        let mut guard = self.process.lock().await;
        self.forget_if_ended(&mut guard);
        if !guard.as_ref()?.terminate().await {
            self.ended_by_itself(&mut guard).await;
            return None;
        }
        let process = guard.take()?;
        let pid = process.pid();
        if let Some(status) = process.wait(self.spec.stop_deadline).await {
            self.record(ProcessChange::Exited { status: status.to_string(), expected: true });
            return Some(format!("process {pid} took SIGTERM and ended by itself: {status}"));
        }
        process.kill().await;
        let gone = self.gone(&process, process.wait(KILL_DEADLINE).await, true);
        let patience = humantime::format_duration(self.spec.stop_deadline);
        Some(format!("process {pid} took SIGTERM, did not end within {patience} and was killed: {gone}"))
    }

    /// SIGSTOP, or the freezer of its container; returns once every thread has stopped. `None` when it was not running, or did not stop.
    pub async fn pause(&self) -> Option<String> {
        let mut guard = self.process.lock().await;
        self.forget_if_ended(&mut guard);
        if !guard.as_ref()?.pause().await {
            self.ended_by_itself(&mut guard).await;
            return None;
        }
        let process = guard.as_ref()?;
        if !process.is_frozen(FREEZE_DEADLINE).await {
            process.resume().await;
            let patience = humantime::format_duration(FREEZE_DEADLINE);
            let text =
                format!("{}: process {} did not stop within {patience} of SIGSTOP", self.spec.name, process.pid());
            self.recorder.record(What::Note { text });
            return None;
        }
        Some(format!("process {} {}", process.pid(), process.stopped_by()))
    }

    /// SIGCONT.
    pub async fn resume(&self) {
        if let Some(process) = self.process.lock().await.as_ref() {
            process.resume().await;
        }
    }

    /// Whether it is a container.
    #[must_use]
    pub fn is_container(&self) -> bool {
        self.spec.program.container().is_some()
    }

    /// Takes its container out of its network, so that it reaches nobody and nobody reaches it. `None` when it was not
    /// running, or is a process.
    ///
    /// # Errors
    /// When the daemon cannot.
    pub async fn disconnect(&self) -> Result<Option<String>, DockerError> {
        let mut guard = self.process.lock().await;
        self.forget_if_ended(&mut guard);
        match self.spec.program.container() {
            Some(container) if guard.is_some() => container.disconnect().await,
            _ => Ok(None),
        }
    }

    /// Puts its container back into its network, and waits until it is found there again, if it runs.
    ///
    /// # Errors
    /// When the daemon cannot, or it does not answer its probe in time.
    pub async fn reconnect(&self) -> Result<(), ReconnectError> {
        let mut guard = self.process.lock().await;
        let Some(container) = self.spec.program.container() else { return Ok(()) };
        container.reconnect().await.map_err(ReconnectError::Docker)?;
        self.forget_if_ended(&mut guard);
        self.get_ready(&mut guard).await.map_err(ReconnectError::Target)
    }

    /// Removes what it leaves behind besides its log, once it has ended for good.
    pub(super) async fn discard(&self) {
        self.spec.program.discard().await;
    }

    /// Why its clock cannot be changed, as far as the program that it runs now shows.
    pub async fn unloadable(&self) -> Option<Unloadable> {
        let running = self.process.lock().await;
        let program = format!("/proc/{}/exe", running.as_ref()?.pid());
        loadable(Path::new(&program)).err()
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

    fn forget_if_ended(&self, guard: &mut MutexGuard<'_, Option<Running>>) {
        if let Some(status) = guard.as_ref().and_then(Running::try_status) {
            self.record(ProcessChange::Exited { status: status.to_string(), expected: false });
            guard.take();
        }
    }

    /// It ended a moment ago, before our signal: waits until that can be recorded as what it was.
    async fn ended_by_itself(&self, guard: &mut MutexGuard<'_, Option<Running>>) {
        if let Some(process) = guard.as_ref() {
            process.wait(KILL_DEADLINE).await;
        }
        self.forget_if_ended(guard);
    }

    fn gone(&self, process: &Running, status: Option<ExitStatus>, expected: bool) -> String {
        let status = status.map_or_else(|| "still there: it cannot be killed".to_owned(), |status| status.to_string());
        self.record(ProcessChange::Exited { status: status.clone(), expected });
        format!("process {} ended: {status}", process.pid())
    }

    fn record(&self, change: ProcessChange) {
        self.recorder.record(What::Process { name: self.spec.name.to_string(), change });
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sandbox::{ProcessSpec, Processes};

    /// A shell as an instance, with `$0` a path where it may say something.
    async fn shell(script: &str) -> (tempfile::TempDir, Instance) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let name = InstanceName { role: "shell".to_owned(), number: 1 };
        let process = ProcessSpec {
            name: name.to_string(),
            program: "/bin/sh".into(),
            args: ["-c", script, &path("sign").to_string_lossy()].map(str::to_owned).to_vec(),
            env: super::super::target_env(),
            clear_env: true,
            directory: folder.path().to_owned(),
            log: path("log"),
            user: None,
        };
        let spec = InstanceSpec {
            program: Program::Process(Processes::start().unwrap(), process),
            name,
            port: Port::reserve(&(19_430..=19_449)).unwrap(),
            ready: Ready::Running,
            start_deadline: Duration::from_secs(10),
            stop_deadline: Duration::from_secs(10),
        };
        let recorder = Arc::new(Recorder::create(&path("history.jsonl")).unwrap());
        let instance = Instance::new(spec, recorder);
        instance.start().await.unwrap();
        (folder, instance)
    }

    async fn until(what: &str, condition: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(10);
        while !condition() {
            assert!(Instant::now() < end, "{what} did not come");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn exits(instance: &Instance) -> Vec<(String, bool)> {
        let exits = instance.recorder.snapshot().events.into_iter().filter_map(|event| match event.what {
            What::Process { change: ProcessChange::Exited { status, expected }, .. } => Some((status, expected)),
            _ => None,
        });
        exits.collect()
    }

    #[tokio::test]
    async fn a_crash_just_before_a_kill_is_not_called_planned() {
        // The stray child keeps the output open, so that the dead shell stays unreaped for a while.
        let (folder, instance) =
            shell("env -i PATH=\"$PATH\" setsid sleep 1 & until [ -e \"$0\" ]; do sleep 0.01; done; exit 3").await;
        let pid = instance.process.lock().await.as_ref().unwrap().pid();
        fs::write(folder.path().join("sign"), "").unwrap();
        let dead = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
        until("the end", || dead() || instance.has_ended()).await;
        assert_eq!(instance.kill().await, None);
        assert_eq!(exits(&instance), [("exit status: 3".to_owned(), false)]);
    }

    #[tokio::test]
    async fn a_kill_is_planned_and_told() {
        let (_folder, instance) = shell("sleep 60").await;
        let told = instance.kill().await.unwrap();
        assert!(told.ends_with("signal: 9 (SIGKILL)"), "{told}");
        assert_eq!(exits(&instance), [("signal: 9 (SIGKILL)".to_owned(), true)]);
        assert_eq!(instance.kill().await, None);
    }

    #[tokio::test]
    async fn a_pause_is_claimed_when_the_whole_group_has_stopped() {
        let (folder, instance) = shell("sleep 60 & touch \"$0\"; while :; do :; done").await;
        until("the child", || folder.path().join("sign").exists()).await;
        assert!(instance.pause().await.unwrap().contains("stopped by SIGSTOP"));
        let guard = instance.process.lock().await;
        let process = guard.as_ref().unwrap();
        assert!(process.is_frozen(Duration::ZERO).await);
        process.resume().await;
        assert!(!process.is_frozen(Duration::ZERO).await, "the busy shell runs again");
    }
}
