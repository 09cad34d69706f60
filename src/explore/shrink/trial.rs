//! A candidate while it is being tried, and when its runs decide over it.

use std::sync::Arc;

use super::passes::{Answer, Measure};
use super::rate::{Rate, WRONG_REJECTIONS};
use super::terms::{Ran, Share};
use crate::runner::CaseFile;

/// By how many runs it is judged whether a case shows as often as another.
const COMPARED_RUNS: u32 = 4;

/// So many hits are wanted of a beginning.
const AIMED_HITS: u32 = 2;

/// What cannot be run is given up after so many failures.
pub(super) const LOST_MAX: u32 = 3;

/// A candidate under trial.
pub(super) struct Trial {
    pub(super) case: Arc<CaseFile>,
    pub(super) what: &'static str,
    pub(super) share: Share,
    /// The first run that showed what is looked for.
    pub(super) hit: Option<Ran>,
    measure: Measure,
    /// Runs that say nothing.
    lost: u32,
}

impl Trial {
    pub(super) fn new(case: CaseFile, what: &'static str, measure: Measure) -> Self {
        Self { case: Arc::new(case), what, share: Share::default(), hit: None, measure, lost: 0 }
    }

    pub(super) fn is_beginning(&self) -> bool {
        matches!(self.measure, Measure::Aimed(_))
    }

    pub(super) fn count(&mut self, share: Share, lost: u32, hit: Option<Ran>) {
        self.share = self.share + share;
        self.lost += lost;
        self.hit = self.hit.take().or(hit);
    }

    /// How many runs it may take from here, at least 1.
    pub(super) fn runs_left(&self, rate: Rate) -> u32 {
        self.tries(rate).saturating_sub(self.share.runs).max(1)
    }

    /// What is decided; `None`: nothing yet. `rate` is that of the case whose place it would take.
    pub(super) fn answer(&self, rate: Rate) -> Option<Answer> {
        let Share { hits, runs } = self.share;
        let tries = self.tries(rate);
        let needed = match self.measure {
            Measure::Once => 1,
            // One less than the case before it would, or no miss at all.
            Measure::Steadily => {
                let needed = rate.hits_expected(COMPARED_RUNS).saturating_sub(1).max(1);
                if hits == runs { needed.min(2) } else { needed }
            }
            Measure::Aimed(_) => AIMED_HITS,
            Measure::AsOften => rate.hits_expected(tries).max(1),
            Measure::MoreOften => (rate.hits_expected(tries) + 1).min(tries),
        };
        let is_hopeless = match self.measure {
            Measure::Once | Measure::Aimed(_) => runs >= tries,
            Measure::Steadily => hits > 0 && runs >= COMPARED_RUNS,
            Measure::AsOften | Measure::MoreOften => hits + tries.saturating_sub(runs) < needed,
        };
        if hits >= needed {
            Some(Answer::Accepted)
        } else if !(is_hopeless || runs >= tries || self.lost >= LOST_MAX) {
            None
        } else if hits > 0 && self.is_beginning() {
            Some(Answer::Seldom)
        } else {
            Some(Answer::Rejected)
        }
    }

    /// How many runs decide.
    fn tries(&self, rate: Rate) -> u32 {
        match self.measure {
            Measure::Once => rate.misses_to_reject(WRONG_REJECTIONS),
            Measure::Steadily if self.share.hits > 0 => COMPARED_RUNS,
            Measure::Steadily => rate.misses_to_reject(WRONG_REJECTIONS).max(2),
            Measure::Aimed(tries) => tries + self.share.hits,
            Measure::AsOften | Measure::MoreOften => COMPARED_RUNS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{case_file, history};

    /// What is decided after each of these runs.
    fn answers(measure: Measure, rate: Rate, hits: &[bool]) -> Vec<Option<Answer>> {
        let mut trial = Trial::new(case_file(), "faults", measure);
        let mut told = |hit: &bool| {
            let ran = Ran { history: history(), findings: Vec::new(), directory: "runs/x".into() };
            trial.count(Share { hits: u32::from(*hit), runs: 1 }, 0, hit.then_some(ran));
            trial.answer(rate)
        };
        hits.iter().map(&mut told).collect()
    }

    #[test]
    fn one_hit_proves_and_the_rate_says_how_many_misses_reject() {
        let half = Rate::measured(5, 10);
        assert_eq!(answers(Measure::Once, half, &[false, true]), [None, Some(Answer::Accepted)]);
        let five = answers(Measure::Once, half, &[false; 5]);
        assert_eq!(five, [None, None, None, None, Some(Answer::Rejected)]);
        assert_eq!(answers(Measure::Once, Rate::measured(3, 3), &[false; 2]), [None, Some(Answer::Rejected)]);
    }

    #[test]
    fn a_fault_goes_only_if_it_shows_nearly_as_often_without() {
        let (often, half) = (Rate::measured(5, 5), Rate::measured(5, 10));
        assert_eq!(answers(Measure::Steadily, often, &[true, true]), [None, Some(Answer::Accepted)]);
        let once = answers(Measure::Steadily, often, &[true, false, false, true]);
        assert_eq!(once, [None, None, None, Some(Answer::Rejected)]);
        let mostly = answers(Measure::Steadily, often, &[false, true, true, true]);
        assert_eq!(mostly, [None, None, None, Some(Answer::Accepted)]);
        assert_eq!(answers(Measure::Steadily, half, &[false, false, true])[2], Some(Answer::Accepted));
        assert_eq!(answers(Measure::Steadily, half, &[false; 5])[4], Some(Answer::Rejected));
    }

    #[test]
    fn a_beginning_is_wanted_twice_and_remembered_once() {
        let rate = Rate::measured(3, 3);
        assert_eq!(answers(Measure::Aimed(2), rate, &[true, true]), [None, Some(Answer::Accepted)]);
        assert_eq!(answers(Measure::Aimed(2), rate, &[true, false, false]), [None, None, Some(Answer::Seldom)]);
        assert_eq!(answers(Measure::Aimed(1), rate, &[false]), [Some(Answer::Rejected)]);
    }

    #[test]
    fn what_does_no_less_has_to_show_as_often_or_more() {
        let rate = Rate::measured(3, 6);
        assert_eq!(answers(Measure::AsOften, rate, &[true, true]), [None, Some(Answer::Accepted)]);
        assert_eq!(answers(Measure::MoreOften, rate, &[true, false, false]), [None, None, Some(Answer::Rejected)]);
    }
}
