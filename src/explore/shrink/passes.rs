//! The passes of a search: each proposes smaller cases, one after the other, and hears of each whether it still shows
//! what is looked for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::cdd::Cdd;
use super::cut::{Base, Keep};
use super::timetable::StepRef;
use crate::fault::Heal;
use crate::profile::Profile;
use crate::runner::CaseFile;

/// A row of smaller cases. Asked again before it was answered it proposes the same.
pub(super) trait Pass {
    /// For people: what is being taken away.
    fn name(&self) -> &'static str;
    /// Whether a proposal only reads better and does no less, so that it has to show as often as the case before it.
    fn is_cosmetic(&self) -> bool {
        false
    }
    /// The next case to try; `None`: the pass is through.
    fn propose(&mut self) -> Option<CaseFile>;
    /// Whether the proposed case still shows what is looked for.
    fn answer(&mut self, still: bool);
}

/// The first of these that shows it ends the pass.
pub(super) struct Ladder {
    pub(super) base: Base,
    pub(super) rungs: VecDeque<Keep>,
}

impl Pass for Ladder {
    fn name(&self) -> &'static str {
        "witnesses"
    }

    fn propose(&mut self) -> Option<CaseFile> {
        self.rungs.front().map(|keep| self.base.cut(keep))
    }

    fn answer(&mut self, still: bool) {
        if still {
            self.rungs.clear();
        } else {
            self.rungs.pop_front();
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

    fn answer(&mut self, still: bool) {
        self.cdd.answer(still);
    }
}

/// Changes of values, one after the other, each kept if it can be.
pub(super) struct Values {
    name: &'static str,
    is_cosmetic: bool,
    case: CaseFile,
    changes: VecDeque<Change>,
    proposed: Option<CaseFile>,
}

type Change = Box<dyn Fn(&CaseFile) -> CaseFile + Send>;

impl Values {
    /// Preparations that nothing needs any more.
    pub(super) fn preparations(base: &Base, profile: &'static dyn Profile) -> Self {
        let trim = move |case: &CaseFile| CaseFile { script: profile.trim(&case.script), ..case.clone() };
        Self::new("preparations", false, base, vec![Box::new(trim)])
    }

    /// Copies, pauses, and lengths of faults.
    pub(super) fn simpler(base: &Base) -> Self {
        let mut changes: Vec<Change> = Vec::new();
        changes.push(Box::new(|case| each_step(case, |step| step.copies = 1)));
        changes.push(Box::new(|case| each_step(case, |step| step.copies = step.copies.min(2))));
        changes.push(Box::new(|case| each_step(case, |step| step.after = Duration::ZERO)));
        changes.push(Box::new(|case| each_step(case, |step| step.after = whole_millis(step.after))));
        changes.push(Box::new(|case| {
            let mut case = case.clone();
            for step in &mut case.plan.steps {
                if matches!(step.heal, Heal::After(_) | Heal::Operations(_)) {
                    step.heal = Heal::AtEnd;
                }
            }
            case
        }));
        Self::new("values", true, base, changes)
    }

    fn new(name: &'static str, is_cosmetic: bool, base: &Base, changes: Vec<Change>) -> Self {
        Self { name, is_cosmetic, case: base.case.clone(), changes: changes.into(), proposed: None }
    }
}

impl Pass for Values {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_cosmetic(&self) -> bool {
        self.is_cosmetic
    }

    fn propose(&mut self) -> Option<CaseFile> {
        while let Some(change) = self.changes.front() {
            let changed = change(&self.case);
            if changed != self.case {
                self.proposed = Some(changed.clone());
                return Some(changed);
            }
            self.changes.pop_front();
        }
        None
    }

    fn answer(&mut self, still: bool) {
        self.changes.pop_front();
        if let Some(changed) = self.proposed.take().filter(|_| still) {
            self.case = changed;
        }
    }
}

fn each_step(case: &CaseFile, change: impl Fn(&mut crate::profile::script::Step)) -> CaseFile {
    let mut case = case.clone();
    case.script.clients.iter_mut().flatten().for_each(change);
    case
}

fn whole_millis(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
