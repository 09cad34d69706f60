//! `ledger.append-only`: what one reading has, every later one has as well.
//!
//! New rows may come in anywhere: a transfer that commits late can have a lower sequence than one that is there.

use super::{Found, Seen};
use crate::judgement::Witness;
use crate::profile::ledger::facts::{Reading, Row};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let facts = seen.facts;
    let mut found = Found::default();
    for reading in &facts.readings {
        for removal in &facts.removals[reading.removed.start as usize..reading.removed.end as usize] {
            let before = &facts.rows[removal.row as usize];
            let successor = successor(seen, reading, before);
            found.blame(if successor.is_some() { "changed" } else { "removed" }, || {
                let name = seen.transfer(before.transfer);
                let sequence = before.sequence;
                let expected = format!("entry {sequence} of {name}, once read, stays as it is: {}", tell(seen, before));
                let text = match successor {
                    Some((_, after)) => format!("the reading asked for at {} has {}", reading.sent, tell(seen, after)),
                    None => format!("the reading asked for at {} does not have it", reading.sent),
                };
                let mut witnesses: Vec<_> = seen.row(removal.row).into_iter().collect();
                witnesses.push(Witness::Rows { event: reading.event, rows: vec![removal.place], removed: true });
                witnesses.extend(successor.and_then(|(number, _)| seen.row(number)));
                (expected, text, witnesses)
            });
        }
    }
    let last = u32::try_from(facts.readings.len()).unwrap_or(u32::MAX).saturating_sub(1);
    let again = facts.rows.iter().filter(|row| row.reading < last).count() as u64;
    found.saw("readings of the whole journal", facts.readings.len() as u64, 3);
    found.saw("entries read more than once", again, seen.share_of_load(5, 50));
    found
}

/// The row that took its place in the same reading.
fn successor<'a>(seen: &Seen<'a>, reading: &Reading, before: &Row) -> Option<(u32, &'a Row)> {
    let same = |row: &Row| row.transfer == before.transfer && row.sequence == before.sequence;
    let mut added = reading.added.clone().map(|number| (number, &seen.facts.rows[number as usize]));
    added.find(|(_, row)| same(row))
}

fn tell(seen: &Seen<'_>, row: &Row) -> String {
    let reverses = row.reverses.map_or_else(String::new, |of| format!(", reversing {}", seen.transfer(of)));
    format!("{} on {}{reverses}", seen.money(row.amount, row.currency), seen.account(row.account))
}
