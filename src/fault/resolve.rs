//! From a suite's faults to a plan: every draw from the seed is made here.

use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::exchange::AtExchange;
use super::plan::{Edge, Fault, Heal, Node, Plan, Step, Trigger};
use super::server::{EvictSpec, PhantomSpec, PoisonSpec, ReproduceSpec, RewindSpec, ServerFault};
use super::spec::{ExchangeView, FaultSpec, HealSpec, InjectSpec, Span, When};
use crate::history::{InstanceName, StepId};

/// The stream of random numbers that plans draw from, apart from the workload's.
const PLAN_STREAM: u64 = 1;

/// The most steps a plan may have.
const STEPS_MAX: usize = 1_000;

/// Why a fault cannot be resolved for this target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The fault names a role or instance that the target does not have.
    #[error("the fault names `{name}`, but the target has {}", known.join(", "))]
    UnknownInstance {
        /// As the suite has it.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The fault names an edge that cannot be read.
    #[error("`{edge}` is not an edge; write who connects to whom, as in `api->postgres` or `every api->redis`")]
    BadEdge {
        /// As the suite has it.
        edge: String,
    },
    /// A range whose low end is above its high end.
    #[error("a range of `when` or `heal` has its low end above its high end")]
    EmptyRange,
    /// The first fault of a case waits for the one above it.
    #[error("the first fault of a case has `after-previous`, but there is none before it")]
    NothingBefore,
    /// Too many steps.
    #[error("the plan would have more than {STEPS_MAX} steps; lower `times`")]
    TooManySteps,
}

/// Resolves the faults of a case for a target with these instances. The same seed gives the same plan.
///
/// # Errors
/// When a fault does not fit the target.
pub fn resolve(specs: &[FaultSpec], instances: &[InstanceName], seed: u64) -> Result<Plan, ResolveError> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(PLAN_STREAM);
    let mut resolver = Resolver { random, instances, steps: Vec::new() };
    for spec in specs {
        for part in 0..u32::from(spec.times.max(1)) {
            let trigger = resolver.trigger(spec.when, part, u32::from(spec.times.max(1)))?;
            let heal = resolver.heal(spec.heal)?;
            for fault in resolver.faults(&spec.inject)? {
                resolver.steps.push(Step { trigger, fault, heal });
            }
            if resolver.steps.len() > STEPS_MAX {
                return Err(ResolveError::TooManySteps);
            }
        }
    }
    Ok(Plan::of(resolver.steps))
}

struct Resolver<'a> {
    random: ChaCha8Rng,
    instances: &'a [InstanceName],
    steps: Vec<Step>,
}

impl Resolver<'_> {
    fn trigger(&mut self, when: When, part: u32, parts: u32) -> Result<Trigger, ResolveError> {
        Ok(match when {
            When::Operations(range) => Trigger::Operations(self.count(slice(range, part, parts)?)?),
            When::At(range) => Trigger::At(self.time(slice_time(range, part, parts)?)?),
            When::AfterPrevious(range) => {
                let before = self.steps.len().checked_sub(1).ok_or(ResolveError::NothingBefore)?;
                let step = StepId(u16::try_from(before).map_err(|_| ResolveError::TooManySteps)?);
                Trigger::After { step, pause: self.time(range.map(|span| span.0))? }
            }
        })
    }

    fn heal(&mut self, heal: HealSpec) -> Result<Heal, ResolveError> {
        Ok(match heal {
            HealSpec::After(Span(pause)) => Heal::After(pause),
            HealSpec::Operations(range) => Heal::Operations(self.count(range)?),
            HealSpec::AtEnd => Heal::AtEnd,
        })
    }

    fn faults(&mut self, inject: &InjectSpec) -> Result<Vec<Fault>, ResolveError> {
        Ok(match inject {
            InjectSpec::Kill(name) => self.each(name, Fault::Kill)?,
            InjectSpec::Stop(name) => self.each(name, Fault::Stop)?,
            InjectSpec::Pause(name) => self.each(name, Fault::Pause)?,
            InjectSpec::Restart(name) => self.each(name, Fault::Restart)?,
            InjectSpec::Disconnect(name) => self.each(name, Fault::Disconnect)?,
            InjectSpec::KillPostgres => vec![Fault::KillPostgres],
            InjectSpec::KillRedis(data) => vec![Fault::KillRedis(*data)],
            InjectSpec::FlushRedis => vec![Fault::FlushRedis],
            InjectSpec::KillKafka => vec![Fault::KillKafka],
            InjectSpec::Cut(edge) => self.edges(edge, |edge| Fault::Cut { edge })?,
            InjectSpec::Blackhole(edge) => self.edges(edge, |edge| Fault::Blackhole { edge })?,
            InjectSpec::Partition(spec) => {
                self.edges(&spec.edge, |edge| Fault::Partition { edge, direction: spec.direction })?
            }
            InjectSpec::Latency(spec) => {
                self.edges(&spec.edge, |edge| Fault::Latency { edge, delay: spec.delay.0, jitter: spec.jitter.0 })?
            }
            InjectSpec::CrashBefore(_)
            | InjectSpec::CrashAfter(_)
            | InjectSpec::CutBefore(_)
            | InjectSpec::CutAfter(_)
            | InjectSpec::LoseReply(_)
            | InjectSpec::Stall(_)
            | InjectSpec::Delay(_)
            | InjectSpec::Repeat(_)
            | InjectSpec::AnswerError(_)
            | InjectSpec::Swallow(_)
            | InjectSpec::FailReply(_) => match inject.at_exchange() {
                Some(ExchangeView { edge, on, pick, act }) => self.edges(edge, |edge| {
                    Fault::Exchange(AtExchange { edge, on: on.cloned(), pick, act: act.clone() })
                })?,
                None => Vec::new(),
            },
            InjectSpec::Gateway(at) => vec![Fault::Gateway(*at)],
            InjectSpec::Clock(spec) => self.each(&spec.of, |of| Fault::Clock { of, change: spec.change })?,
            InjectSpec::TerminateBackends => on_server(ServerFault::TerminateBackends),
            InjectSpec::ReadOnlyPostgres => on_server(ServerFault::ReadOnlyPostgres),
            InjectSpec::RedisMemoryLimit => on_server(ServerFault::RedisMemoryLimit),
            InjectSpec::Evict(EvictSpec { share }) => {
                on_server(ServerFault::Evict { share: *share, seed: self.random.random() })
            }
            InjectSpec::Reproduce(ReproduceSpec { topic, count }) => {
                let (topic, seed) = (topic.clone(), self.random.random());
                on_server(ServerFault::Reproduce { topic, count: *count, seed })
            }
            InjectSpec::Poison(PoisonSpec { topic, records }) => {
                let (topic, seed) = (topic.clone(), self.random.random());
                on_server(ServerFault::Poison { topic, records: *records, seed })
            }
            InjectSpec::Rewind(RewindSpec { group, to }) => {
                on_server(ServerFault::Rewind { group: group.clone(), to: *to })
            }
            InjectSpec::PhantomMember(PhantomSpec { group, topic }) => {
                on_server(ServerFault::PhantomMember { group: group.clone(), topic: topic.clone() })
            }
        })
    }

    fn each(&mut self, name: &str, fault: impl Fn(InstanceName) -> Fault) -> Result<Vec<Fault>, ResolveError> {
        Ok(self.select(name)?.into_iter().map(fault).collect())
    }

    fn edges(&mut self, text: &str, fault: impl Fn(Edge) -> Fault) -> Result<Vec<Fault>, ResolveError> {
        let bad = || ResolveError::BadEdge { edge: text.to_owned() };
        let (every, ends) = text.strip_prefix("every ").map_or((false, text), |rest| (true, rest));
        let (from, to) = ends.split_once("->").ok_or_else(bad)?;
        let mut faults = Vec::new();
        for from in self.nodes(from.trim(), every)? {
            for to in self.nodes(to.trim(), every)? {
                faults.push(fault(Edge { from: from.clone(), to }));
            }
        }
        Ok(faults)
    }

    fn nodes(&mut self, name: &str, every: bool) -> Result<Vec<Node>, ResolveError> {
        Ok(match name {
            "client" => vec![Node::Client],
            "postgres" => vec![Node::Postgres],
            "redis" => vec![Node::Redis],
            "kafka" => vec![Node::Kafka],
            "gateway" => vec![Node::Gateway],
            _ if every => self.select(&format!("every {name}"))?.into_iter().map(Node::Instance).collect(),
            _ => self.select(name)?.into_iter().map(Node::Instance).collect(),
        })
    }

    fn select(&mut self, name: &str) -> Result<Vec<InstanceName>, ResolveError> {
        if let Some(exact) = self.instances.iter().find(|instance| instance.to_string() == name) {
            return Ok(vec![exact.clone()]);
        }
        let (every, role) = name.strip_prefix("every ").map_or((false, name), |role| (true, role.trim()));
        let of_role: Vec<_> = self.instances.iter().filter(|instance| instance.role == role).cloned().collect();
        let drawn = of_role.choose(&mut self.random).cloned();
        match drawn {
            None => Err(ResolveError::UnknownInstance {
                name: name.to_owned(),
                known: self.instances.iter().map(ToString::to_string).collect(),
            }),
            Some(_) if every => Ok(of_role),
            Some(one) => Ok(vec![one]),
        }
    }

    fn count(&mut self, [low, high]: [u32; 2]) -> Result<u32, ResolveError> {
        if low > high {
            return Err(ResolveError::EmptyRange);
        }
        Ok(self.random.random_range(low..=high))
    }

    fn time(&mut self, [low, high]: [Duration; 2]) -> Result<Duration, ResolveError> {
        if low > high {
            return Err(ResolveError::EmptyRange);
        }
        Ok(self.random.random_range(low..=high))
    }
}

fn on_server(fault: ServerFault) -> Vec<Fault> {
    vec![Fault::Server(fault)]
}

/// The `part`th of `parts` equal slices of a range.
fn slice([low, high]: [u32; 2], part: u32, parts: u32) -> Result<[u32; 2], ResolveError> {
    let width = high.checked_sub(low).ok_or(ResolveError::EmptyRange)? / parts;
    Ok([low + width * part, if part + 1 == parts { high } else { low + width * (part + 1) }])
}

fn slice_time([low, high]: [Span; 2], part: u32, parts: u32) -> Result<[Duration; 2], ResolveError> {
    let width = high.0.checked_sub(low.0).ok_or(ResolveError::EmptyRange)? / parts;
    Ok([low.0 + width * part, low.0 + width * (part + 1)])
}
