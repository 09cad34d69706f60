//! Faults as a suite writes them: with roles instead of instances and ranges instead of numbers.
//!
//! ```toml
//! [[case.fault]]
//! when = { operations = [40, 80] }
//! inject = { kill = "api" }
//! heal = { after = "300ms" }
//! ```
//!
//! Faults at exchanges say with `on` which ones are meant: `on = "COMMIT"`, `on = "insert into *"`.
//!
//! Instances: `api` is one of the role's, drawn from the seed; `api-2` that one; `every api` each of them.
//! Edges: `api->postgres`, `every api->redis`, `client->api-1`. Clocks: see [`super::clock`]. Faults that the servers
//! themselves have: see [`super::server`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer_spec::{ErrorSpec, SwallowSpec};
use super::clock::ClockSpec;
use super::exchange::{Act, Pattern, Pick, Repeat};
use super::gateway::AtGateway;
use super::plan::{Direction, RedisData};
use super::server::{EvictSpec, PhantomSpec, PoisonSpec, ReproduceSpec, RewindSpec};

/// A fault of a case, open in what the seed decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// When it starts.
    pub when: When,
    /// What it is.
    pub inject: InjectSpec,
    /// When it is undone; at the end of the load phase unless told.
    #[serde(default)]
    pub heal: HealSpec,
    /// How many times: the range of `when` is cut into as many equal parts, and each time is drawn from its part.
    #[serde(default = "once")]
    pub times: u16,
}

fn once() -> u16 {
    1
}

/// A range of counts, both ends included, written `[low, high]`; the seed draws from it.
pub type Counts = [u32; 2];

/// A range of times, both ends included, written `["1s", "2s"]`; the seed draws from it.
pub type Times = [Span; 2];

/// A length of time as people write it: `300ms`, `1s 500ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(#[serde(with = "humantime_serde")] pub Duration);

/// When a fault starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// When this many attempts of the load phase have been sent.
    Operations(Counts),
    /// This long after the load phase began.
    At(Times),
    /// This long after the fault written just above was injected.
    AfterPrevious(Times),
}

/// When a fault is undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealSpec {
    /// This long after the injection.
    After(Span),
    /// When this many further attempts have been sent.
    Operations(Counts),
    /// At the end of the load phase.
    #[default]
    AtEnd,
}

/// What goes wrong, by role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InjectSpec {
    /// SIGKILL to an instance.
    Kill(String),
    /// SIGTERM to an instance.
    Stop(String),
    /// SIGSTOP to an instance.
    Pause(String),
    /// SIGTERM, wait for the end and start again.
    Restart(String),
    /// The container of an instance is taken out of its network. Not applicable where it is a process.
    Disconnect(String),
    /// SIGKILL to the database server.
    KillPostgres,
    /// SIGKILL to the cache; `kept` or `lost` says what it still knows afterwards.
    KillRedis(RedisData),
    /// Empties the run's Redis database.
    FlushRedis,
    /// SIGKILL to the broker.
    KillKafka,
    /// Holds all bytes.
    #[serde(rename_all = "kebab-case")]
    Partition(PartitionSpec),
    /// Resets every open connection once.
    Cut(String),
    /// Delays every byte.
    Latency(LatencySpec),
    /// Open connections go silent for ever.
    Blackhole(String),
    /// An instance is killed before its request is passed on.
    CrashBefore(ExchangeSpec),
    /// An instance is killed after its request was answered, before it hears.
    CrashAfter(ExchangeSpec),
    /// The caller's connection is reset before the request is passed on.
    CutBefore(ExchangeSpec),
    /// The caller's connection is reset after the request was answered.
    CutAfter(ExchangeSpec),
    /// The reply never arrives, and the connection stays silent.
    LoseReply(ExchangeSpec),
    /// An instance is stopped before its request is passed on.
    Stall(ExchangeSpec),
    /// The request is held.
    Delay(DelaySpec),
    /// The request is delivered twice.
    Repeat(RepeatSpec),
    /// The payment gateway does something wrong.
    Gateway(AtGateway),
    /// The request has no effect, and an error is the answer.
    AnswerError(ErrorSpec),
    /// The request has no effect, and the answer is that it worked.
    Swallow(SwallowSpec),
    /// The request is done, and an error is the answer.
    FailReply(ErrorSpec),
    /// The wall clock of an instance is wrong.
    Clock(ClockSpec),
    /// Ends the target's sessions in its database.
    TerminateBackends,
    /// The run's database refuses writes.
    ReadOnlyPostgres,
    /// Some keys of the run's Redis database are gone.
    Evict(EvictSpec),
    /// Redis refuses what would need memory.
    RedisMemoryLimit,
    /// Records are appended to their topic again.
    Reproduce(ReproduceSpec),
    /// Records that nobody can act on are appended to a topic.
    Poison(PoisonSpec),
    /// A group's committed offsets are set back.
    Rewind(RewindSpec),
    /// A consumer that does nothing joins a group.
    PhantomMember(PhantomSpec),
}

/// See [`InjectSpec::Partition`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionSpec {
    /// The link.
    pub edge: String,
    /// Which way; both unless told.
    #[serde(default)]
    pub direction: Direction,
}

/// See [`InjectSpec::Latency`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencySpec {
    /// The link.
    pub edge: String,
    /// One way.
    pub delay: Span,
    /// Added on top, drawn evenly from zero to this; none unless told.
    #[serde(default = "no_time")]
    pub jitter: Span,
}

fn no_time() -> Span {
    Span(Duration::ZERO)
}

/// An edge and which of its exchanges are meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeSpec {
    /// The link.
    pub edge: String,
    /// A pattern of labels; those that change something unless told.
    #[serde(default)]
    pub on: Option<Pattern>,
    /// Which exchanges; the first unless told.
    #[serde(default = "first")]
    pub pick: Pick,
}

pub(super) fn first() -> Pick {
    Pick::Nth(1)
}

/// See [`InjectSpec::Delay`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelaySpec {
    /// The link.
    pub edge: String,
    /// A pattern of labels; those that change something unless told.
    #[serde(default)]
    pub on: Option<Pattern>,
    /// Which exchanges; the first unless told.
    #[serde(default = "first")]
    pub pick: Pick,
    /// How long.
    pub by: Span,
}

/// See [`InjectSpec::Repeat`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatSpec {
    /// The link.
    pub edge: String,
    /// A pattern of labels; those that change something unless told.
    #[serde(default)]
    pub on: Option<Pattern>,
    /// Which exchanges; the first unless told.
    #[serde(default = "first")]
    pub pick: Pick,
    /// How.
    pub how: Repeat,
}

/// A fault at exchanges, however it was written.
#[derive(Clone, Debug)]
pub struct ExchangeView<'a> {
    /// The link.
    pub edge: &'a str,
    /// A pattern of labels.
    pub on: Option<&'a Pattern>,
    /// Which exchanges.
    pub pick: Pick,
    /// What happens at them.
    pub act: Act,
}

impl ExchangeSpec {
    fn with(&self, act: Act) -> ExchangeView<'_> {
        ExchangeView { edge: &self.edge, on: self.on.as_ref(), pick: self.pick, act }
    }
}

impl InjectSpec {
    /// Whether it is the payment gateway that does something wrong.
    #[must_use]
    pub fn is_of_gateway(&self) -> bool {
        matches!(self, Self::Gateway(_))
    }

    /// What happens at which exchanges, if it is a fault at exchanges.
    #[must_use]
    pub fn at_exchange(&self) -> Option<ExchangeView<'_>> {
        Some(match self {
            Self::CrashBefore(spec) => spec.with(Act::CrashBefore),
            Self::CrashAfter(spec) => spec.with(Act::CrashAfter),
            Self::CutBefore(spec) => spec.with(Act::CutBefore),
            Self::CutAfter(spec) => spec.with(Act::CutAfter),
            Self::LoseReply(spec) => spec.with(Act::LoseReply),
            Self::Stall(spec) => spec.with(Act::Stall),
            Self::Delay(DelaySpec { edge, on, pick, by }) => {
                ExchangeView { edge, on: on.as_ref(), pick: *pick, act: Act::Delay(by.0) }
            }
            Self::Repeat(RepeatSpec { edge, on, pick, how }) => {
                ExchangeView { edge, on: on.as_ref(), pick: *pick, act: Act::Repeat(*how) }
            }
            Self::AnswerError(spec) => spec.exchanges.with(Act::AnswerError(spec.error.clone())),
            Self::Swallow(spec) => spec.0.with(Act::Swallow),
            Self::FailReply(spec) => spec.exchanges.with(Act::FailReply(spec.error.clone())),
            _ => return None,
        })
    }

    /// Whether it breaks what several runs share, so that no other run may be under way.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        matches!(self, Self::KillPostgres | Self::KillRedis(_) | Self::KillKafka | Self::RedisMemoryLimit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::resolve;
    use crate::history::InstanceName;

    /// What a suite's fault becomes for a target with two instances.
    fn resolved(toml: &str) -> Vec<String> {
        let spec: FaultSpec = toml::from_str(toml).expect("a fault");
        let api = |number| InstanceName { role: "api".into(), number };
        let plan = resolve(&[spec], &[api(1), api(2)], 1).expect("a plan");
        plan.steps.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn faults_at_exchanges_are_written_with_edge_pattern_and_pick() {
        let cases = [
            (
                r#"crash-after = { edge = "api-1->postgres", on = "COMMIT", pick = { nth = 3 } }"#,
                "kill api-1 after `COMMIT` number 3 from here on api-1->postgres was answered, before the answer arrives after 1 attempt, for 100ms",
            ),
            (
                r#"crash-before = { edge = "client->api-2" }"#,
                "kill api-2 before the next request on client->api-2 is passed on after 1 attempt, for 100ms",
            ),
            (
                r#"stall = { edge = "api-1->redis", on = "SET*", pick = { first = 2 } }"#,
                "stop api-1 with the next 2 `SET*` on api-1->redis in its hands after 1 attempt, for 100ms",
            ),
            (
                r#"cut-after = { edge = "api-1->kafka", pick = "every" }"#,
                "cut after every request on api-1->kafka after 1 attempt, for 100ms",
            ),
            (
                r#"delay = { edge = "api-1->postgres", on = "insert *", pick = { probability = 0.5 }, by = "20ms" }"#,
                "hold 50% of `insert *` on api-1->postgres for 20ms after 1 attempt, for 100ms",
            ),
            (
                r#"repeat = { edge = "client->api-1", how = { late = "1s" } }"#,
                "deliver the next request on client->api-1 again 1s later after 1 attempt, for 100ms",
            ),
            (
                r#"answer-error = { edge = "api-1->postgres", on = "COMMIT", error = "40001" }"#,
                "answer the next `COMMIT` on api-1->postgres with 40001 in its place after 1 attempt, for 100ms",
            ),
            (
                r#"swallow = { edge = "api-1->redis", on = "XACK", pick = "every" }"#,
                "swallow every `XACK` on api-1->redis and answer that it worked after 1 attempt, for 100ms",
            ),
            (
                r#"fail-reply = { edge = "client->api-1" }"#,
                "answer the next request on client->api-1 with an error after it was done after 1 attempt, for 100ms",
            ),
        ];
        for (inject, told) in cases {
            let toml =
                format!("when = {{ operations = [1, 1] }}\ninject = {{ {inject} }}\nheal = {{ after = \"100ms\" }}");
            assert_eq!(resolved(&toml), [told]);
        }
    }
}
