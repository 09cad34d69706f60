//! `ledger.conserved`: in every reading the entries of each currency add up to zero.

use super::{Found, Seen};
use crate::judgement::Witness;
use crate::profile::ledger::facts::Currency;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let mut sums = vec![0_i128; seen.facts.currencies.len()];
    let (mut readings, mut rows) = (0, 0);
    for reading in &seen.facts.readings {
        for removal in &seen.facts.removals[reading.removed.start as usize..reading.removed.end as usize] {
            let row = &seen.facts.rows[removal.row as usize];
            sums[row.currency.0 as usize] -= i128::from(row.amount);
        }
        for row in &seen.facts.rows[reading.added.start as usize..reading.added.end as usize] {
            sums[row.currency.0 as usize] += i128::from(row.amount);
        }
        // A row that cannot be read may be the one that is missing.
        if reading.unreadable > 0 {
            continue;
        }
        readings += 1;
        rows += u64::from(reading.added.end - reading.added.start);
        for (currency, sum) in (0..).map(Currency).zip(&sums).filter(|(_, sum)| **sum != 0) {
            found.blame("unbalanced", || {
                let expected = format!("all entries in {} add up to 0", seen.facts.currencies.name(currency.0));
                let text = format!("in the reading asked for at {} they add up to {sum}", reading.sent);
                (expected, text, vec![Witness::Event(reading.event)])
            });
        }
    }
    found.saw("readings of the whole journal", readings, 2);
    found.saw("entries added up", rows, seen.share_of_load(3, 50));
    found
}
