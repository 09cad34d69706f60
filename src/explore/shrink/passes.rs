//! The passes of a search: each proposes smaller cases, one after the other, and hears of each whether it still shows
//! what is looked for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::cdd::Cdd;
use super::cut::{Base, Keep};
use super::timetable::StepRef;
use crate::fault::{Fault, Trigger};
use crate::profile::Profile;
use crate::runner::CaseFile;

/// A row of smaller cases. Asked again before it was answered it proposes the same.
pub(super) trait Pass {
    /// For people: what is being taken away.
    fn name(&self) -> &'static str;
    /// By what the proposal is judged.
    fn measure(&self) -> Measure {
        Measure::Once
    }
    /// The next case to try; `None`: the pass is through.
    fn propose(&mut self) -> Option<CaseFile>;
    /// What became of the proposed case.
    fn answer(&mut self, answer: Answer);
}

/// What became of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It takes the place of the case before it.
    Accepted,
    /// It showed, but too seldom to be content with it.
    Seldom,
    /// It does not.
    Rejected,
}

/// The name of the first pass.
pub(super) const WITNESSES: &str = "witnesses";

/// By what a proposal is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// It does less: one hit proves that this is enough. As many tries as the rate so far demands.
    Once,
    /// The same, but the rate so far says little about it: so many tries, and one more for each hit. Two hits are wanted,
    /// since among many that are tried some hit by chance.
    Aimed(u32),
    /// It does no less, only otherwise: it has to show as often as the case before it.
    AsOften,
    /// It is worth something only if it shows more often.
    MoreOften,
}

/// The first of these that shows it ends the pass.
pub(super) struct Ladder {
    rungs: VecDeque<Rung>,
    /// Whether one has shown, but seldom.
    has_shown: bool,
}

/// A beginning that is tried.
pub(super) struct Rung {
    /// It.
    pub(super) case: CaseFile,
    /// Larger ones are of no use once a smaller one has shown, be it seldom.
    pub(super) is_larger: bool,
    pub(super) tries: u32,
}

impl Ladder {
    pub(super) fn new(rungs: VecDeque<Rung>) -> Self {
        Self { rungs, has_shown: false }
    }
}

impl Pass for Ladder {
    fn name(&self) -> &'static str {
        WITNESSES
    }

    fn propose(&mut self) -> Option<CaseFile> {
        let is_wanted = |rung: &&Rung| !(rung.is_larger && self.has_shown);
        self.rungs.front().filter(is_wanted).map(|rung| rung.case.clone())
    }

    fn measure(&self) -> Measure {
        self.rungs.front().map_or(Measure::Once, |rung| Measure::Aimed(rung.tries))
    }

    fn answer(&mut self, answer: Answer) {
        self.has_shown |= answer == Answer::Seldom;
        match answer {
            Answer::Accepted => self.rungs.clear(),
            Answer::Seldom | Answer::Rejected => _ = self.rungs.pop_front(),
        }
    }
}

/// Delta debugging over parts of a case.
pub(super) struct Parts {
    name: &'static str,
    base: Base,
    parts: Vec<Keep>,
    cdd: Cdd,
    /// Whether a load must be left: without one nothing can be violated.
    needs_steps: bool,
}

impl Parts {
    /// Each fault is a part.
    pub(super) fn faults(base: Base) -> Self {
        let of = |fault| Keep { steps: BTreeSet::new(), faults: BTreeSet::from([fault]) };
        let parts = base.everything().faults.into_iter().map(of).collect();
        Self::new("faults", base, parts, false)
    }

    /// Each caller with all that it does is a part.
    pub(super) fn clients(base: Base) -> Self {
        let mut clients: BTreeMap<usize, BTreeSet<StepRef>> = BTreeMap::new();
        for step in base.everything().steps {
            clients.entry(step.client).or_default().insert(step);
        }
        let parts = clients.into_values().map(|steps| Keep { steps, faults: BTreeSet::new() }).collect();
        Self::new("clients", base, parts, true)
    }

    /// Each step of a caller is a part.
    pub(super) fn steps(base: Base) -> Self {
        let of = |step| Keep { steps: BTreeSet::from([step]), faults: BTreeSet::new() };
        let parts = base.everything().steps.into_iter().map(of).collect();
        Self::new("operations", base, parts, true)
    }

    fn new(name: &'static str, base: Base, parts: Vec<Keep>, needs_steps: bool) -> Self {
        Self { name, base, cdd: Cdd::new(parts.len()), parts, needs_steps }
    }

    /// The case with these parts and everything that is no part at all.
    fn with(&self, left: &[usize]) -> Keep {
        let mut keep = self.base.everything();
        for (index, part) in self.parts.iter().enumerate().filter(|(index, _)| !left.contains(index)) {
            debug_assert!(!left.contains(&index), "what is left stays");
            keep.steps.retain(|step| !part.steps.contains(step));
            keep.faults.retain(|fault| !part.faults.contains(fault));
        }
        keep
    }
}

impl Pass for Parts {
    fn name(&self) -> &'static str {
        self.name
    }

    fn propose(&mut self) -> Option<CaseFile> {
        loop {
            let left = self.cdd.trial()?;
            let case = self.base.cut(&self.with(&left));
            if !self.needs_steps || case.script.clients.iter().any(|steps| !steps.is_empty()) {
                return Some(case);
            }
            self.cdd.answer(false);
        }
    }

    fn answer(&mut self, answer: Answer) {
        self.cdd.answer(answer == Answer::Accepted);
    }
}

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
        Self::new("preparations", base, vec![(Measure::Once, Box::new(trim))])
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
            (Measure::Once, Box::new(|case| CaseFile { read_every: None, ..case.clone() })),
            (Measure::Once, Box::new(|case| each_step(case, |step| step.copies = 1))),
            (Measure::Once, Box::new(|case| each_step(case, |step| step.copies = step.copies.min(2)))),
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

fn each_step(case: &CaseFile, change: impl Fn(&mut crate::profile::script::Step)) -> CaseFile {
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
