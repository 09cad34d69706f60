//! Postgres' own children. Each makes a session of its own, so that a signal to the postmaster's group misses them.
//! They are found by what every user may read in `/proc`: the parent's number, and the title Postgres gives them.

use std::fs;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::sandbox::process::Stat;

/// A process, told apart from a later one with the same number by the time it was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Child {
    pub(super) pid: u32,
    /// In the kernel's ticks since the machine was started.
    started: u64,
}

impl Child {
    /// Sends SIGKILL unless it is gone.
    pub(super) fn kill(&self) {
        if !self.is_gone() {
            let _ = signal::kill(Pid::from_raw(self.pid.cast_signed()), Signal::SIGKILL);
        }
    }

    /// Whether it has ended. One that is dead but not yet reaped by its new parent has.
    pub(super) fn is_gone(&self) -> bool {
        let dead = |stat: Stat| stat.started != self.started || matches!(stat.state, 'Z' | 'X');
        Stat::of(self.pid).is_none_or(dead)
    }
}

/// The children of the process `parent`.
pub(super) fn of(parent: u32) -> Vec<Child> {
    children(|_, stat| stat.parent == parent)
}

/// All processes whose title starts with `title`. A process that is just ending has none any more.
pub(super) fn titled(title: &str) -> Vec<Child> {
    children(|pid, _| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(title.as_bytes())))
}

fn children(is_meant: impl Fn(u32, &Stat) -> bool) -> Vec<Child> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let child = |pid: u32| {
        let stat = Stat::of(pid).filter(|stat| is_meant(pid, stat))?;
        Some(Child { pid, started: stat.started })
    };
    pids.filter_map(child).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_found_under_its_parent_and_is_gone_when_killed() {
        let mut process = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let find = || of(std::process::id()).into_iter().find(|child| child.pid == process.id());
        let child = find().unwrap();
        assert!(!child.is_gone());
        child.kill();
        // Reaping waits for the end.
        process.wait().unwrap();
        assert!(child.is_gone());
        assert!(of(std::process::id()).iter().all(|other| other != &child));
    }

    #[test]
    fn another_process_under_the_same_number_is_a_stranger() {
        let ourselves = Stat::of(std::process::id()).unwrap();
        assert!(!Child { pid: std::process::id(), started: ourselves.started }.is_gone());
        assert!(Child { pid: std::process::id(), started: ourselves.started + 1 }.is_gone());
    }
}
