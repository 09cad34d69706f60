//! Counter-based delta debugging: which elements can be left out.
//!
//! After Zhang, Xu, Tian, Cheng and Sun, "Toward a Better Understanding of Probabilistic Delta Debugging" (ICSE 2025),
//! who show that the probabilities of ProbDD only count rounds. In round r every element left is taken to be needed with
//! probability p_r = p_0 / (1 − 1/e)^r, which rises as trials fail; the elements are cut into groups of the size
//! −1 / ln(1 − p_r) at which a trial is expected to remove most, and each group is tried once. Neither complements nor
//! groups of old are tried again, which is where ddmin loses its time.
//!
//! One thing is added: single elements are tried until none of those left can go, each tried since the last that went.
//! So the result is 1-minimal, also where leaving something out makes something else needless.

/// The probability that an element is needed, before anything is known: as the authors have it.
const NEEDED_AT_FIRST: f64 = 0.1;

/// A search over elements `0..n`. Ask [`Cdd::trial`] what to leave out, try it, [`Cdd::answer`]; until there is no more.
#[derive(Clone, Debug)]
pub struct Cdd {
    /// What is left.
    kept: Vec<usize>,
    /// How many are tried at once in this round.
    size: usize,
    needed: f64,
    /// Where in `kept` the next group begins.
    next: usize,
    /// Single elements tried in a row without success.
    refused: usize,
}

impl Cdd {
    /// Starts with all elements.
    #[must_use]
    pub fn new(elements: usize) -> Self {
        let kept: Vec<_> = (0..elements).collect();
        Self { size: group(NEEDED_AT_FIRST, elements), kept, needed: NEEDED_AT_FIRST, next: 0, refused: 0 }
    }

    /// What is left, in order.
    #[must_use]
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }

    /// What would be left if the next trial succeeds; `None` when nothing more can go.
    #[must_use]
    pub fn trial(&mut self) -> Option<Vec<usize>> {
        while self.next >= self.kept.len() {
            if self.kept.is_empty() {
                return None;
            }
            self.next = 0;
            if self.size > 1 {
                self.needed /= 1.0 - (-1.0_f64).exp();
                self.size = group(self.needed, self.kept.len()).min(self.size - 1);
            }
        }
        if self.size == 1 && self.refused >= self.kept.len() {
            return None;
        }
        let group = self.group();
        Some([&self.kept[..group.start], &self.kept[group.end..]].concat())
    }

    /// Says whether what the last trial would have left still shows what is looked for.
    pub fn answer(&mut self, still: bool) {
        let group = self.group();
        if still {
            self.kept.drain(group);
            self.refused = 0;
        } else {
            self.refused += usize::from(self.size == 1);
            self.next = group.end;
        }
    }

    fn group(&self) -> std::ops::Range<usize> {
        self.next..self.kept.len().min(self.next + self.size)
    }
}

/// The size at which a trial is expected to remove most: s·(1 − p)^s is greatest at −1 / ln(1 − p).
fn group(needed: f64, most: usize) -> usize {
    let best = -1.0 / (1.0 - needed.min(0.999)).ln();
    // Counted instead of cast: sizes are small.
    let mut size = 1;
    while size < most && f64::from(u32::try_from(size + 1).unwrap_or(u32::MAX)) <= best {
        size += 1;
    }
    size
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::super::rate::misses_to_reject;
    use super::*;

    /// Runs a search to its end; gives back what is left and how many trials it took.
    fn search(elements: usize, mut still: impl FnMut(&[usize]) -> bool) -> (Vec<usize>, u32) {
        let mut cdd = Cdd::new(elements);
        let mut trials = 0;
        while let Some(left) = cdd.trial() {
            trials += 1;
            assert!(trials < 10_000, "it has to end");
            let answer = still(&left);
            cdd.answer(answer);
        }
        (cdd.kept().to_vec(), trials)
    }

    fn has_all(left: &[usize], needed: &BTreeSet<usize>) -> bool {
        needed.iter().all(|one| left.contains(one))
    }

    #[test]
    fn three_needed_of_two_hundred_take_few_trials() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut all = Vec::new();
        for _ in 0..100 {
            let needed: BTreeSet<usize> = (0..3).map(|_| random.random_range(0..200)).collect();
            let (left, trials) = search(200, |left| has_all(left, &needed));
            assert_eq!(left, needed.into_iter().collect::<Vec<_>>());
            all.push(trials);
        }
        all.sort_unstable();
        // ddmin takes about 150 of such, and one after the other 200.
        assert!(all[50] <= 50 && all[99] <= 60, "median {}, most {}", all[50], all[99]);
    }

    #[test]
    fn nothing_needed_goes_at_once_and_everything_needed_stays() {
        assert_eq!(search(7, |_| true), (vec![], 1));
        assert_eq!(search(0, |_| true), (vec![], 0));
        assert_eq!(search(3, |left| left.len() == 3).0, [0, 1, 2]);
        assert_eq!(search(1, |_| false), (vec![0], 1));
    }

    #[test]
    fn what_becomes_needless_later_goes_too() {
        // 0 is needed as long as 3 is there.
        let (left, _) = search(4, |left| left.contains(&1) && (left.contains(&0) || !left.contains(&3)));
        assert_eq!(left, [1]);
    }

    /// At rate p with ⌈ln α / ln(1 − p)⌉ misses to reject, what is needed always stays, and of what could go at most
    /// about α of the rejections were wrong.
    #[test]
    fn a_flaky_predicate_costs_size_within_its_bound_and_never_truth() {
        let (rate, wrong) = (0.5, 0.05);
        let misses = misses_to_reject(rate, wrong);
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let (mut could_go, mut wrongly_kept, mut runs) = (0.0, 0.0, Vec::new());
        for _ in 0..300 {
            let needed: BTreeSet<usize> = (0..3).map(|_| random.random_range(0..40)).collect();
            let mut taken = 0_u32;
            let (left, _) = search(40, |left| {
                let shows = has_all(left, &needed);
                let hit = (0..misses).find(|_| {
                    taken += 1;
                    shows && random.random_bool(rate)
                });
                let still = hit.is_some();
                could_go += f64::from(u8::from(shows));
                wrongly_kept += f64::from(u8::from(shows && !still));
                still
            });
            assert!(has_all(&left, &needed), "{left:?} lacks some of {needed:?}");
            runs.push(taken);
        }
        // 0.5^5 is 0.031: the bound holds with room, and is not met by never rejecting anything.
        assert!(wrongly_kept / could_go <= wrong, "{wrongly_kept} of {could_go}");
        assert!(wrongly_kept > 0.0);
        runs.sort_unstable();
        assert!(runs[150] < 160, "median {} runs", runs[150]);
    }

    proptest! {
        /// Any predicate that the whole satisfies: the result does too, and no single element of it can go.
        #[test]
        fn the_result_is_1_minimal(elements in 1_usize..24, rules in prop::collection::vec((0_usize..24, 0_usize..24), 0..8)) {
            // `a` needs `b`, if `a` is there; where both are the same, it is always needed.
            let still = |left: &[usize]| rules.iter().all(|(a, b)| {
                let (a, b) = (a % elements, b % elements);
                if a == b { left.contains(&a) } else { !left.contains(&a) || left.contains(&b) }
            });
            let (left, _) = search(elements, still);
            prop_assert!(still(&left));
            for index in 0..left.len() {
                let mut without = left.clone();
                without.remove(index);
                prop_assert!(!still(&without), "{} can go from {:?}", left[index], left);
            }
        }
    }
}
