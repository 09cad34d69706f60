//! A server of the stack that can be killed and started again, whatever it runs in, unless it is somebody else's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use super::running::{Program, Running};
use super::service::until_ready;
use super::{Killed, Port, ServiceError, StartError};
use crate::link::Upstream;

/// One of the stack's three.
#[derive(Debug)]
pub(super) struct Server {
    name: &'static str,
    program: Program,
    log: PathBuf,
    /// A socket of the file system that it listens on besides.
    socket: Option<PathBuf>,
    /// Empty while it is killed.
    running: Mutex<Option<Running>>,
}

/// Where a server listens.
#[derive(Debug)]
pub(super) enum At {
    /// On a port that is reserved for it.
    Ours(Port),
    /// Where somebody else has put it.
    Theirs(SocketAddr),
}

impl At {
    /// Its address.
    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Ours(port) => port.address(),
            Self::Theirs(address) => *address,
        }
    }
}

/// A server that does not run, and that nobody else can start meanwhile.
pub(super) struct Down<'a> {
    server: &'a Server,
    running: MutexGuard<'a, Option<Running>>,
}

impl Server {
    /// A server that does not run yet.
    pub(super) fn new(name: &'static str, program: Program, log: PathBuf) -> Self {
        Self { name, program, log, socket: None, running: Mutex::new(None) }
    }

    /// A server that somebody else has started.
    pub(super) fn elsewhere(name: &'static str) -> Self {
        Self::new(name, Program::Elsewhere, PathBuf::new())
    }

    /// Whether somebody else has started it.
    pub(super) fn is_elsewhere(&self) -> bool {
        matches!(self.program, Program::Elsewhere)
    }

    /// The same, that listens on a socket of the file system besides.
    pub(super) fn listening_on(self, socket: Option<PathBuf>) -> Self {
        Self { socket, ..self }
    }

    /// Where links connect to, if it listens there.
    pub(super) fn upstream(&self, at: &At) -> Upstream {
        self.socket.clone().map_or_else(|| at.address().into(), Upstream::Unix)
    }

    /// What it is started as.
    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    /// Where its output goes.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its log.
    pub(super) fn log_tail(&self, lines: usize) -> String {
        super::process::log_tail(&self.log, lines)
    }

    /// Keeps it from being started until the guard is dropped; `None` when it runs.
    pub(super) async fn down(&self) -> Option<Down<'_>> {
        let running = self.running.lock().await;
        let runs = running.as_ref().is_some_and(|running| running.try_status().is_none());
        (!runs).then_some(Down { server: self, running })
    }

    /// What runs, for as long as the guard is kept.
    pub(super) async fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().await
    }

    /// As [`Server::running`], in a destructor.
    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        self.running.get_mut().as_mut()
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub(super) async fn kill(&self, deadline: Duration) -> Result<Killed, ServiceError> {
        if self.is_elsewhere() {
            let why = "it was not started by fireassay".to_owned();
            return Err(ServiceError { server: self.name, what: "kill the process".to_owned(), why });
        }
        match self.running.lock().await.take() {
            None => Ok(Killed::nothing(self.name)),
            Some(running) => Killed::kill(self.name, &running, deadline).await,
        }
    }

    /// Whether it runs.
    pub(super) async fn is_running(&self) -> bool {
        self.running.lock().await.as_ref().is_some_and(|running| running.try_status().is_none())
    }

    /// How it ended, if nobody ended it. Never waits: whoever holds the lock is starting or ending it.
    pub(super) fn has_ended(&self) -> Option<ExitStatus> {
        self.running.try_lock().ok()?.as_ref()?.try_status()
    }
}

impl Down<'_> {
    /// Starts it and probes until it is ready.
    pub(super) async fn start<F>(mut self, within: Duration, probe: impl Fn() -> F) -> Result<(), StartError>
    where
        F: Future<Output = Result<(), String>>,
    {
        let running = self.server.program.start().await?;
        until_ready(self.server.name, &running, within, probe).await?;
        *self.running = Some(running);
        Ok(())
    }
}
