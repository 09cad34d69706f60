//! What a proxy takes of the processor.

use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

use crate::figures::Way;
use crate::toxiproxy::Toxiproxy;

/// The time that a proxy had had of the processor at some moment.
pub(crate) struct Cpu {
    pid: Option<u32>,
    before: Duration,
}

impl Cpu {
    /// Of the process that proxies on this way, if there is one. The links run in this process, which does nothing else
    /// while a tool runs.
    pub(crate) fn of(way: Way, toxiproxy: &Toxiproxy) -> Self {
        let pid = match way {
            Way::Direct => None,
            Way::Link => Some(std::process::id()),
            Way::Toxiproxy => Some(toxiproxy.pid()),
        };
        Self { pid, before: pid.map_or(Duration::ZERO, so_far) }
    }

    pub(crate) fn used(&self) -> Duration {
        self.pid.map_or(Duration::ZERO, so_far).saturating_sub(self.before)
    }
}

fn so_far(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Fields 14 and 15 are the times in the program and in the system, in ticks. The second one, the name, may have spaces.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: u32 = fields.skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    let per_second =
        sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u32::try_from(ticks).ok()).unwrap_or(100);
    Duration::from_secs(1) * ticks / per_second
}
