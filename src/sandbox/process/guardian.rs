//! Our side of the guardian, a shell script that clears up when the harness is gone (see `guardian.sh`).

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::death;

const SCRIPT: &str = include_str!("guardian.sh");
/// How long it may take to clear up after a harness that ends in good order.
const END_DEADLINE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(in crate::sandbox) struct Guardian {
    child: Child,
    /// Taken when the guardian is to end. Orders are short, so that writing one never blocks for long.
    orders: Mutex<Option<ChildStdin>>,
}

impl Guardian {
    pub(in crate::sandbox) fn start() -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "fireassay-guardian"]).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        death::own_session(&mut command);
        let mut child = command.spawn()?;
        let orders = Mutex::new(child.stdin.take());
        Ok(Self { child, orders })
    }

    pub(super) fn watch(&self, group: u32) {
        self.order("watch", group);
    }

    pub(super) fn forget(&self, group: u32) {
        self.order("forget", group);
    }

    pub(super) fn mark(&self, start: &str) {
        self.order("mark", start);
    }

    pub(super) fn title(&self, title: &str) {
        self.order("title", title);
    }

    pub(super) fn postmaster(&self, lock_file: &Path) {
        self.order("postmaster", lock_file.display());
    }

    pub(super) fn directory(&self, path: &Path) {
        self.order("directory", path.display());
    }

    /// Everything in the Docker daemon that carries `label` and a name that begins with `prefix`.
    pub(in crate::sandbox) fn containers(&self, label: &str, prefix: &str) {
        self.order("containers", format_args!("{label} {prefix}"));
    }

    /// All of that is gone already: an end in good order.
    pub(in crate::sandbox) fn no_containers(&self) {
        self.order("containers", "");
    }

    fn order(&self, word: &str, what: impl Display) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(orders) = orders.as_mut() {
            // One write, so that no line is ever cut. Without a guardian the other two nets still hold.
            let _ = orders.write_all(format!("{word} {what}\n").as_bytes());
        }
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.orders.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        let deadline = Instant::now() + END_DEADLINE;
        // The standard library has no wait with a deadline.
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
