//! A smaller case: only these steps and these faults of a run, arranged so that what is left meets as it met in that run.
//!
//! Leaving steps out moves everything else: callers come to their later steps sooner, and counts of attempts are reached
//! later or never. So the run that is cut from says when things happened: a caller's pauses are lengthened by what it no
//! longer does, stretches in which nothing happens are shortened, and a fault that came after so many attempts comes
//! after as many of them as are left, and as much later.
//!
//! Intents keep their numbers, since their keys are made of them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::timetable::{Done, StepRef, Timetable};
use crate::fault::{Heal, Plan, Step as FaultStep, Trigger};
use crate::history::{History, Moment, StepId};
use crate::profile::script::{Arrival, Step};
use crate::runner::CaseFile;

/// The longest time in which nothing is left to happen.
const IDLE_MAX: Duration = Duration::from_millis(20);

/// A fault that came this soon after an attempt came because of it.
const AT_ONCE: Duration = Duration::from_millis(2);

/// A case and what happened when it was run: what smaller ones are cut from.
#[derive(Clone, Debug)]
pub struct Base {
    /// The case.
    pub case: CaseFile,
    /// When its parts happened.
    pub times: Timetable,
}

/// What is left of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Steps of callers.
    pub steps: BTreeSet<StepRef>,
    /// Steps of the plan.
    pub faults: BTreeSet<usize>,
}

impl Base {
    /// A case with the history of a run of it.
    #[must_use]
    pub fn new(case: CaseFile, history: &History) -> Self {
        let times = Timetable::read(&case.script, case.plan.steps.len(), history);
        Self { case, times }
    }

    /// Everything that made itself felt: a step that was never sent and a fault that was never due can go unseen.
    #[must_use]
    pub fn everything(&self) -> Keep {
        let faults = (0..self.times.faults.len()).filter(|fault| self.times.faults[*fault].injected.is_some());
        Keep { steps: self.times.steps.keys().copied().collect(), faults: faults.collect() }
    }

    /// The case with only what is to be kept.
    #[must_use]
    pub fn cut(&self, keep: &Keep) -> CaseFile {
        let keep = Keep { steps: self.bound(&keep.steps), faults: keep.faults.clone() };
        let clock = Clock::new(&self.times, &keep, &self.case.plan);
        let mut case = self.case.clone();
        case.script.clients = self.clients(&keep, &clock);
        case.plan = self.plan(&keep, &clock);
        case
    }

    /// Without the steps that need a reply which nobody would ask for.
    fn bound(&self, steps: &BTreeSet<StepRef>) -> BTreeSet<StepRef> {
        let script = &self.case.script;
        let mut steps = steps.clone();
        loop {
            let mut asked: BTreeSet<_> = script.setup.iter().copied().collect();
            asked.extend(steps.iter().filter_map(|step| self.step(*step)).map(|step| step.intent));
            let before = steps.len();
            steps.retain(|step| {
                let intent = self.step(*step).and_then(|step| script.intents.get(step.intent.0 as usize));
                intent.is_some_and(|intent| intent.binds.iter().all(|bind| asked.contains(&bind.intent)))
            });
            if steps.len() == before {
                return steps;
            }
        }
    }

    /// A step of the script.
    #[must_use]
    pub fn step(&self, step: StepRef) -> Option<&Step> {
        self.case.script.clients.get(step.client)?.get(step.place)
    }

    /// Callers keep their numbers, which decide through which instance they send; so some may have nothing to do.
    fn clients(&self, keep: &Keep, clock: &Clock) -> Vec<Vec<Step>> {
        let arrival = self.case.script.arrival;
        let mut clients = vec![Vec::new(); self.case.script.clients.len()];
        let mut ready = vec![Duration::ZERO; clients.len()];
        for place in &keep.steps {
            let (Some(step), Some(span)) = (self.step(*place), self.times.steps.get(place)) else { continue };
            let first = clock.told(span.first);
            let after = match arrival {
                Arrival::Open => first,
                Arrival::Closed => first.saturating_sub(ready[place.client]),
            };
            ready[place.client] = clock.told(span.last);
            clients[place.client].push(Step { after: whole_micros(after), ..*step });
        }
        let used = clients.iter().rposition(|steps| !steps.is_empty()).map_or(0, |last| last + 1);
        clients.truncate(used);
        clients
    }

    fn plan(&self, keep: &Keep, clock: &Clock) -> Plan {
        let kept: Vec<usize> = keep.faults.iter().copied().collect();
        let steps = kept.iter().filter_map(|index| {
            let (step, done) = (self.case.plan.steps.get(*index)?, self.times.faults.get(*index)?);
            let trigger = self.trigger(step.trigger, done, keep, &kept, clock);
            let heal = self.heal(step.heal, done, keep);
            Some(FaultStep { trigger, fault: step.fault.clone(), heal })
        });
        Plan::of(steps.collect())
    }

    fn trigger(&self, trigger: Trigger, done: &Done, keep: &Keep, kept: &[usize], clock: &Clock) -> Trigger {
        match trigger {
            Trigger::After { step, pause } => match kept.iter().position(|index| *index == usize::from(step.0)) {
                Some(place) => Trigger::After { step: StepId(u16::try_from(place).unwrap_or(u16::MAX)), pause },
                None => self.in_its_place(done.after, None, done, keep, clock).unwrap_or(trigger),
            },
            Trigger::Operations(count) => {
                self.in_its_place(count as usize, Some(Duration::ZERO), done, keep, clock).unwrap_or(trigger)
            }
            Trigger::OperationsThen { count, pause } => {
                self.in_its_place(count as usize, Some(pause), done, keep, clock).unwrap_or(trigger)
            }
            Trigger::At(after) if !after.is_zero() => {
                done.injected.map_or(trigger, |at| Trigger::At(whole_micros(clock.told(at))))
            }
            // What is there from the start stays so, and what waits for something else is left as it is.
            _ => trigger,
        }
    }

    /// When a fault is due that came after `count` attempts: after as many of them as are kept. If the last of them is
    /// not kept, which it was to follow by `pause`, it comes as much later than the last that is as it did.
    fn in_its_place(
        &self,
        count: usize,
        pause: Option<Duration>,
        done: &Done,
        keep: &Keep,
        clock: &Clock,
    ) -> Option<Trigger> {
        let injected = done.injected?;
        let before = &self.times.attempts[..count.min(self.times.attempts.len())];
        let kept: Vec<_> =
            before.iter().filter(|sent| sent.step.is_some_and(|step| keep.steps.contains(&step))).collect();
        let Some(last) = kept.last() else {
            let at = clock.told(injected);
            return Some(Trigger::At(if at <= AT_ONCE { Duration::ZERO } else { whole_micros(at) }));
        };
        let is_last_kept = before.last() == Some(last);
        let count = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        let seen = || Some(clock.told(injected).saturating_sub(clock.told(last.at))).filter(|pause| *pause > AT_ONCE);
        let pause = pause.filter(|_| is_last_kept).or_else(seen).unwrap_or_default();
        Some(if pause.is_zero() {
            Trigger::Operations(count)
        } else {
            Trigger::OperationsThen { count, pause: whole_micros(pause) }
        })
    }

    /// After as many further attempts as are kept; where none is, after the time that it took.
    fn heal(&self, heal: Heal, done: &Done, keep: &Keep) -> Heal {
        let Heal::Operations(count) = heal else { return heal };
        let meanwhile = self.times.attempts.iter().skip(done.after).take(count as usize);
        let kept = meanwhile.filter(|sent| sent.step.is_some_and(|step| keep.steps.contains(&step))).count();
        match (u32::try_from(kept).unwrap_or(u32::MAX), done.injected, done.healed) {
            (0, Some(injected), Some(healed)) => Heal::After(whole_micros(between(injected, healed))),
            (0, ..) => Heal::AtEnd,
            (kept, ..) => Heal::Operations(kept),
        }
    }
}

/// Tells the time of a load from which stretches without anything have been taken out.
struct Clock {
    start: Moment,
    /// Stretches in which something happens, apart from each other, in order.
    busy: Vec<(Moment, Moment)>,
}

impl Clock {
    fn new(times: &Timetable, keep: &Keep, plan: &Plan) -> Self {
        let steps = keep.steps.iter().filter_map(|step| times.steps.get(step)).map(|span| (span.first, span.last));
        let faults = keep.faults.iter().filter_map(|index| {
            let done = times.faults.get(*index)?;
            let injected = done.injected?;
            // A fault that lasts for a time of its own goes on whatever else happens.
            let lasts = plan.steps.get(*index).is_some_and(|step| matches!(step.heal, Heal::After(_)));
            Some((injected, done.healed.filter(|_| lasts).unwrap_or(injected)))
        });
        let mut all: Vec<_> = steps.chain(faults).collect();
        all.sort_unstable();
        let mut busy: Vec<(Moment, Moment)> = Vec::new();
        for (first, last) in all {
            match busy.last_mut() {
                Some((_, end)) if first <= *end => *end = last.max(*end),
                _ => busy.push((first, last)),
            }
        }
        Self { start: times.start, busy }
    }

    /// How long after the start of the load this moment comes now.
    fn told(&self, at: Moment) -> Duration {
        let mut told = Duration::ZERO;
        let mut before = self.start;
        for (first, last) in &self.busy {
            let (first, last) = ((*first).max(before), (*last).max(before));
            let idle = between(before, first.min(at)).min(IDLE_MAX);
            told += idle;
            if at <= first {
                return told;
            }
            told += between(first, last.min(at));
            if at <= last {
                return told;
            }
            before = last;
        }
        told + between(before, at).min(IDLE_MAX)
    }
}

fn between(first: Moment, last: Moment) -> Duration {
    last.since_start().saturating_sub(first.since_start())
}

/// Finer than this nothing can be repeated, and it reads badly.
fn whole_micros(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
