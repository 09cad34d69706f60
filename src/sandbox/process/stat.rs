//! What `/proc/<pid>/stat` says of a process; see proc_pid_stat(5).

use std::fs;

pub(in crate::sandbox) struct Stat {
    pub(in crate::sandbox) state: char,
    pub(in crate::sandbox) parent: u32,
    /// In the kernel's ticks since the machine was started: tells a process from a later one with the same number.
    pub(in crate::sandbox) started: u64,
}

impl Stat {
    /// `None` when there is no such process.
    pub(in crate::sandbox) fn of(pid: u32) -> Option<Self> {
        let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the name, in parentheses, and may itself contain some. The third follows the last one.
        let mut fields = line.rsplit_once(')')?.1.split_whitespace();
        let (state, parent) = (fields.next()?.chars().next()?, fields.next()?.parse().ok()?);
        // Field 22; two have been taken since field 3.
        Some(Self { state, parent, started: fields.nth(17)?.parse().ok()? })
    }
}
