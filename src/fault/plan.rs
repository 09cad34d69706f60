//! A resolved plan: data that says exactly what is done when, and can be stored, replayed and shrunk.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU16;
use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::ClockChange;
use super::exchange::{AtExchange, Pick};
use super::gateway::AtGateway;
use super::server::ServerFault;
use crate::history::{InstanceName, StepId};

/// Faults with their triggers, resolved from a seed. Step `n` is the `n`th entry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The steps; [`StepId`] is the index.
    pub steps: Vec<Step>,
    /// Which of them were drawn at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<Storm>,
}

/// The steps of a plan that were drawn at random, and may find nothing that they could act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storm {
    /// The first; all that follow are of the storm as well. Each step before it has to bite for the run to count.
    pub from: u16,
    /// How many of them have to bite.
    pub least_bites: NonZeroU16,
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
    /// This long after this many attempts of the load phase have been sent: for a moment in the course of one of them.
    OperationsThen {
        /// The attempts.
        count: u32,
        /// The pause.
        #[serde(with = "humantime_serde")]
        pause: Duration,
    },
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
    /// This long after it was injected, or after it has acted on a process at an exchange.
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
    /// The payment gateway that the harness plays.
    Gateway,
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
    /// Its container is taken out of its network; healing puts it back. Only where it is a container.
    Disconnect(InstanceName),
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
    /// Something happens at single exchanges. Healing ends the picking, starts again what was killed and lets go on
    /// what was stopped; for these a [`Heal::After`] counts from the act.
    Exchange(AtExchange),
    /// The payment gateway does something wrong.
    Gateway(AtGateway),
    /// The wall clock of one instance is wrong, for its children too.
    Clock {
        /// Whose.
        of: InstanceName,
        /// How.
        change: ClockChange,
    },
    /// A server of the stack does what servers do on a bad day.
    Server(ServerFault),
}

impl Plan {
    /// These steps, all of which have to bite.
    #[must_use]
    pub fn of(steps: Vec<Step>) -> Self {
        Self { steps, storm: None }
    }

    /// Whether enough of the steps have bitten for the run to count, those of which `has_bitten` says so.
    #[must_use]
    pub fn is_carried_out(&self, has_bitten: impl Fn(usize) -> bool) -> bool {
        let bites = |steps: Range<usize>| steps.filter(|step| has_bitten(*step)).count();
        let all = self.steps.len();
        match self.storm {
            None => bites(0..all) == all,
            Some(Storm { from, least_bites }) => {
                let from = usize::from(from).min(all);
                bites(0..from) == from && bites(from..all) >= usize::from(least_bites.get())
            }
        }
    }

    /// These steps and then those of a storm, which knows nothing of them.
    #[must_use]
    pub fn with_storm(mut self, storm: Self) -> Self {
        let from = u16::try_from(self.steps.len()).unwrap_or(u16::MAX);
        self.steps.extend(storm.steps);
        Self { storm: storm.storm.map(|storm| Storm { from, ..storm }), ..self }
    }

    /// Whether some fault waits for one exchange between the target and its stack, so that messages matter.
    #[must_use]
    pub fn is_at_messages(&self) -> bool {
        self.steps.iter().any(|step| match &step.fault {
            Fault::Exchange(AtExchange { edge, pick: Pick::Nth(_), .. }) => edge.from != Node::Client,
            _ => false,
        })
    }

    /// Whether nothing goes wrong but what the payment gateway does, which is then a part of the work.
    #[must_use]
    pub fn is_of_gateway(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.fault, Fault::Gateway(_)))
    }

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
        match self {
            Self::Clock { change, .. } => *change == ClockChange::Back,
            Self::Server(fault) => fault.is_momentary(),
            _ => matches!(self, Self::Restart(_) | Self::FlushRedis),
        }
    }

    /// Whether it breaks what several runs share, so that no other run may be under way.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        match self {
            Self::Server(fault) => fault.is_exclusive(),
            _ => matches!(self, Self::KillPostgres | Self::KillRedis(_) | Self::KillKafka),
        }
    }

    /// The instances that it treats, or whose links.
    #[must_use]
    pub fn instances(&self) -> Vec<&InstanceName> {
        match self {
            Self::Kill(name)
            | Self::Stop(name)
            | Self::Pause(name)
            | Self::Restart(name)
            | Self::Disconnect(name)
            | Self::Clock { of: name, .. } => vec![name],
            Self::Partition { edge, .. }
            | Self::Cut { edge }
            | Self::Latency { edge, .. }
            | Self::Blackhole { edge }
            | Self::Exchange(AtExchange { edge, .. }) => edge.instances(),
            Self::KillPostgres
            | Self::KillRedis(_)
            | Self::FlushRedis
            | Self::KillKafka
            | Self::Server(_)
            | Self::Gateway(_) => Vec::new(),
        }
    }
}

impl Edge {
    /// The instance that acts on it: the one that asks, or, where a caller of ours asks, the one that is asked.
    #[must_use]
    pub fn actor(&self) -> Option<&InstanceName> {
        self.instances().into_iter().next()
    }

    /// The instances at its ends.
    #[must_use]
    pub fn instances<'a>(&'a self) -> Vec<&'a InstanceName> {
        let instance = |node: &'a Node| match node {
            Node::Instance(name) => Some(name),
            _ => None,
        };
        [&self.from, &self.to].into_iter().filter_map(instance).collect()
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
            Self::Gateway => f.write_str("gateway"),
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
            "gateway" => Self::Gateway,
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
