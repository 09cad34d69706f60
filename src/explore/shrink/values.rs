//! The passes that leave everything in its place and change values: preparations, timing, and what reads more simply.

use std::collections::VecDeque;
use std::time::Duration;

use super::cut::Base;
use super::passes::{Answer, Measure, Pass};
use crate::fault::{Fault, Trigger};
use crate::profile::Profile;
use crate::profile::script::Step;
use crate::runner::CaseFile;

/// Changes of values, one after the other, each kept if it can be.
pub(super) struct Values {
    name: &'static str,
    case: CaseFile,
    changes: VecDeque<(Measure, Change)>,
    proposed: Option<CaseFile>,
}

/// By how much the pause before a fault is changed to see whether it then hits its moment more often.
const NUDGES: [f64; 2] = [0.9, 1.1];

type Change = Box<dyn Fn(&CaseFile) -> CaseFile + Send>;

impl Values {
    /// Preparations that nothing needs any more.
    pub(super) fn preparations(base: &Base, profile: &'static dyn Profile) -> Self {
        let trim = move |case: &CaseFile| CaseFile { script: profile.trim(&case.script), ..case.clone() };
        Self::new("preparations", base, vec![(Measure::Steadily, Box::new(trim))])
    }

    /// What makes the moment of a fault more certain, for a case that does not always show.
    pub(super) fn timing(base: &Base) -> Self {
        let mut changes: Vec<(Measure, Change)> = vec![(Measure::AsOften, Box::new(without_jitter))];
        for times in NUDGES {
            changes.push((Measure::MoreOften, Box::new(move |case| stretched(case, times))));
        }
        Self::new("timing", base, changes)
    }

    /// Copies, pauses, and lengths of faults.
    pub(super) fn simpler(base: &Base) -> Self {
        let mut changes: Vec<(Measure, Change)> = vec![
            (Measure::Steadily, Box::new(|case| CaseFile { read_every: None, ..case.clone() })),
            (Measure::Steadily, Box::new(|case| each_step(case, |step| step.copies = 1))),
            (Measure::Steadily, Box::new(|case| each_step(case, |step| step.copies = step.copies.min(2)))),
            (Measure::AsOften, Box::new(without_jitter)),
            (Measure::AsOften, Box::new(|case| each_step(case, |step| step.after = Duration::ZERO))),
            (Measure::AsOften, Box::new(|case| each_step(case, |step| step.after = whole_millis(step.after)))),
        ];
        changes.push((
            Measure::AsOften,
            Box::new(|case| {
                let mut case = case.clone();
                for step in &mut case.plan.steps {
                    if let Trigger::OperationsThen { pause, .. } = &mut step.trigger {
                        *pause = whole_millis(*pause);
                    }
                }
                case
            }),
        ));
        Self::new("values", base, changes)
    }

    fn new(name: &'static str, base: &Base, changes: Vec<(Measure, Change)>) -> Self {
        Self { name, case: base.case.clone(), changes: changes.into(), proposed: None }
    }
}

impl Pass for Values {
    fn name(&self) -> &'static str {
        self.name
    }

    fn measure(&self) -> Measure {
        self.changes.front().map_or(Measure::Once, |(measure, _)| *measure)
    }

    fn propose(&mut self) -> Option<CaseFile> {
        while let Some((_, change)) = self.changes.front() {
            let changed = change(&self.case);
            if changed != self.case {
                self.proposed = Some(changed.clone());
                return Some(changed);
            }
            self.changes.pop_front();
        }
        None
    }

    fn answer(&mut self, answer: Answer) {
        self.changes.pop_front();
        if let Some(changed) = self.proposed.take().filter(|_| answer == Answer::Accepted) {
            self.case = changed;
        }
    }
}

fn each_step(case: &CaseFile, change: impl Fn(&mut Step)) -> CaseFile {
    let mut case = case.clone();
    case.script.clients.iter_mut().flatten().for_each(change);
    case
}

/// The same with every pause between an attempt and a fault as many times as long.
pub(super) fn stretched(case: &CaseFile, times: f64) -> CaseFile {
    let mut case = case.clone();
    for step in &mut case.plan.steps {
        if let Trigger::OperationsThen { pause, .. } = &mut step.trigger {
            *pause = Duration::from_micros(u64::try_from(pause.mul_f64(times).as_micros()).unwrap_or(u64::MAX));
        }
    }
    case
}

/// Whether there is a pause that [`stretched`] stretches.
pub(super) fn has_pauses(case: &CaseFile) -> bool {
    case.plan.steps.iter().any(|step| matches!(step.trigger, Trigger::OperationsThen { .. }))
}

/// The same with readings that follow each other as quickly as they can.
pub(super) fn reading_often(case: &CaseFile) -> CaseFile {
    /// Less than any operation takes.
    const OFTEN: Duration = Duration::from_millis(2);
    CaseFile { read_every: case.read_every.map(|pause| pause.min(OFTEN)), ..case.clone() }
}

/// The same with latency that is always the same.
pub(super) fn without_jitter(case: &CaseFile) -> CaseFile {
    let mut case = case.clone();
    for step in &mut case.plan.steps {
        if let Fault::Latency { delay, jitter, .. } = &mut step.fault {
            (*delay, *jitter) = (*delay + *jitter / 2, Duration::ZERO);
        }
    }
    case
}

fn whole_millis(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
