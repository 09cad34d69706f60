//! A resolved plan: data that says exactly what is done when, and can be stored, replayed and shrunk.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::ClockChange;
use crate::history::{InstanceName, StepId};

/// Faults with their triggers, resolved from a seed. Step `n` is the `n`th entry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The steps; [`StepId`] is the index.
    pub steps: Vec<Step>,
}

/// One fault, when it starts and when it is undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When it is injected.
    pub trigger: Trigger,
    /// What is injected.
    pub fault: Fault,
    /// When it is undone.
    pub heal: Heal,
}

/// When a fault starts. Counts are replayable, times are not quite: prefer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// This long after the load phase began.
    At(#[serde(with = "humantime_serde")] Duration),
    /// When this many attempts of the load phase have been sent.
    Operations(u32),
    /// This long after another step was injected.
    After {
        /// The other step; an earlier one.
        step: StepId,
        /// The pause.
        #[serde(with = "humantime_serde")]
        pause: Duration,
    },
}

/// When a fault is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heal {
    /// This long after it was injected.
    After(#[serde(with = "humantime_serde")] Duration),
    /// When this many further attempts have been sent; at the latest at the end of the load phase.
    Operations(u32),
    /// At the end of the load phase.
    AtEnd,
}

/// An end of a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Node {
    /// The simulated callers.
    Client,
    /// A process of the target.
    Instance(InstanceName),
    /// The database server.
    Postgres,
    /// The cache.
    Redis,
    /// The broker.
    Kafka,
}

/// A directed link, written `api-1->postgres`: who opens connections, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Edge {
    /// Who connects.
    pub from: Node,
    /// Who accepts.
    pub to: Node,
}

/// Which way bytes do not pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Neither way.
    #[default]
    Both,
    /// Requests do not arrive; replies do.
    Requests,
    /// Requests arrive; replies do not.
    Replies,
}

/// Which exchanges of a link are meant, counted from the injection on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pick {
    /// The `n`th, counted from 1.
    Nth(u32),
    /// The first `n`.
    First(u32),
    /// All.
    Every,
    /// Each with this probability, from a stream of random numbers of its own.
    Probability(f64),
}

/// How a request is delivered a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeat {
    /// Once the first delivery has been answered.
    InARow,
    /// At the same time, on a second connection.
    Concurrently,
    /// This long after the first delivery was answered.
    Late(#[serde(with = "humantime_serde")] Duration),
}

/// What a restarted Redis still knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RedisData {
    /// All that it had acknowledged.
    Kept,
    /// Nothing.
    Lost,
}

/// What goes wrong. Each is undone by its step's [`Heal`]: what was killed or stopped is started again,
/// what was paused continues, what was cut off is connected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// SIGKILL; healing starts it again.
    Kill(InstanceName),
    /// SIGTERM; healing starts it again.
    Stop(InstanceName),
    /// SIGSTOP; healing sends SIGCONT.
    Pause(InstanceName),
    /// SIGTERM, wait for the end, start again: at once, nothing to heal.
    Restart(InstanceName),
    /// SIGKILL to the postmaster and its children; healing starts it and waits for recovery. Exclusive.
    KillPostgres,
    /// SIGKILL; healing starts it. Exclusive.
    KillRedis(RedisData),
    /// FLUSHDB of the run's own database; nothing to heal.
    FlushRedis,
    /// SIGKILL; healing starts it and waits for its metadata. Exclusive.
    KillKafka,
    /// No bytes pass; they are held, and pass once healed. New connections are accepted and wait.
    Partition {
        /// The link.
        edge: Edge,
        /// Which way.
        direction: Direction,
    },
    /// Every open connection is reset at once, as soon as there is one; new ones work.
    Cut {
        /// The link.
        edge: Edge,
    },
    /// Every byte arrives later, each way.
    Latency {
        /// The link.
        edge: Edge,
        /// One way.
        #[serde(with = "humantime_serde")]
        delay: Duration,
        /// Added on top, drawn evenly from zero to this.
        #[serde(with = "humantime_serde")]
        jitter: Duration,
    },
    /// Open connections go silent for ever, as when the peer's machine is gone: bytes sent into them are lost and
    /// nobody is told. New ones work once healed.
    Blackhole {
        /// The link.
        edge: Edge,
    },
    /// The request arrives and is answered; the reply is lost and the caller's connection reset. HTTP links.
    LoseReply {
        /// The link.
        edge: Edge,
        /// Which exchanges.
        pick: Pick,
    },
    /// The connection is reset before the request is passed on. HTTP links.
    CutBefore {
        /// The link.
        edge: Edge,
        /// Which exchanges.
        pick: Pick,
    },
    /// The request is delivered twice; the caller hears the first answer. HTTP links.
    Repeat {
        /// The link.
        edge: Edge,
        /// Which exchanges.
        pick: Pick,
        /// How.
        how: Repeat,
    },
    /// The wall clock of one instance is wrong, for its children too.
    Clock {
        /// Whose.
        of: InstanceName,
        /// How.
        change: ClockChange,
    },
}

impl Plan {
    /// The instances whose clocks it changes.
    #[must_use]
    pub fn clocks(&self) -> BTreeSet<InstanceName> {
        let of = |step: &Step| match &step.fault {
            Fault::Clock { of, .. } => Some(of.clone()),
            _ => None,
        };
        self.steps.iter().filter_map(of).collect()
    }
}

impl Fault {
    /// Whether it is over once it is done, so that there is nothing to heal.
    #[must_use]
    pub fn is_momentary(&self) -> bool {
        let is_right_again = matches!(self, Self::Clock { change: ClockChange::Back, .. });
        is_right_again || matches!(self, Self::Restart(_) | Self::FlushRedis)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Instance(name) => name.fmt(f),
            Self::Postgres => f.write_str("postgres"),
            Self::Redis => f.write_str("redis"),
            Self::Kafka => f.write_str("kafka"),
        }
    }
}

impl From<Node> for String {
    fn from(node: Node) -> Self {
        node.to_string()
    }
}

impl TryFrom<String> for Node {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Ok(match text.as_str() {
            "client" => Self::Client,
            "postgres" => Self::Postgres,
            "redis" => Self::Redis,
            "kafka" => Self::Kafka,
            _ => Self::Instance(InstanceName::try_from(text)?),
        })
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}->{}", self.from, self.to)
    }
}

impl From<Edge> for String {
    fn from(edge: Edge) -> Self {
        edge.to_string()
    }
}

impl TryFrom<String> for Edge {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (from, to) = text
            .split_once("->")
            .ok_or_else(|| format!("`{text}` is not an edge; write who connects to whom, as in `api-1->postgres`"))?;
        Ok(Self { from: Node::try_from(from.trim().to_owned())?, to: Node::try_from(to.trim().to_owned())? })
    }
}
