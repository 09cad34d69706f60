//! The passes of a search: each proposes smaller cases, one after the other, and hears of each whether it still shows
//! what is looked for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::cdd::Cdd;
use super::cut::{Base, Keep};
use super::timetable::StepRef;
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
    /// The same, but it must not show much more seldom: a fault that gives a race the time to happen is worth keeping, since
    /// everything that is tried after it would take many more runs.
    Steadily,
    /// As the first, but the rate so far says little about it: so many tries, and one more for each hit. Two hits are wanted,
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
        for (_, part) in self.parts.iter().enumerate().filter(|(index, _)| !left.contains(index)) {
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

    fn measure(&self) -> Measure {
        if self.needs_steps { Measure::Once } else { Measure::Steadily }
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
