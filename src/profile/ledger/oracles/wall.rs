//! What time each instance was told, as far as the history says: from the faults on clocks that made a difference.

use std::collections::BTreeMap;

use crate::fault::{ClockChange, Fault, Plan};
use crate::history::{InstanceName, Moment, StepId};
use crate::judgement::Witness;
use crate::profile::ledger::facts::{Attempt, Facts, FaultKind};

/// Times that are nearer to each other than this count as the same, in nanoseconds.
const APART_NS: u64 = 60 * 1_000_000_000;

/// The clocks of all instances through a run.
#[derive(Debug)]
pub(super) struct Walls {
    /// By instance, in order.
    stretches: Vec<Vec<Stretch>>,
}

/// A time in which a clock went on undisturbed.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: Moment,
    /// How wrong the clock was then.
    error_ns: i64,
    /// How many nanoseconds it gained in one.
    gains: f64,
    /// The fault that made it so; the clock is right where there is none.
    step: Option<StepId>,
}

/// What an instance was told while it had an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// How wrong the time was when the attempt was sent.
    pub(super) error_ns: i64,
    /// Which stretch, counted through all clocks.
    stretch: usize,
    step: Option<StepId>,
}

impl Told {
    /// Whether the two times differ by a minute or more.
    pub(super) fn is_apart(self, other: Self) -> bool {
        self.error_ns.abs_diff(other.error_ns) >= APART_NS
    }

    /// Whether it is the same instance, and nobody touched its clock in between.
    pub(super) fn is_same_stretch(self, other: Self) -> bool {
        self.stretch == other.stretch
    }
}

impl Walls {
    /// Follows the clocks. A change that nobody noticed was none.
    pub(super) fn of(facts: &Facts, plan: &Plan) -> Self {
        let change = |step: StepId| match &plan.steps.get(usize::from(step.0))?.fault {
            Fault::Clock { of, change } => Some((of, *change)),
            _ => None,
        };
        let bit = |step: StepId| facts.faults.iter().any(|it| it.step == step && it.change == FaultKind::Bit);
        let mut clocks: BTreeMap<&InstanceName, Vec<Stretch>> = BTreeMap::new();
        for event in &facts.faults {
            let Some((of, change)) = change(event.step) else { continue };
            let stretches = clocks.entry(of).or_default();
            let error_ns = stretches.last().map_or(0, |last| last.error_ns(event.at));
            let gains = stretches.last().map_or(0.0, |last| last.gains);
            let (error_ns, gains) = match (event.change, change) {
                (FaultKind::Injected, ClockChange::Step(shift)) => {
                    (error_ns.saturating_add(shift.nanoseconds()), gains)
                }
                (FaultKind::Injected, ClockChange::Drift(rate)) => (error_ns, rate.get() - 1.0),
                (FaultKind::Injected, ClockChange::Freeze) => (error_ns, -1.0),
                (FaultKind::Injected, ClockChange::Back) | (FaultKind::Healed, _) => (0, 0.0),
                (FaultKind::Bit | FaultKind::Missed, _) => continue,
            };
            let is_healed = event.change == FaultKind::Healed;
            if is_healed || bit(event.step) {
                let step = (!is_healed).then_some(event.step);
                stretches.push(Stretch { from: event.at, error_ns, gains, step });
            }
        }
        let of = |name| clocks.remove(name).unwrap_or_default();
        Self { stretches: facts.instances.iter().map(of).collect() }
    }

    /// What the instance was told that had this attempt; `None` when its clock was changed meanwhile.
    pub(super) fn told(&self, attempt: &Attempt) -> Option<Told> {
        let instance = usize::from(attempt.to.0);
        let stretches = self.stretches.get(instance)?;
        let place = |at: Moment| stretches.partition_point(|stretch| stretch.from <= at);
        let number = place(attempt.invoked);
        if number != place(attempt.returned.unwrap_or(Moment(u64::MAX))) {
            return None;
        }
        let before = self.stretches[..instance].iter().map(|others| others.len() + 1).sum::<usize>();
        let now = number.checked_sub(1).map(|last| &stretches[last]);
        Some(Told {
            error_ns: now.map_or(0, |stretch| stretch.error_ns(attempt.invoked)),
            stretch: before + number,
            step: now.and_then(|stretch| stretch.step),
        })
    }
}

/// The faults that made these times wrong.
pub(super) fn faults(told: [Told; 2]) -> impl Iterator<Item = Witness> {
    told.into_iter().filter_map(|told| told.step).map(Witness::Fault)
}

impl Stretch {
    fn error_ns(&self, at: Moment) -> i64 {
        let since_ns = at.0.saturating_sub(self.from.0) as f64;
        // Nothing is decided by less than a minute.
        self.error_ns.saturating_add((since_ns * self.gains) as i64)
    }
}
