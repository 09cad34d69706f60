//! Processes that never outlive the harness.
//!
//! Three nets, each for what the one before cannot catch: dropping a [`Process`] kills its group and, by a mark in their
//! environment, the children that have left it; the kernel's parent-death signal kills each leader when the harness is
//! killed; the guardian, a process of its own, then kills what the leaders left behind and removes the directories.

mod death;
mod frozen;
mod guardian;
mod log;
mod mark;
mod spawner;
mod spec;
mod stat;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::sync::watch;

pub(in crate::sandbox) use self::guardian::Guardian;
pub(in crate::sandbox) use self::log::{BoundedLog, tail as log_tail};
pub use self::spec::{ProcessSpec, SpawnError};
pub(in crate::sandbox) use self::stat::Stat;

use self::spawner::Spawner;

/// How long a killed process may take to be gone before we stop waiting for it in a destructor.
const GONE_DEADLINE: Duration = Duration::from_secs(5);
/// How long an exit waits for the rest of the output. Only a child that left its group can make it take that long.
pub(in crate::sandbox) const OUTPUT_DEADLINE: Duration = Duration::from_millis(200);
/// Pause between two looks at a group that is about to stop.
const FREEZE_PROBE_EVERY: Duration = Duration::from_millis(1);
/// Threads that copy output or wait need little stack.
const THREAD_STACK_BYTES: usize = 128 * 1024;

/// Starts processes. Cheap to clone; all clones share one spawner thread and one guardian.
#[derive(Clone, Debug)]
pub struct Processes {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    spawner: Spawner,
    guardian: Guardian,
    /// What the mark of each process begins with.
    mark: String,
    next: AtomicU64,
}

impl Processes {
    /// Starts the spawner thread and the guardian.
    ///
    /// # Errors
    /// When the system gives no thread, or no process for the guardian (it needs `/bin/sh`).
    pub fn start() -> io::Result<Self> {
        let spawner = Spawner::start()?;
        let guardian = Guardian::start()?;
        let mark = format!("{}-{:016x}", std::process::id(), rand::random::<u64>());
        guardian.mark(&format!("{}={mark}", mark::VARIABLE));
        Ok(Self { shared: Arc::new(Shared { spawner, guardian, mark, next: AtomicU64::new(1) }) })
    }

    /// Starts a process in a session, and so in a process group, of its own, with no standard input.
    ///
    /// # Errors
    /// When the program, its directory or its log cannot be used.
    pub fn spawn(&self, spec: &ProcessSpec) -> Result<Process, SpawnError> {
        let refused = |why| SpawnError::Refused {
            name: spec.name.clone(),
            program: spec.program.clone(),
            directory: spec.directory.clone(),
            why,
        };
        let unwritable = |why| SpawnError::Log { name: spec.name.clone(), log: spec.log.clone(), why };

        let log = BoundedLog::open(&spec.log).map_err(unwritable)?;
        let (output, input) = io::pipe().map_err(refused)?;
        let mark = format!("{}-{}", self.shared.mark, self.shared.next.fetch_add(1, Ordering::Relaxed));
        let mut command = spec.command();
        command.env(mark::VARIABLE, &mark);
        command.stdout(input.try_clone().map_err(refused)?).stderr(input);
        let child = self.shared.spawner.spawn(command).map_err(refused)?;
        let leader = Leader { child, reaped: false };
        let pid = leader.child.id();
        self.shared.guardian.watch(pid);

        let (status, _) = watch::channel(None);
        let status = Arc::new(status);
        let gone = log
            .copy_from(output)
            .and_then(|copied| reap_in_background(leader, mark, Arc::clone(&status), copied, self.clone()))
            .map_err(|why| {
                self.shared.guardian.forget(pid);
                refused(why)
            })?;
        Ok(Process { name: spec.name.clone(), pid, log: spec.log.clone(), status, gone: Mutex::new(gone) })
    }

    /// Has the guardian remove `directory` when the harness is gone.
    pub(super) fn guard_directory(&self, directory: &Path) {
        self.shared.guardian.directory(directory);
    }

    /// Has the guardian kill all processes whose title starts with `title`, for servers whose children leave their group.
    pub(super) fn guard_title(&self, title: &str) {
        self.shared.guardian.title(title);
    }

    /// Has the guardian remove the System V shared memory of a Postgres, which outlives its processes.
    pub(super) fn guard_postmaster(&self, lock_file: &Path) {
        self.shared.guardian.postmaster(lock_file);
    }
}

/// A running process, or one that has ended. Dropping it kills its whole group and waits until it is gone.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: u32,
    log: PathBuf,
    /// Set at the moment of reaping, under the channel's own lock. Signals are sent under the same lock and only while
    /// this is empty, so they cannot hit a stranger that was given the same number.
    status: Arc<watch::Sender<Option<ExitStatus>>>,
    /// Closed when the process has been reaped.
    gone: Mutex<Receiver<()>>,
}

impl Process {
    /// The name it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number, which is also the number of its group and session.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends SIGKILL to the group. Says whether the process had not ended by itself.
    pub fn kill(&self) -> bool {
        self.signal(Signal::SIGKILL)
    }

    /// Sends SIGTERM to the group. Says whether the process was there to get it.
    pub fn terminate(&self) -> bool {
        self.signal(Signal::SIGTERM)
    }

    /// Freezes the group. Says whether the process was there to freeze.
    pub fn pause(&self) -> bool {
        self.signal(Signal::SIGSTOP)
    }

    /// Waits until the kernel says that the whole group has stopped, no longer than `deadline`. Says whether it has.
    pub(super) async fn is_frozen(&self, deadline: Duration) -> bool {
        let end = Instant::now() + deadline;
        loop {
            if frozen::is_frozen(self.pid) {
                return true;
            }
            if self.try_status().is_some() || Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(FREEZE_PROBE_EVERY).await;
        }
    }

    /// Lets a frozen group go on. Says whether the process was there.
    pub fn resume(&self) -> bool {
        self.signal(Signal::SIGCONT)
    }

    /// Sends `signal` to the leader alone.
    pub(super) fn signal_leader(&self, signal: Signal) -> bool {
        let status = self.status.borrow();
        status.is_none() && nix::sys::signal::kill(as_pid(self.pid), signal).is_ok()
    }

    /// How it ended, or `None` while it runs.
    #[must_use]
    pub fn try_status(&self) -> Option<ExitStatus> {
        *self.status.borrow()
    }

    /// Waits until it has ended, no longer than `deadline`. Its output is in the log by then.
    pub async fn wait(&self, deadline: Duration) -> Option<ExitStatus> {
        let mut status = self.status.subscribe();
        let ended = tokio::time::timeout(deadline, status.wait_for(Option::is_some)).await;
        ended.ok().and_then(Result::ok).and_then(|status| *status)
    }

    /// The last `lines` lines of its output, with control characters made harmless.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        log::tail(&self.log, lines)
    }

    /// Where its output is.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Waits like [`Process::wait`], for destructors.
    pub(super) fn wait_blocking(&self, deadline: Duration) {
        // An error other than a timeout is the good case: the waiting thread has ended.
        let _ = self.gone.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(deadline);
    }

    fn signal(&self, signal: Signal) -> bool {
        let status = self.status.borrow();
        status.is_none() && !has_ended(self.pid) && killpg(as_pid(self.pid), signal).is_ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.wait_blocking(GONE_DEADLINE);
    }
}

/// A child that has not been reaped yet. If no thread can be had that waits for it, dropping this kills it and its group:
/// nobody else would.
struct Leader {
    child: Child,
    reaped: bool,
}

impl Leader {
    fn reap(&mut self) -> Option<ExitStatus> {
        self.reaped = true;
        self.child.wait().ok()
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = killpg(as_pid(self.child.id()), Signal::SIGKILL);
            self.reap();
        }
    }
}

/// Waits for the leader in a thread of its own, kills what it left behind, and reaps it.
/// The receiver is closed after that.
fn reap_in_background(
    mut leader: Leader,
    mark: String,
    status: Arc<watch::Sender<Option<ExitStatus>>>,
    copied: Receiver<()>,
    processes: Processes,
) -> io::Result<Receiver<()>> {
    let (done, gone) = mpsc::channel();
    let reap = move || {
        let pid = leader.child.id();
        // Leaves the dead leader unreaped, so that the number of its group stays taken while we kill the rest.
        while waitid(Id::Pid(as_pid(pid)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(nix::errno::Errno::EINTR)
        {
        }
        let _ = killpg(as_pid(pid), Signal::SIGKILL);
        mark::kill_marked(&mark);
        let _ = copied.recv_timeout(OUTPUT_DEADLINE);
        status.send_modify(|status| *status = leader.reap());
        processes.shared.guardian.forget(pid);
        // In this order: whoever waits for the end may rely on our share of the guardian being given up.
        drop(processes);
        drop(done);
    };
    thread::Builder::new().name("reaper".to_owned()).stack_size(THREAD_STACK_BYTES).spawn(reap)?;
    Ok(gone)
}

/// Whether an unreaped child has ended: it takes signals without complaint until it is reaped.
fn has_ended(pid: u32) -> bool {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
    !matches!(waitid(Id::Pid(as_pid(pid)), look), Ok(WaitStatus::StillAlive))
}

fn as_pid(pid: u32) -> Pid {
    // Linux's numbers end at 4,194,304.
    Pid::from_raw(pid.cast_signed())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use nix::errno::Errno;

    use super::*;

    #[test]
    fn a_child_that_nobody_can_wait_for_is_killed() {
        let child = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let pid = as_pid(child.id());
        drop(Leader { child, reaped: false });
        assert_eq!(nix::sys::signal::kill(pid, None), Err(Errno::ESRCH));
    }

    #[test]
    fn a_child_that_has_ended_is_known_before_it_is_reaped() {
        let child = Command::new("true").process_group(0).spawn().unwrap();
        let pid = child.id();
        let leader = Leader { child, reaped: false };
        waitid(Id::Pid(as_pid(pid)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
        assert!(has_ended(pid));
        drop(leader);
    }
}
