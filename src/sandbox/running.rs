//! What can be started and treated badly: a process of this machine, or a container; and what runs already and cannot be.
//! This is where they are made one.

use std::process::ExitStatus;
use std::time::Duration;

use super::docker::{Container, Run};
use super::{Process, ProcessSpec, Processes, SpawnError};

/// What is started, again and again.
#[derive(Debug)]
pub(super) enum Program {
    /// A process of this machine.
    Process(Processes, ProcessSpec),
    /// A container.
    Container(Box<Container>),
    /// What somebody else has started.
    Elsewhere,
}

impl Program {
    /// Starts it.
    pub(super) async fn start(&self) -> Result<Running, SpawnError> {
        Ok(match self {
            Self::Process(processes, spec) => Running::Process(processes.spawn(spec)?),
            Self::Container(container) => Running::Container(container.start().await?),
            Self::Elsewhere => Running::Elsewhere,
        })
    }

    /// The container, if it is one.
    pub(super) fn container(&self) -> Option<&Container> {
        match self {
            Self::Process(..) | Self::Elsewhere => None,
            Self::Container(container) => Some(container),
        }
    }

    /// Removes what it leaves behind in a daemon. Nothing of it may run.
    pub(super) async fn discard(&self) {
        if let Self::Container(container) = self {
            // Dropping it tries again, and so does the next harness.
            let _ = container.discard().await;
        }
    }
}

/// What has been started, and may have ended. Dropping it kills all of it.
#[derive(Debug)]
pub(super) enum Running {
    /// A process and its group.
    Process(Process),
    /// A container and all that is in it.
    Container(Run),
    /// Somebody else's. We can neither end it nor see how it ends.
    Elsewhere,
}

impl Running {
    /// The number of the first process on this machine; 0 where there is none.
    pub(super) fn pid(&self) -> u32 {
        match self {
            Self::Process(process) => process.pid(),
            Self::Container(run) => run.pid(),
            Self::Elsewhere => 0,
        }
    }

    /// SIGKILL to all of it. Says whether it had not ended by itself.
    pub(super) async fn kill(&self) -> bool {
        match self {
            Self::Process(process) => process.kill(),
            Self::Container(run) => run.signal("SIGKILL").await,
            Self::Elsewhere => false,
        }
    }

    /// SIGTERM. Says whether it was there to get it.
    pub(super) async fn terminate(&self) -> bool {
        match self {
            Self::Process(process) => process.terminate(),
            Self::Container(run) => run.signal("SIGTERM").await,
            Self::Elsewhere => false,
        }
    }

    /// Freezes it. Says whether it was there to freeze.
    pub(super) async fn pause(&self) -> bool {
        match self {
            Self::Process(process) => process.pause(),
            Self::Container(run) => run.pause().await,
            Self::Elsewhere => false,
        }
    }

    /// Lets it go on.
    pub(super) async fn resume(&self) -> bool {
        match self {
            Self::Process(process) => process.resume(),
            Self::Container(run) => run.resume().await,
            Self::Elsewhere => false,
        }
    }

    /// Waits until all of it has stopped, no longer than `deadline`. Says whether it has.
    pub(super) async fn is_frozen(&self, deadline: Duration) -> bool {
        match self {
            Self::Process(process) => process.is_frozen(deadline).await,
            // The daemon answers a pause when it is done.
            Self::Container(run) => run.is_frozen().await,
            Self::Elsewhere => false,
        }
    }

    /// How a pause is told.
    pub(super) fn stopped_by(&self) -> &'static str {
        match self {
            Self::Process(_) => "stopped by SIGSTOP",
            Self::Container(_) => "frozen with its container",
            Self::Elsewhere => "not ours to stop",
        }
    }

    /// How it ended, or `None` while it runs.
    pub(super) fn try_status(&self) -> Option<ExitStatus> {
        match self {
            Self::Process(process) => process.try_status(),
            Self::Container(run) => run.try_status(),
            Self::Elsewhere => None,
        }
    }

    /// Waits until it has ended, no longer than `deadline`. Its output is in the log by then.
    pub(super) async fn wait(&self, deadline: Duration) -> Option<ExitStatus> {
        match self {
            Self::Process(process) => process.wait(deadline).await,
            Self::Container(run) => run.wait(deadline).await,
            Self::Elsewhere => None,
        }
    }

    /// The last `lines` lines of its output.
    pub(super) fn log_tail(&self, lines: usize) -> String {
        match self {
            Self::Process(process) => process.log_tail(lines),
            Self::Container(run) => run.log_tail(lines),
            Self::Elsewhere => String::new(),
        }
    }
}
