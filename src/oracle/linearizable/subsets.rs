//! Jumps: the sets of additions that lead from one value to another, or across a bound.

use super::What;

/// From this many additions on, the two halves are searched apart.
const HALVES_FROM: usize = 14;

/// Additions to choose from, and room to work in.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Each with its slot's bit.
    amounts: Vec<(i128, u64)>,
    /// What the additions from here on can take away, and add, at most.
    reach: Vec<(i128, i128)>,
    /// Sums of sets of the second half.
    sums: Vec<(i128, u64)>,
}

impl Choice {
    /// Makes these the additions to choose from.
    pub(super) fn of(&mut self, amounts: impl Iterator<Item = (i64, u64)>) {
        self.amounts.clear();
        self.amounts.extend(amounts.map(|(amount, bit)| (i128::from(amount), bit)));
        self.reach.clear();
        self.reach.resize(self.amounts.len() + 1, (0, 0));
        for (place, (amount, _)) in self.amounts.iter().enumerate().rev() {
            let (least, most) = self.reach[place + 1];
            self.reach[place] = (least + (*amount).min(0), most + (*amount).max(0));
        }
    }

    /// Finds the sets whose sum leads from `value` to one that fits: all the smallest, and perhaps some that contain
    /// another. Gives up when there are no steps left; whether it came to an end.
    pub(super) fn jumps(&mut self, value: i128, to: What, steps: &mut u64, found: &mut Vec<u64>) -> bool {
        match to {
            What::Add(_) => true,
            What::Read(read) => {
                let missing = i128::from(read) - value;
                let (least, most) = self.reach[0];
                if missing < least || missing > most {
                    true
                } else if self.amounts.len() < HALVES_FROM {
                    self.exactly(0, missing, 0, steps, found)
                } else {
                    self.exactly_in_halves(missing, steps, found)
                }
            }
            What::Below(bound) => self.across(1, value - bound, steps, found),
            What::AtLeast(bound) => self.across(-1, bound - 1 - value, steps, found),
        }
    }

    /// Adds to `chosen` from `first` on until nothing is missing.
    fn exactly(&self, first: usize, missing: i128, chosen: u64, steps: &mut u64, found: &mut Vec<u64>) -> bool {
        for (place, (amount, bit)) in self.amounts.iter().enumerate().skip(first) {
            let (least, most) = self.reach[place];
            if missing < least || missing > most {
                return true;
            }
            let Some(left) = steps.checked_sub(1) else { return false };
            *steps = left;
            let (rest, chosen) = (missing - amount, chosen | bit);
            if rest == 0 {
                // What could still be added comes to nothing, and can be added later.
                found.push(chosen);
            } else if !self.exactly(place + 1, rest, chosen, steps, found) {
                return false;
            }
        }
        true
    }

    /// The same by looking up, for each set of the first half, what the second has to bring: for many additions.
    fn exactly_in_halves(&mut self, missing: i128, steps: &mut u64, found: &mut Vec<u64>) -> bool {
        let (first, second) = self.amounts.split_at(self.amounts.len() / 2);
        let tried = (1_u64 << first.len().min(63)) + (1 << second.len().min(63));
        let Some(left) = steps.checked_sub(tried) else { return false };
        *steps = left;
        self.sums.clear();
        each_sum(second, 0, 0, &mut |sum, chosen| self.sums.push((sum, chosen)));
        self.sums.sort_unstable();
        let mut ended = true;
        each_sum(first, 0, 0, &mut |sum, chosen| {
            let from = self.sums.partition_point(|(other, _)| *other < missing - sum);
            for (_, others) in self.sums[from..].iter().take_while(|(other, _)| *other == missing - sum) {
                ended &= steps.checked_sub(1).inspect(|left| *steps = *left).is_some();
                if ended && chosen | others != 0 {
                    found.push(chosen | others);
                }
            }
        });
        ended
    }

    /// The sets that bring a value down (`sign` 1) or up (-1) by more than `distance`. Only additions in that direction
    /// help, and with the largest first a set that stops as soon as it is across contains no other.
    fn across(&mut self, sign: i128, distance: i128, steps: &mut u64, found: &mut Vec<u64>) -> bool {
        self.sums.clear();
        self.sums.extend(self.amounts.iter().map(|(amount, bit)| (-sign * amount, *bit)).filter(|(by, _)| *by > 0));
        self.sums.sort_unstable_by(|one, other| other.cmp(one));
        stride(&self.sums, distance, 0, steps, found)
    }
}

/// Takes strides of these lengths, the longest first, until the distance is exceeded.
fn stride(strides: &[(i128, u64)], distance: i128, chosen: u64, steps: &mut u64, found: &mut Vec<u64>) -> bool {
    let mut reach: i128 = strides.iter().map(|(by, _)| by).sum();
    for (place, (by, bit)) in strides.iter().enumerate() {
        if reach <= distance {
            return true;
        }
        let Some(left) = steps.checked_sub(1) else { return false };
        *steps = left;
        reach -= by;
        if *by > distance {
            found.push(chosen | bit);
        } else if !stride(&strides[place + 1..], distance - by, chosen | bit, steps, found) {
            return false;
        }
    }
    true
}

fn each_sum(amounts: &[(i128, u64)], sum: i128, chosen: u64, see: &mut impl FnMut(i128, u64)) {
    match amounts {
        [] => see(sum, chosen),
        [(amount, bit), rest @ ..] => {
            each_sum(rest, sum, chosen, see);
            each_sum(rest, sum + amount, chosen | bit, see);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All sets that lead there, of which no other that leads there is a part.
    fn smallest(amounts: &[i64], value: i128, to: What) -> Vec<u64> {
        let sum =
            |set: u64| (0..amounts.len()).filter(|n| set >> n & 1 == 1).map(|n| i128::from(amounts[n])).sum::<i128>();
        let fits: Vec<u64> = (1..1 << amounts.len()).filter(|set| to.fits(value + sum(*set))).collect();
        let contains_another = |set: &u64| fits.iter().any(|other| other != set && other & set == *other);
        fits.iter().copied().filter(|set| !contains_another(set)).collect()
    }

    proptest! {
        #[test]
        fn finds_every_smallest_set_and_nothing_wrong(
            amounts in prop::collection::vec(-6..7_i64, 0..17),
            value in -10..10_i64,
            kind in 0..3,
            target in -25..25_i64,
        ) {
            let to = match kind {
                0 => What::Read(target),
                1 => What::Below(target.into()),
                _ => What::AtLeast(target.into()),
            };
            let value = i128::from(value);
            // A jump is only looked for from a value that does not fit.
            prop_assume!(!to.fits(value));
            let mut choice = Choice::default();
            choice.of(amounts.iter().zip(0..).map(|(amount, slot)| (*amount, 1 << slot)));
            let (mut steps, mut found) = (u64::MAX, Vec::new());
            prop_assert!(choice.jumps(value, to, &mut steps, &mut found));
            let sum = |set: u64| (0..amounts.len()).filter(|n| set >> n & 1 == 1).map(|n| i128::from(amounts[n])).sum::<i128>();
            for set in &found {
                prop_assert!(to.fits(value + sum(*set)));
            }
            for set in smallest(&amounts, value, to) {
                prop_assert!(found.contains(&set), "{set:b} is missing from {found:?}");
            }
        }

        #[test]
        fn gives_up_without_steps(amounts in prop::collection::vec(1..9_i64, 1..18)) {
            let mut choice = Choice::default();
            choice.of(amounts.iter().zip(0..).map(|(amount, slot)| (*amount, 1 << slot)));
            let all = amounts.iter().sum();
            for to in [What::Read(all), What::AtLeast(all.into())] {
                prop_assert!(!choice.jumps(0, to, &mut 0, &mut Vec::new()));
            }
        }
    }
}
