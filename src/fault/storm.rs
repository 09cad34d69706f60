//! Storms: a random mix of faults over the load, drawn from the seed.
//!
//! ```toml
//! [[case]]
//! explore = "storm"
//! storm = { faults = 12 }                                  # of what fits the target
//! storm = { faults = 6, menu = ["kill", "cut-after"] }     # of these only
//! ```
//!
//! The load is cut into rounds. Each begins with some faults, which overlap, and its last quarter is left without: there
//! the target is seen working, and what a fault has left behind shows. All is counted in operations, so that a storm
//! does not depend on how fast the machine is.

mod draw;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::plan::Edge;
use crate::history::InstanceName;

pub use draw::draw;

/// What a storm is drawn from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StormSpec {
    /// How many faults.
    pub faults: u16,
    /// Of which kinds; those of [`Kind::USUAL`] unless told. Kinds that do not fit the target are left out.
    pub menu: Vec<Kind>,
}

impl Default for StormSpec {
    fn default() -> Self {
        Self { faults: 8, menu: Kind::USUAL.to_vec() }
    }
}

impl StormSpec {
    /// The most faults of a storm.
    pub const FAULTS_MAX: u16 = 500;

    /// Whether it may break what several runs share, so that no other run may be under way.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        self.menu.iter().any(|kind| kind.is_exclusive())
    }
}

/// What there is of a target that faults can be put on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terrain {
    /// Its processes.
    pub instances: Vec<InstanceName>,
    /// The links that it uses, as far as its manifest shows.
    pub edges: Vec<Edge>,
}

/// A kind of fault; where and for how long it acts is drawn. See [`super::Fault`] and [`super::Act`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// SIGKILL.
    Kill,
    /// SIGSTOP.
    Pause,
    /// SIGTERM, and started again at once.
    Restart,
    /// Every open connection of a link is reset.
    Cut,
    /// The bytes of a link are held, both ways or one.
    Partition,
    /// Everything on a link takes longer.
    Latency,
    /// The open connections of a link go silent for ever.
    Blackhole,
    /// The instance is killed before one of its requests is passed on.
    CrashBefore,
    /// The instance is killed before it hears an answer.
    CrashAfter,
    /// A connection is reset before a request is passed on.
    CutBefore,
    /// A connection is reset instead of a reply.
    CutAfter,
    /// A reply never arrives.
    LoseReply,
    /// The instance is stopped with a request in its hands.
    Stall,
    /// A request is held for a while.
    Delay,
    /// A request is delivered twice. HTTP only.
    Repeat,
    /// Redis forgets what it knows of the run.
    FlushRedis,
    /// The clock of an instance is moved. Only where a case asks for it.
    Clock,
    /// SIGKILL to the database server. Exclusive: only where a case asks for it.
    KillPostgres,
    /// SIGKILL to Redis. Exclusive: only where a case asks for it.
    KillRedis,
    /// SIGKILL to the broker. Exclusive: only where a case asks for it.
    KillKafka,
}

impl Kind {
    /// What a storm is made of unless a case says otherwise: all but wrong clocks, and what breaks what runs share.
    pub const USUAL: [Self; 16] = [
        Self::Kill,
        Self::Pause,
        Self::Restart,
        Self::Cut,
        Self::Partition,
        Self::Latency,
        Self::Blackhole,
        Self::CrashBefore,
        Self::CrashAfter,
        Self::CutBefore,
        Self::CutAfter,
        Self::LoseReply,
        Self::Stall,
        Self::Delay,
        Self::Repeat,
        Self::FlushRedis,
    ];

    /// Those that come at a moment and know nothing of messages: what a process, a network or an operator does by itself.
    pub const AT_MOMENTS: [Self; 8] = [
        Self::Kill,
        Self::Pause,
        Self::Restart,
        Self::Cut,
        Self::Partition,
        Self::Latency,
        Self::Blackhole,
        Self::FlushRedis,
    ];

    /// Whether it breaks what several runs share.
    #[must_use]
    pub fn is_exclusive(self) -> bool {
        matches!(self, Self::KillPostgres | Self::KillRedis | Self::KillKafka)
    }
}
