//! How often a case shows what is looked for, and what follows for the number of tries.

/// The share of wrong rejections that is put up with. A wrong one keeps something that could have gone; it never makes
/// the result untrue, because what is kept has been seen to reproduce.
pub const WRONG_REJECTIONS: f64 = 0.05;

/// The most tries of one candidate, however seldom it may show.
pub const MISSES_MAX: u32 = 20;

/// How many runs what was known of a case is worth once a smaller one has taken its place.
const INHERITED_RUNS: f64 = 3.0;

/// A measured rate: hits among runs, both of which may be fractions where they were inherited.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    hits: f64,
    runs: f64,
}

impl Rate {
    /// So many hits in so many runs.
    #[must_use]
    pub fn measured(hits: u32, runs: u32) -> Self {
        Self { hits: f64::from(hits), runs: f64::from(runs) }
    }

    /// The rate of a case that took the place of one with this rate, when it hit so often in so many runs.
    #[must_use]
    pub fn inherited(self, hits: u32, runs: u32) -> Self {
        let (hits, runs) = (f64::from(hits), f64::from(runs));
        Self { hits: self.estimate() * INHERITED_RUNS + hits, runs: INHERITED_RUNS + runs }
    }

    /// The estimate of Krichevsky and Trofimov, which never is 0 or 1: half a hit and half a miss are added.
    #[must_use]
    pub fn estimate(self) -> f64 {
        (self.hits + 0.5) / (self.runs + 1.0)
    }

    /// How many of so many runs have to hit for a case that is said to show as often.
    #[must_use]
    pub fn hits_expected(self, runs: u32) -> u32 {
        let expected = (self.estimate() * f64::from(runs)).round();
        (0..=runs).rfind(|hits| f64::from(*hits) <= expected).unwrap_or(0)
    }

    /// How many misses in a row it takes to reject a candidate that would show as often as this: ⌈ln α / ln(1 − p)⌉.
    #[must_use]
    pub fn misses_to_reject(self, wrong_rejections: f64) -> u32 {
        misses_to_reject(self.estimate(), wrong_rejections)
    }
}

/// ⌈ln α / ln(1 − p)⌉ for a rate p, at least 1 and at most [`MISSES_MAX`].
#[must_use]
pub fn misses_to_reject(rate: f64, wrong_rejections: f64) -> u32 {
    if rate <= 0.0 {
        return MISSES_MAX;
    }
    let needed = (wrong_rejections.ln() / (1.0 - rate).ln()).ceil();
    // Counted up instead of cast, so that no rounding or infinity has to be thought of.
    (1..=MISSES_MAX).find(|misses| f64::from(*misses) >= needed).unwrap_or(MISSES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarer_the_more_misses_it_takes() {
        assert_eq!([1.0, 0.96, 0.5, 0.3].map(|rate| misses_to_reject(rate, 0.05)), [1, 1, 5, 9]);
        assert_eq!(misses_to_reject(0.5, 0.01), 7);
        assert_eq!([0.01, 0.0].map(|rate| misses_to_reject(rate, 0.05)), [MISSES_MAX; 2]);
    }

    #[test]
    fn a_few_runs_are_not_taken_for_certainty() {
        assert!(Rate::measured(3, 3).estimate() < 0.9 && Rate::measured(0, 3).estimate() > 0.1);
        assert_eq!(Rate::measured(3, 3).misses_to_reject(0.05), 2);
    }

    #[test]
    fn as_often_means_about_as_often() {
        assert_eq!([1, 3, 5].map(|runs| Rate::measured(3, 3).hits_expected(runs)), [1, 3, 4]);
        assert_eq!(Rate::measured(2, 5).hits_expected(5), 2);
    }

    #[test]
    fn a_smaller_case_that_hits_less_often_lowers_the_rate() {
        let before = Rate::measured(4, 4);
        assert!(before.inherited(1, 1).estimate() > before.inherited(1, 5).estimate());
        assert!(before.inherited(1, 5).estimate() < 0.6);
    }
}
