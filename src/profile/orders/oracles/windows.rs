//! When which part of the world was disturbed, as far as the plan says what was done and the history when.

use super::Seen;
use crate::fault::{Act, Does, Fault, Node, ServerFault};
use crate::history::{InstanceName, Moment, StepId};
use crate::profile::orders::WORKER;
use crate::profile::orders::facts::{FaultKind, Instance};

/// The time in which a step of the plan was in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'a> {
    /// Which step.
    pub(super) step: StepId,
    /// What was done.
    pub(super) fault: &'a Fault,
    /// When it was injected.
    pub(super) from: Moment,
    /// When it was healed; the end of time if that was not told.
    pub(super) to: Moment,
    /// Whether it made a difference.
    pub(super) bit: bool,
}

impl Window<'_> {
    /// Whether all of this time is in it.
    pub(super) fn contains(&self, first: Moment, last: Moment) -> bool {
        self.from <= first && last <= self.to
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }

    /// Whether it keeps this instance from the server.
    pub(super) fn keeps(&self, instance: &InstanceName) -> bool {
        match self.fault {
            Fault::Partition { edge, .. } | Fault::Blackhole { edge } => edge.from == Node::Instance(instance.clone()),
            _ => true,
        }
    }
}

impl<'a> Seen<'a> {
    /// When the faults of a kind were in force, in the order of the plan.
    pub(super) fn windows(&self, is_meant: impl Fn(&Fault) -> bool) -> Vec<Window<'a>> {
        let meant = (0..).map(StepId).zip(&self.plan.steps).filter(|(_, step)| is_meant(&step.fault));
        let window = |(step, of): (StepId, &'a crate::fault::Step)| {
            let changes = || self.facts.faults.iter().filter(move |seen| seen.step == step);
            let first = |kind| changes().find(|seen| seen.change == kind).map(|seen| seen.at);
            let to = first(FaultKind::Healed).unwrap_or(Moment(u64::MAX));
            let bit = first(FaultKind::Bit).is_some();
            Some(Window { step, fault: &of.fault, from: first(FaultKind::Injected)?, to, bit })
        };
        meant.filter_map(window).collect()
    }

    /// Whether nothing but this and what is like it was going wrong meanwhile.
    pub(super) fn is_alone(&self, window: &Window<'_>, is_alike: impl Fn(&Fault) -> bool) -> bool {
        let others = self.windows(|fault| !is_alike(fault) && !matches!(fault, Fault::Latency { .. }));
        others.iter().all(|other| !other.overlaps(window))
    }

    /// Whether something had been done by then that may have taken an event out of a worker's hands, so that another
    /// one, or the same once more, has to begin anew.
    pub(super) fn is_disturbed_before(&self, moment: Moment) -> bool {
        self.windows(disturbs_workers).iter().any(|window| window.from <= moment)
    }

    /// Whether an instance was started anew in this time.
    pub(super) fn is_restarted(&self, instance: Instance, first: Moment, last: Moment) -> bool {
        let name = self.facts.instance(instance).map(ToString::to_string);
        let starts = self.facts.processes.iter().filter(|seen| seen.started && (first..=last).contains(&seen.at));
        starts.into_iter().any(|seen| name.as_deref() == Some(&*seen.name))
    }
}

/// Whether after a fault somebody may have to begin an event anew, or did not hear what the gateway said: it treats a
/// worker or one of its links, or a server without which none can finish, or makes the gateway slow.
fn disturbs_workers(fault: &Fault) -> bool {
    match fault {
        Fault::KillPostgres | Fault::KillKafka => true,
        Fault::Server(ServerFault::TerminateBackends | ServerFault::ReadOnlyPostgres) => true,
        Fault::Server(fault) => shares_anew(fault),
        Fault::Gateway(at) => matches!(at.does, Does::Slow(_) | Does::Late(_)),
        _ => is_on_workers(fault),
    }
}

/// Whether a fault treats a worker or one of its links.
fn is_on_workers(fault: &Fault) -> bool {
    let slow = matches!(fault, Fault::Latency { .. } | Fault::Clock { .. });
    !slow && fault.instances().iter().any(|name| name.role == WORKER)
}

/// Whether a fault may take partitions from a worker, or gives it again what it had done.
fn shares_anew(fault: &ServerFault) -> bool {
    matches!(fault, ServerFault::PhantomMember { .. } | ServerFault::Rewind { .. })
}

/// Whether a fault may move work from one worker to another: it treats a worker's process, keeps it from the broker, or
/// makes their group share anew.
pub(super) fn moves_work(fault: &Fault) -> bool {
    if let Fault::Server(fault) = fault {
        return shares_anew(fault);
    }
    let moves = match fault {
        Fault::Exchange(at) => {
            at.edge.to == Node::Kafka || matches!(at.act, Act::CrashBefore | Act::CrashAfter | Act::Stall)
        }
        Fault::Partition { edge, .. } | Fault::Blackhole { edge } | Fault::Cut { edge } => edge.to == Node::Kafka,
        _ => true,
    };
    moves && is_on_workers(fault)
}

/// Whether a fault takes a server away from an instance that is no worker.
pub(super) fn takes_away(fault: &Fault, server: &Node) -> bool {
    match fault {
        Fault::KillPostgres => *server == Node::Postgres,
        Fault::KillKafka => *server == Node::Kafka,
        // Nothing can be written, which an order needs.
        Fault::Server(ServerFault::ReadOnlyPostgres) => *server == Node::Postgres,
        Fault::Partition { edge, .. } | Fault::Blackhole { edge } => edge.to == *server && !is_on_workers(fault),
        _ => false,
    }
}
