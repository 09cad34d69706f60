//! The search as a whole: measure, pass after pass, measure again.

use std::collections::VecDeque;
use std::sync::Arc;

use super::beginnings::beginnings;
use super::cut::Base;
use super::passes::{Answer, Ladder, Parts, Pass, WITNESSES};
use super::rate::Rate;
use super::size::Size;
use super::terms::{Decision, Ended, Proposal, Ran, Seen, Share};
use super::trial::{LOST_MAX, Trial};
use super::values::Values;
use crate::explore::Signature;
use crate::profile::Profile;
use crate::runner::CaseFile;

/// The least and the most runs that the case is measured by before anything is taken from it.
const MEASURED_RUNS: (u32, u32) = (3, 10);

/// After so many hits the least number of runs is enough.
const MEASURED_HITS: u32 = 2;

/// How many runs the case is measured by that the witnesses led to, those that found it among them.
const MEASURED_AGAIN: u32 = 5;

/// How many runs the result is measured by.
const CONFIRMING_RUNS: u32 = 5;

/// A case that shows this often needs no better timing.
const RELIABLE: f64 = 0.8;

/// A search for a smaller case. Ask [`Search::propose`], run that, [`Search::tell`]; until there is no more.
pub struct Search {
    profile: &'static dyn Profile,
    goal: Signature,
    budget: u32,
    used: u32,
    rate: Rate,
    before: Share,
    /// Of the case that the witnesses led to.
    again: Share,
    after: Share,
    size_before: Size,
    base: Base,
    /// The run that the base is cut from.
    ran: Ran,
    stage: Stage,
    passes: VecDeque<Kind>,
    pass: Option<Box<dyn Pass + Send>>,
    trial: Option<Trial>,
    /// The smallest that was accepted in this pass.
    accepted: Option<(CaseFile, Ran)>,
    /// A beginning that showed, but less often than is wanted of one, and how often.
    seldom: Option<(CaseFile, Ran, Share)>,
    rejected: Vec<CaseFile>,
    /// Runs that say nothing.
    lost: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Measuring,
    /// What the witnesses led to is another case, with a rate of its own.
    MeasuringAgain,
    Passes,
    Confirming {
        is_complete: bool,
    },
    Ended {
        is_complete: bool,
    },
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Witnesses,
    Timing,
    Preparations,
    Faults,
    Clients,
    Operations,
    Values,
}

impl Search {
    /// Starts from a run that violated `goal`, to be done within `budget` runs.
    #[must_use]
    pub fn new(profile: &'static dyn Profile, case: CaseFile, ran: Ran, goal: Signature, budget: u32) -> Self {
        use Kind::{Clients, Faults, Operations, Preparations, Timing, Values, Witnesses};
        Self {
            profile,
            goal,
            budget,
            used: 0,
            rate: Rate::default(),
            before: Share::default(),
            again: Share::default(),
            after: Share::default(),
            size_before: Size::of(&case),
            base: Base::new(case, &ran.history),
            ran,
            stage: Stage::Measuring,
            passes: [Witnesses, Timing, Preparations, Faults, Clients, Operations, Values, Preparations].into(),
            pass: None,
            trial: None,
            accepted: None,
            seldom: None,
            rejected: Vec::new(),
            lost: 0,
        }
    }

    /// What is looked for.
    #[must_use]
    pub fn goal(&self) -> &Signature {
        &self.goal
    }

    /// What to run next; `None` when the search is over.
    #[must_use]
    pub fn propose(&mut self) -> Option<Proposal> {
        loop {
            let left = self.budget.saturating_sub(self.used);
            match self.stage {
                Stage::Measuring => {
                    let (least, most) = MEASURED_RUNS;
                    let is_known = self.before.runs >= least && self.before.hits >= MEASURED_HITS;
                    let cannot_run = self.before.runs == 0 && self.lost >= LOST_MAX;
                    if is_known || cannot_run || self.before.runs >= most || left <= CONFIRMING_RUNS {
                        self.rate = Rate::measured(self.before.hits, self.before.runs);
                        let shows = self.before.hits > 0;
                        self.stage = if shows { Stage::Passes } else { Stage::Ended { is_complete: false } };
                        continue;
                    }
                    let runs = least.saturating_sub(self.before.runs).max(1).min(left);
                    return Some(Proposal { case: Arc::new(self.base.case.clone()), what: "measuring", runs });
                }
                Stage::MeasuringAgain => {
                    let runs = MEASURED_AGAIN.saturating_sub(self.again.runs).min(left.saturating_sub(CONFIRMING_RUNS));
                    if runs == 0 {
                        self.rate = Rate::measured(self.again.hits, self.again.runs);
                        self.stage = Stage::Passes;
                        continue;
                    }
                    return Some(Proposal { case: Arc::new(self.base.case.clone()), what: "measuring", runs });
                }
                Stage::Passes => {
                    if left <= CONFIRMING_RUNS {
                        self.finish_pass();
                        self.stage = Stage::Confirming { is_complete: false };
                    } else if let Some(proposal) = self.propose_smaller(left - CONFIRMING_RUNS) {
                        return Some(proposal);
                    } else if self.stage == Stage::Passes {
                        self.stage = Stage::Confirming { is_complete: true };
                    }
                }
                Stage::Confirming { is_complete } => {
                    let runs = CONFIRMING_RUNS.saturating_sub(self.after.runs).min(left);
                    if runs == 0 {
                        self.stage = Stage::Ended { is_complete };
                        continue;
                    }
                    return Some(Proposal { case: Arc::new(self.base.case.clone()), what: "confirming", runs });
                }
                Stage::Ended { .. } => return None,
            }
        }
    }

    /// Tells what came of runs of the case that was proposed last. Says what became of it, where that is decided.
    pub fn tell(&mut self, seen: Vec<Seen>) -> Option<Decision> {
        self.used = self.used.saturating_add(u32::try_from(seen.len()).unwrap_or(u32::MAX));
        let all = seen.len();
        let runs = seen.iter().filter(|seen| !matches!(seen, Seen::Nothing)).count();
        let hits: Vec<_> =
            seen.into_iter().filter_map(|seen| if let Seen::Hit(ran) = seen { Some(*ran) } else { None }).collect();
        let share = Share { hits: number(hits.len()), runs: number(runs) };
        let lost = number(all - runs);
        self.lost += lost;
        match self.stage {
            Stage::Measuring => {
                self.before = self.before + share;
                Some(self.decision("measuring", None, self.before))
            }
            Stage::MeasuringAgain => {
                self.again = self.again + share;
                Some(self.decision("measuring", None, self.again))
            }
            Stage::Confirming { .. } => {
                self.after = self.after + share;
                Some(self.decision("confirming", None, self.after))
            }
            Stage::Passes => self.tell_trial(share, lost, hits.into_iter().next()),
            Stage::Ended { .. } => None,
        }
    }

    /// Stops: what has been found so far is what [`Search::end`] gives back.
    pub fn interrupt(&mut self) {
        self.finish_pass();
        self.stage = Stage::Ended { is_complete: false };
    }

    /// What the search came to.
    #[must_use]
    pub fn end(self) -> Ended {
        Ended {
            size: (self.size_before, Size::of(&self.base.case)),
            share: (self.before, self.after),
            used: (self.used, self.budget),
            is_complete: self.stage == Stage::Ended { is_complete: true },
            case: self.base.case,
            ran: self.ran,
        }
    }

    fn propose_smaller(&mut self, most: u32) -> Option<Proposal> {
        loop {
            if let Some(trial) = &self.trial {
                let runs = trial.runs_left(self.rate).min(most);
                return Some(Proposal { case: Arc::clone(&trial.case), what: trial.what, runs });
            }
            if self.pass.is_none() {
                let kind = self.passes.pop_front()?;
                if matches!(kind, Kind::Timing) && self.rate.estimate() >= RELIABLE {
                    continue;
                }
                self.pass = Some(self.begin(kind));
            }
            let Some(pass) = &mut self.pass else { continue };
            let Some(case) = pass.propose() else {
                let is_another = pass.name() == WITNESSES && (self.accepted.is_some() || self.seldom.is_some());
                self.finish_pass();
                if is_another {
                    self.stage = Stage::MeasuringAgain;
                    return None;
                }
                continue;
            };
            let smallest = self.accepted.as_ref().map_or(&self.base.case, |(case, _)| case);
            if is_same(&case, smallest) {
                pass.answer(Answer::Accepted);
            } else if self.rejected.iter().any(|rejected| is_same(&case, rejected)) {
                pass.answer(Answer::Rejected);
            } else {
                self.trial = Some(Trial::new(case, pass.name(), pass.measure()));
            }
        }
    }

    fn tell_trial(&mut self, share: Share, lost: u32, hit: Option<Ran>) -> Option<Decision> {
        let mut trial = self.trial.take()?;
        trial.count(share, lost, hit);
        let Some(answer) = trial.answer(self.rate) else {
            self.trial = Some(trial);
            return None;
        };
        if let Some(pass) = &mut self.pass {
            pass.answer(answer);
        }
        let Trial { case, what, share, hit, .. } = trial;
        let case = Arc::unwrap_or_clone(case);
        let accepted = answer == Answer::Accepted;
        let decision = Decision { size: Size::of(&case), ..self.decision(what, Some(accepted), share) };
        match (answer, hit) {
            (Answer::Accepted, Some(ran)) => {
                self.rate = self.rate.inherited(share.hits, share.runs);
                self.again = share;
                self.accepted = Some((case, ran));
            }
            (Answer::Seldom, Some(ran)) => {
                // Better than nothing, if nothing better comes.
                self.seldom.get_or_insert((case, ran, share));
            }
            _ => self.rejected.push(case),
        }
        Some(decision)
    }

    /// What was accepted last is what the next pass starts from, with the run in which it showed.
    fn finish_pass(&mut self) {
        let open = self.trial.take().filter(Trial::is_beginning);
        if let Some(Trial { case, hit: Some(ran), share, .. }) = open {
            self.seldom.get_or_insert((Arc::unwrap_or_clone(case), ran, share));
        }
        self.pass = None;
        if let Some((case, ran, share)) = self.seldom.take().filter(|_| self.accepted.is_none()) {
            self.again = share;
            self.accepted = Some((case, ran));
        }
        if let Some((case, ran)) = self.accepted.take() {
            self.base = Base::new(case, &ran.history);
            self.ran = ran;
        }
    }

    fn begin(&self, kind: Kind) -> Box<dyn Pass + Send> {
        let base = self.base.clone();
        match kind {
            Kind::Witnesses => Box::new(Ladder::new(beginnings(&self.base, &self.ran, &self.goal, self.profile))),
            Kind::Timing => Box::new(Values::timing(&base)),
            Kind::Preparations => Box::new(Values::preparations(&base, self.profile)),
            Kind::Faults => Box::new(Parts::faults(base)),
            Kind::Clients => Box::new(Parts::clients(base)),
            Kind::Operations => Box::new(Parts::steps(base)),
            Kind::Values => Box::new(Values::simpler(&base)),
        }
    }

    fn decision(&self, what: &'static str, accepted: Option<bool>, share: Share) -> Decision {
        Decision { what, size: Size::of(&self.base.case), accepted, share, used: (self.used, self.budget) }
    }
}

/// Whether two cases do the same.
fn is_same(one: &CaseFile, other: &CaseFile) -> bool {
    one.script == other.script && one.plan == other.plan && one.read_every == other.read_every
}

fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
