//! A mark in a process's environment, by which all its descendants are found.
//!
//! A child may leave its parent's group and session and be adopted by another process; it still inherits the
//! environment. Only a child that empties its environment *and* leaves its group gets away from this.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub(super) const VARIABLE: &str = "FIREASSAY_PROCESS";

/// How often the living are looked through: one that is forking fast may have a new child each time.
const LOOKS_MAX: u32 = 20;

/// Kills every process that carries exactly this mark. Nothing can be done about one that cannot be killed.
pub(super) fn kill_marked(mark: &str) {
    let entry = format!("{VARIABLE}={mark}");
    for _ in 0..LOOKS_MAX {
        let marked = carriers(entry.as_bytes());
        if marked.is_empty() {
            return;
        }
        for pid in marked {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

/// The processes that have this entry in their environment. Dead ones that nobody has reaped have none.
fn carriers(entry: &[u8]) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered = processes.filter_map(|process| {
        let number = process.file_name().to_str()?.parse().ok()?;
        Some((Pid::from_raw(number), process.path().join("environ")))
    });
    // Those of other users cannot be read, and are not ours.
    let carries = |path: &Path| {
        fs::read(path).is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|it| it == entry))
    };
    numbered.filter(|(_, environment)| carries(environment)).map(|(pid, _)| pid).collect()
}
