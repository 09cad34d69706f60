//! What Postgres, Redis and Kafka have in common: starting until ready, being killed, and their errors.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::socket::UnixAddr;

use super::running::Running;
use super::{Port, PortError, SpawnError, port};

/// Lines of a server's log that an error shows.
const TAIL_LINES: usize = 15;
/// Pause between two probes.
const PROBE_EVERY: Duration = Duration::from_millis(5);
/// How often a start is tried when strangers take the chosen port first.
const START_TRIES_MAX: u32 = 3;

/// Why a server of the stack did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No port to listen on.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The program could not be run.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// Its files could not be written.
    #[error("failed to start {server}: {} cannot be written: {why}; choose another place with FIREASSAY_TMP=<folder>", path.display())]
    Files {
        /// Which server.
        server: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        why: io::Error,
    },
    /// Our own client of it could not be set up.
    #[error("failed to set up the client of {server}: {why}")]
    Client {
        /// Which server.
        server: &'static str,
        /// The client's reason.
        why: String,
    },
    /// It ended instead of becoming ready.
    #[error(
        "{server} ended while starting ({status}); `fireassay doctor` checks what it needs. Its last lines:\n{log}"
    )]
    Ended {
        /// Which server.
        server: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// It was not ready in time.
    #[error(
        "{server} was not ready within {} s (the last probe: {probe}); is the machine overloaded? Its last lines:\n{log}",
        within.as_secs()
    )]
    NotReady {
        /// Which server.
        server: &'static str,
        /// The deadline.
        within: Duration,
        /// What the last probe said.
        probe: String,
        /// The end of its log.
        log: String,
    },
}

/// Something asked of a running server failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to {what} in {server}: {why}")]
pub struct ServiceError {
    /// Which server.
    pub server: &'static str,
    /// What was to be done.
    pub what: String,
    /// Its answer, or what kept us from getting one.
    pub why: String,
}

/// The evidence of a kill: these processes were there, and are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Killed {
    /// Which server.
    pub server: &'static str,
    /// The numbers of its processes, the main one first. Empty when it was not running: then the kill did nothing.
    pub pids: Vec<u32>,
    /// From the signal until all were gone.
    pub took: Duration,
}

impl Killed {
    /// Kills a server that is one process or one container, and waits until it is gone.
    pub(super) async fn kill(
        server: &'static str,
        process: &Running,
        deadline: Duration,
    ) -> Result<Self, ServiceError> {
        let start = Instant::now();
        let pids = if process.kill().await { vec![process.pid()] } else { Vec::new() };
        if process.wait(deadline).await.is_none() {
            let why = format!("process {} is still there after {} s", process.pid(), deadline.as_secs());
            return Err(ServiceError { server, what: "kill the process".to_owned(), why });
        }
        Ok(Self { server, pids, took: start.elapsed() })
    }

    /// The evidence that there was nothing to kill.
    pub(super) fn nothing(server: &'static str) -> Self {
        Self { server, pids: Vec::new(), took: Duration::ZERO }
    }
}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, pids, took } = self;
        match pids.as_slice() {
            [] => write!(f, "{server} was not running"),
            [pid] => write!(f, "SIGKILL to {server} (process {pid}), gone after {took:.1?}"),
            [pid, rest @ ..] => {
                write!(
                    f,
                    "SIGKILL to {server} (process {pid} and {} of its children), gone after {took:.1?}",
                    rest.len()
                )
            }
        }
    }
}

/// Probes until `process` is ready.
pub(super) async fn until_ready<F>(
    server: &'static str,
    process: &Running,
    within: Duration,
    probe: impl Fn() -> F,
) -> Result<(), StartError>
where
    F: Future<Output = Result<(), String>>,
{
    let end = Instant::now() + within;
    loop {
        let answer = tokio::time::timeout(end.saturating_duration_since(Instant::now()), probe()).await;
        let Err(probe) = answer.unwrap_or_else(|_| Err("no answer".to_owned())) else { return Ok(()) };
        if let Some(status) = process.try_status() {
            return Err(StartError::Ended { server, status, log: process.log_tail(TAIL_LINES) });
        }
        if Instant::now() >= end {
            return Err(StartError::NotReady { server, within, probe, log: process.log_tail(TAIL_LINES) });
        }
        tokio::time::sleep(PROBE_EVERY).await;
    }
}

/// Reserves ports and starts a server on them; tries again on others while a stranger has taken one: a port that was
/// free when it was chosen need not be when the server gets to it. Everything else that goes wrong is an error at once.
pub(super) async fn on_free_ports<const N: usize, T, F>(
    range: &RangeInclusive<u16>,
    start: impl Fn([Port; N]) -> F,
) -> Result<T, StartError>
where
    F: Future<Output = Result<T, StartError>>,
{
    let mut tries = 1;
    loop {
        let mut ports = Vec::with_capacity(N);
        for _ in 0..N {
            ports.push(Port::reserve(range)?);
        }
        let addresses: Vec<SocketAddr> = ports.iter().map(Port::address).collect();
        let Ok(ports) = <[Port; N]>::try_from(ports) else { unreachable!("N ports were reserved") };
        match start(ports).await {
            Err(StartError::Ended { .. } | StartError::Spawn(SpawnError::Container { .. }))
                if tries < START_TRIES_MAX && addresses.iter().any(port::is_taken) =>
            {
                tries += 1;
            }
            result => return result,
        }
    }
}

/// The environment of a server: what it takes to find programs and libraries, and nothing else. A PGOPTIONS or
/// JAVA_TOOL_OPTIONS of the user must not change what is tested.
pub(super) fn plain_env() -> Vec<(String, String)> {
    let kept = ["PATH", "HOME", "LD_LIBRARY_PATH"].map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    let set = [("LC_ALL", "C.UTF-8"), ("TZ", "UTC")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    kept.into_iter().flatten().chain(set).collect()
}

/// Writes a file of a server.
pub(super) fn write(server: &'static str, path: &Path, text: &str) -> Result<(), StartError> {
    std::fs::write(path, text).map_err(|why| StartError::Files { server, path: path.to_owned(), why })
}

/// A socket of the file system, if its path is short enough for one. Without it, links take the port.
pub(super) fn socket_path(path: PathBuf) -> Option<PathBuf> {
    UnixAddr::new(&path).is_ok().then_some(path)
}

/// Makes a folder of a server and the folders above it.
pub(super) fn make_folder(server: &'static str, path: &Path) -> Result<(), StartError> {
    std::fs::create_dir_all(path).map_err(|why| StartError::Files { server, path: path.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::TcpListener;
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn ended() -> StartError {
        StartError::Ended { server: "test", status: ExitStatus::from_raw(256), log: "address in use".to_owned() }
    }

    #[tokio::test]
    async fn a_stranger_on_the_chosen_port_means_another_port() {
        let stranger = Cell::new(None);
        let start = |[port]: [Port; 1]| {
            let first = stranger.take().is_none();
            if first {
                stranger.set(TcpListener::bind(port.address()).ok());
            }
            async move { if first { Err(ended()) } else { Ok(port.number()) } }
        };
        assert!(on_free_ports(&(19_420..=19_423), start).await.is_ok());
    }

    #[tokio::test]
    async fn any_other_end_is_an_error_at_once() {
        let tries = Cell::new(0);
        let start = |[_port]: [Port; 1]| {
            tries.set(tries.get() + 1);
            async { Err::<(), _>(ended()) }
        };
        let error = on_free_ports(&(19_424..=19_425), start).await.unwrap_err();
        assert!(error.to_string().contains("address in use"), "{error}");
        assert_eq!(tries.get(), 1);
    }
}
