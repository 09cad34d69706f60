//! Whose something is that outlives its harness, so that what a dead one left is known for that.

use std::fmt;
use std::fs;
use std::str::FromStr;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::process::Stat;
use super::world::fnv1a;

/// A harness process, told apart from every other one on every machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// Changes with every start of the machine.
    boot: String,
    /// Processes in different containers may have the same number.
    namespace: String,
    pid: u32,
    /// In the kernel's ticks since the machine was started.
    started: u64,
}

impl Owner {
    /// This process. Where `/proc` does not say who we are, nothing of ours is ever taken for a leftover.
    pub(super) fn ourselves() -> Self {
        let pid = std::process::id();
        let started = Stat::of(pid).map_or(0, |stat| stat.started);
        Self { boot: boot(), namespace: namespace(), pid, started }
    }

    /// Its number.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// When it was started, in the kernel's ticks since the machine was.
    pub(super) fn started(&self) -> u64 {
        self.started
    }

    /// Another process of the same machine and namespace.
    pub(super) fn with_process(self, pid: u32, started: u64) -> Self {
        Self { pid, started, ..self }
    }

    /// What all harnesses share whose processes can be seen from each other, as a hash.
    pub(super) fn machine(&self) -> u64 {
        fnv1a(format!("{}/{}", self.boot, self.namespace).as_bytes())
    }

    /// Whether that harness has certainly ended. Of one in another container that is not known.
    pub(super) fn is_gone(&self) -> bool {
        if self.boot != boot() {
            return true;
        }
        // One that is dead but not yet reaped is gone.
        let ended = |stat: Stat| stat.started != self.started || matches!(stat.state, 'Z' | 'X');
        if self.namespace != namespace() {
            return false;
        }
        // Processes of others may be hidden, and reading may fail for other reasons: only the kernel's word counts.
        let is_nobody = || i32::try_from(self.pid).is_ok_and(|pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH));
        Stat::of(self.pid).map_or_else(is_nobody, ended)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { boot, namespace, pid, started } = self;
        write!(f, "{boot}/{namespace}/{pid}/{started}")
    }
}

/// The label is not one of ours.
#[derive(Debug)]
pub(super) struct Foreign;

impl FromStr for Owner {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        let parts: Vec<&str> = text.split('/').collect();
        let [boot, namespace, pid, started] = parts.as_slice() else { return Err(Foreign) };
        Ok(Self {
            boot: (*boot).to_owned(),
            namespace: (*namespace).to_owned(),
            pid: pid.parse().map_err(|_| Foreign)?,
            started: started.parse().map_err(|_| Foreign)?,
        })
    }
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// The number of our namespace of processes: 4026531836 in `pid:[4026531836]`.
fn namespace() -> String {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_read_back_and_is_there_as_long_as_its_process() {
        let ours = Owner::ourselves();
        assert_eq!(ours.to_string().parse::<Owner>().unwrap(), ours);
        assert!(!ours.is_gone());
        assert!(Owner { started: ours.started + 1, ..ours.clone() }.is_gone(), "another process under the same number");
        // Above the largest number that Linux gives to a process.
        let dead = Owner { pid: 4_999_999, ..ours.clone() };
        assert!(dead.is_gone());
        assert!(!Owner { namespace: "1".to_owned(), ..dead.clone() }.is_gone(), "we cannot see into other containers");
        assert!(Owner { boot: "earlier".to_owned(), namespace: "1".to_owned(), ..dead }.is_gone());
    }

    #[test]
    fn other_labels_are_not_ours() {
        for text in ["", "me", "a/b/c/d", "a/b/1/2/3"] {
            assert!(text.parse::<Owner>().is_err(), "{text}");
        }
    }
}
