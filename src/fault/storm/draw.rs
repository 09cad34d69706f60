//! From what a storm is drawn from, a target and a seed to the steps of a plan.

use std::num::NonZeroU16;
use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Kind, StormSpec, Terrain};
use crate::fault::{
    Act, AtExchange, ClockChange, Direction, Edge, Fault, Heal, Node, Pick, Plan, RedisData, Repeat, Shift, Step,
    Storm, Trigger,
};
use crate::history::InstanceName;

/// The stream of random numbers that storms draw from, apart from plans and workloads.
const STORM_STREAM: u64 = 3;

/// About so many faults go into a round: some overlap, and still it can be told which one did what.
const FAULTS_PER_ROUND: u32 = 4;

/// A round has so many operations at least, so that there is a quarter to leave without faults.
const ROUND_LEAST: u32 = 8;

/// Up to so long after an operation was sent: the moments in the course of it.
const MOMENTS: Duration = Duration::from_millis(12);

/// A fault at an exchange takes one of the next so many: a few operations' worth.
const EXCHANGES: u32 = 8;

/// One of so many faults has to bite for the run to count.
const BITES: usize = 3;

/// How often another fault is drawn in place of one that another of its round rules out.
const DRAWS_MAX: u32 = 20;

/// Draws a storm over a load of so many operations. The same arguments give the same plan. Where nothing of the menu
/// fits the target, the plan is empty.
#[must_use]
pub fn draw(spec: &StormSpec, terrain: &Terrain, operations: u32, seed: u64) -> Plan {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(STORM_STREAM);
    let mut drawer = Drawer { random, terrain };
    let menu: Vec<Kind> = spec.menu.iter().copied().filter(|kind| drawer.fits(*kind)).collect();
    let faults = u32::from(spec.faults.min(StormSpec::FAULTS_MAX));
    let rounds = faults.div_ceil(FAULTS_PER_ROUND).min(operations / ROUND_LEAST).max(1);
    let mut steps = Vec::new();
    for round in 0..rounds {
        let share = |whole: u32, part: u32| u64::from(whole) * u64::from(part) / u64::from(rounds);
        let part = |whole, part| u32::try_from(share(whole, part)).unwrap_or(u32::MAX);
        let (first, next) = (part(operations, round), part(operations, round + 1));
        let count = part(faults, round + 1) - part(faults, round);
        let length = next - first;
        drawer.round(&menu, count, Stretch { first, end: next - length / 4 }, &mut steps);
    }
    // Which messages pass, and whether a connection is open at a moment, is not known beforehand.
    let least = u16::try_from(steps.len().div_ceil(BITES)).unwrap_or(u16::MAX);
    // A storm without a fault is none.
    let least_bites = NonZeroU16::new(least).unwrap_or(NonZeroU16::MIN);
    Plan { steps, storm: Some(Storm { from: 0, least_bites }) }
}

/// The operations of a round in which faults are in force.
#[derive(Clone, Copy)]
struct Stretch {
    first: u32,
    /// The first without.
    end: u32,
}

struct Drawer<'a> {
    random: ChaCha8Rng,
    terrain: &'a Terrain,
}

impl Drawer<'_> {
    fn fits(&self, kind: Kind) -> bool {
        match kind {
            Kind::Kill | Kind::Pause | Kind::Restart | Kind::Clock => !self.terrain.instances.is_empty(),
            Kind::FlushRedis | Kind::KillRedis => self.terrain.edges.iter().any(|edge| edge.to == Node::Redis),
            Kind::KillPostgres => self.terrain.edges.iter().any(|edge| edge.to == Node::Postgres),
            Kind::KillKafka => self.terrain.edges.iter().any(|edge| edge.to == Node::Kafka),
            Kind::Repeat => self.terrain.edges.iter().any(takes_http),
            _ => !self.terrain.edges.is_empty(),
        }
    }

    /// The faults of a round: the first of several begins with it, and each lasts at least until the next one has begun.
    fn round(&mut self, menu: &[Kind], count: u32, stretch: Stretch, steps: &mut Vec<Step>) {
        let mut starts: Vec<u32> =
            (0..count).map(|_| self.random.random_range(stretch.first..stretch.end.max(1))).collect();
        starts.sort_unstable();
        if let [first, _, ..] = &mut starts[..] {
            *first = stretch.first;
        }
        let mut round: Vec<Fault> = Vec::new();
        for (place, start) in starts.iter().enumerate() {
            let must_last = place == 0 && count > 1;
            let Some(fault) = self.another(menu, &round, must_last) else { continue };
            let next = starts.get(place + 1).copied().unwrap_or(stretch.end).max(start + 1);
            // A fault at an exchange waits for it as long as there is time: it is in force at a moment only.
            let least = if matches!(fault, Fault::Exchange(_)) { stretch.end } else { next }.max(next);
            let end = self.random.random_range(least..=stretch.end.max(next));
            steps.push(self.step(&fault, *start, end - start));
            round.push(fault);
        }
    }

    /// A fault that goes with those of its round: a process is treated by one of them only, as what is down cannot be killed.
    fn another(&mut self, menu: &[Kind], round: &[Fault], must_last: bool) -> Option<Fault> {
        for draws in 0..DRAWS_MAX {
            let kind = *menu.choose(&mut self.random)?;
            let fault = self.fault(kind)?;
            let is_free =
                treated(&fault).is_none_or(|own| round.iter().all(|other| treated(other).as_ref() != Some(&own)));
            // A menu of momentary faults only has none that lasts.
            let lasts = lasts(&fault) || draws + 1 == DRAWS_MAX;
            if is_free && round.iter().all(|other| *other != fault) && (lasts || !must_last) {
                return Some(fault);
            }
        }
        None
    }

    fn step(&mut self, fault: &Fault, start: u32, lasting: u32) -> Step {
        // Attempts count from 1, and the first is sent at once.
        let count = start + 1;
        let moment = Duration::from_micros(self.random.random_range(0..=micros(MOMENTS)));
        let trigger = match fault {
            Fault::Exchange(_) => Trigger::Operations(count),
            _ => Trigger::OperationsThen { count, pause: moment },
        };
        // For faults on a process at an exchange this counts from the act, which comes some operations later.
        let lasting = if is_on_process_at_exchange(fault) { lasting.div_ceil(2) } else { lasting };
        let heal = if fault.is_momentary() { Heal::AtEnd } else { Heal::Operations(lasting.max(1)) };
        Step { trigger, fault: fault.clone(), heal }
    }

    fn fault(&mut self, kind: Kind) -> Option<Fault> {
        Some(match kind {
            Kind::Kill => Fault::Kill(self.instance()?),
            Kind::Pause => Fault::Pause(self.instance()?),
            Kind::Restart => Fault::Restart(self.instance()?),
            Kind::Cut => Fault::Cut { edge: self.edge(|_| true)? },
            Kind::Partition => {
                let directions = [Direction::Both, Direction::Requests, Direction::Replies];
                let direction = directions.choose(&mut self.random).copied()?;
                Fault::Partition { edge: self.edge(|_| true)?, direction }
            }
            Kind::Latency => {
                let (delay, jitter) = (self.millis(2, 40), self.millis(0, 20));
                Fault::Latency { edge: self.edge(|_| true)?, delay, jitter }
            }
            Kind::Blackhole => Fault::Blackhole { edge: self.edge(|_| true)? },
            Kind::CrashBefore => self.at_exchange(Act::CrashBefore)?,
            Kind::CrashAfter => self.at_exchange(Act::CrashAfter)?,
            Kind::CutBefore => self.at_exchange(Act::CutBefore)?,
            Kind::CutAfter => self.at_exchange(Act::CutAfter)?,
            Kind::LoseReply => self.at_exchange(Act::LoseReply)?,
            Kind::Stall => self.at_exchange(Act::Stall)?,
            Kind::Delay => {
                let by = self.millis(20, 300);
                self.at_exchange(Act::Delay(by))?
            }
            Kind::Repeat => {
                let hows = [Repeat::InARow, Repeat::Concurrently, Repeat::Late(self.millis(50, 500))];
                let how = hows.choose(&mut self.random).copied()?;
                self.at_exchange(Act::Repeat(how))?
            }
            Kind::FlushRedis => Fault::FlushRedis,
            Kind::Clock => Fault::Clock { of: self.instance()?, change: ClockChange::Step(self.shift()) },
            Kind::KillPostgres => Fault::KillPostgres,
            Kind::KillRedis => Fault::KillRedis(*[RedisData::Kept, RedisData::Lost].choose(&mut self.random)?),
            Kind::KillKafka => Fault::KillKafka,
        })
    }

    fn at_exchange(&mut self, act: Act) -> Option<Fault> {
        let edge = self.edge(|edge| !matches!(act, Act::Repeat(_)) || takes_http(edge))?;
        let pick = Pick::Nth(self.random.random_range(1..=EXCHANGES));
        Some(Fault::Exchange(AtExchange { edge, on: None, pick, act }))
    }

    fn instance(&mut self) -> Option<InstanceName> {
        self.terrain.instances.choose(&mut self.random).cloned()
    }

    fn edge(&mut self, is_fit: impl Fn(&Edge) -> bool) -> Option<Edge> {
        let edges: Vec<&Edge> = self.terrain.edges.iter().filter(|edge| is_fit(edge)).collect();
        edges.choose(&mut self.random).map(|edge| (*edge).clone())
    }

    fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.random.random_range(least..=most))
    }

    /// From a second to some days, short ones as likely as long ones.
    fn shift(&mut self) -> Shift {
        let by = Duration::from_secs(1 << self.random.random_range(0..=18_u32));
        if self.random.random() { Shift::forwards(by) } else { Shift::backwards(by) }
    }
}

fn takes_http(edge: &Edge) -> bool {
    matches!(edge.to, Node::Instance(_))
}

/// The process that a fault ends or stops, by name; the servers of the stack have names, too.
fn treated(fault: &Fault) -> Option<String> {
    match fault {
        Fault::Kill(name)
        | Fault::Stop(name)
        | Fault::Pause(name)
        | Fault::Restart(name)
        | Fault::Disconnect(name)
        | Fault::Clock { of: name, .. } => Some(name.to_string()),
        Fault::Exchange(at) => at.victim().map(ToString::to_string),
        Fault::KillPostgres => Some(Node::Postgres.to_string()),
        Fault::KillRedis(_) | Fault::FlushRedis => Some(Node::Redis.to_string()),
        Fault::KillKafka => Some(Node::Kafka.to_string()),
        Fault::Server(fault) => Some(fault.turn()),
        Fault::Partition { .. }
        | Fault::Cut { .. }
        | Fault::Latency { .. }
        | Fault::Blackhole { .. }
        | Fault::Gateway(_) => None,
    }
}

/// Whether it is in force for a while, and not at a moment only.
fn lasts(fault: &Fault) -> bool {
    !fault.is_momentary() && !matches!(fault, Fault::Cut { .. } | Fault::Exchange(_))
}

fn is_on_process_at_exchange(fault: &Fault) -> bool {
    matches!(fault, Fault::Exchange(at) if at.victim().is_some())
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
