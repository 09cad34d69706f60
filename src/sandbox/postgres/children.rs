//! Postgres' own children. Each makes a session of its own, so that a signal to the postmaster's group misses them.
//! They are found by what every user may read in `/proc`: the parent's number, and the title Postgres gives them.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The children of the process `parent`.
pub(super) fn of(parent: u32) -> Vec<u32> {
    processes().filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

/// Sends SIGKILL to all processes whose title starts with `title`, and says how many there were.
pub(super) fn kill_titled(title: &str) -> usize {
    let titled =
        |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(title.as_bytes()));
    let kill = |pid: u32| kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
    processes().filter(titled).map(kill).count()
}

fn processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may itself contain some. State and parent follow the last one.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_found_under_its_parent() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let found = of(std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&child.id()));
        assert!(!of(std::process::id()).contains(&child.id()));
    }
}
