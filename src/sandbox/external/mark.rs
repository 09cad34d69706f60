//! The beginning of every name that a harness makes on servers that are not its own: it says whose it is, so that what a
//! dead harness left is known for that.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sandbox::owner::Owner;

/// What all names begin with.
const OURS: &str = "fireassay_";

/// A stack of a harness process, told apart from every other one that may use the same servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) struct Mark {
    /// The start of the machine and the namespace of processes, as a hash.
    machine: u64,
    pid: u32,
    /// In the kernel's ticks since the machine was started.
    started: u64,
    /// One process may have several stacks.
    number: u32,
}

impl Mark {
    /// One for a stack of this process.
    pub(in crate::sandbox) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        Self::of(&Owner::ourselves(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn of(owner: &Owner, number: u32) -> Self {
        Self { machine: owner.machine(), pid: owner.pid(), started: owner.started(), number }
    }

    /// A name that nobody else has. Letters, digits and `_`; short enough for every server.
    pub(in crate::sandbox) fn name(&self, plain: &str) -> String {
        format!("{self}_{plain}")
    }

    /// Whose name that is, if a harness made it.
    pub(in crate::sandbox) fn in_name(name: &str) -> Option<Self> {
        let parts: Vec<&str> = name.strip_prefix(OURS)?.splitn(5, '_').collect();
        let [machine, pid, started, number, _] = parts.as_slice() else { return None };
        Self::read([machine, pid, started, number])
    }

    fn read([machine, pid, started, number]: [&str; 4]) -> Option<Self> {
        Some(Self {
            machine: u64::from_str_radix(machine, 16).ok()?,
            pid: u32::from_str_radix(pid, 16).ok()?,
            started: u64::from_str_radix(started, 16).ok()?,
            number: u32::from_str_radix(number, 16).ok()?,
        })
    }

    /// Whether that harness has certainly ended. Of one on another machine, in another container or before a restart of
    /// this machine that is not known: the servers may be shared by several machines.
    pub(in crate::sandbox) fn is_gone(&self) -> bool {
        let ours = Owner::ourselves();
        self.started != 0 && ours.machine() == self.machine && ours.with_process(self.pid, self.started).is_gone()
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, pid, started, number } = self;
        write!(f, "{OURS}{machine:016x}_{pid:x}_{started:x}_{number:x}")
    }
}

impl FromStr for Mark {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::in_name(&format!("{text}_")).filter(|mark| mark.to_string() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_it_is() {
        let mark = Mark::new();
        let name = mark.name("template_12");
        assert!(name.len() <= 63 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name}");
        assert_eq!(Mark::in_name(&name), Some(mark));
        assert_eq!(Mark::in_name(&format!("{name}.payments")), Some(mark));
        assert_eq!(mark.to_string().parse(), Ok(mark));
        assert_ne!(Mark::new(), mark, "one process may have several stacks");
        let longest = Mark { machine: u64::MAX, pid: 4_194_304, started: u64::from(u32::MAX), number: 0xfff };
        assert!(longest.name("template_99").len() <= 63);
    }

    #[test]
    fn other_names_are_nobodys() {
        for name in
            ["", "postgres", "fireassay", "fireassay_", "fireassay_notes", "fireassay_1_2_3_4", "fireassay_x_1_1_1_run"]
        {
            assert_eq!(Mark::in_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_harness_is_gone_when_its_process_is_and_only_if_that_can_be_known() {
        let mark = Mark::new();
        assert!(!mark.is_gone());
        // Above the largest number that Linux gives to a process.
        let dead = Mark { pid: 4_999_999, ..mark };
        assert!(dead.is_gone());
        assert!(Mark { started: mark.started + 1, ..mark }.is_gone(), "another process under the same number");
        assert!(!Mark { machine: mark.machine ^ 1, ..dead }.is_gone(), "somebody else's machine");
    }
}
