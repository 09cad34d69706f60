//! `ledger.append-only`: what one reading has, every later one has as well; a reversal is new entries that name the
//! original.
//!
//! Only the columns of the contract count; a target may show others that change. Where it shows no `reverses` at all,
//! nothing is said about reversals.
//! New rows may come in anywhere: a transfer that commits late can have a lower sequence than one that is there.

use super::{Found, Seen};
use crate::judgement::Witness;
use crate::profile::ledger::facts::{Answer, Ask, KEYS, Reading, Row};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let facts = seen.facts;
    let mut found = Found::default();
    for reading in &facts.readings {
        for removal in &facts.removals[reading.removed.start as usize..reading.removed.end as usize] {
            let before = &facts.rows[removal.row as usize];
            let successor = successor(seen, reading, before);
            // It may be one that cannot be read now.
            if successor.is_none() && reading.unreadable > 0 {
                continue;
            }
            found.blame(if successor.is_some() { "changed" } else { "removed" }, || {
                let name = seen.transfer(before.transfer);
                let sequence = before.sequence;
                let expected = format!("entry {sequence} of {name}, once read, stays as it is: {}", tell(seen, before));
                let text = match successor {
                    Some((_, after)) => format!(
                        "the reading asked for at {} has it with another {}: {}",
                        reading.sent,
                        changed(before, after).join(" and "),
                        tell(seen, after)
                    ),
                    None => format!("the reading asked for at {} does not have it", reading.sent),
                };
                let mut witnesses: Vec<_> = seen.row(removal.row).into_iter().collect();
                witnesses.push(Witness::Rows { event: reading.event, rows: vec![removal.place], removed: true });
                witnesses.extend(successor.and_then(|(number, _)| seen.row(number)));
                (expected, text, witnesses)
            });
        }
    }
    unnamed(&mut found, seen);
    let last = u32::try_from(facts.readings.len()).unwrap_or(u32::MAX).saturating_sub(1);
    let again = facts.rows.iter().filter(|row| row.reading < last).count() as u64;
    found.saw("readings of the whole journal", facts.readings.len() as u64, 3);
    found.saw("entries read more than once", again, seen.share_of_load(5, 50));
    found
}

/// The row that took its place in the same reading.
fn successor<'a>(seen: &Seen<'a>, reading: &Reading, before: &Row) -> Option<(u32, &'a Row)> {
    let added = || reading.added.clone().map(|number| (number, &seen.facts.rows[number as usize]));
    let mut of_transfer = added().filter(|(_, row)| row.transfer == before.transfer);
    let moved = || added().find(|(_, row)| row.transfer == before.transfer && row.account == before.account);
    of_transfer.find(|(_, row)| row.sequence == before.sequence).or_else(moved)
}

/// The columns in which two rows differ.
fn changed(before: &Row, after: &Row) -> Vec<&'static str> {
    let columns = [
        ("sequence", before.sequence != after.sequence),
        ("account", before.account != after.account),
        ("amount", before.amount != after.amount),
        ("currency", before.currency != after.currency),
        ("key", before.key != after.key),
        ("reverses", before.reverses != after.reverses),
    ];
    columns.into_iter().filter(|(_, differs)| *differs).map(|(column, _)| column).collect()
}

/// Blames acknowledged reversals whose entries do not name what they reverse.
fn unnamed(found: &mut Found, seen: &Seen<'_>) {
    let facts = seen.facts;
    if facts.rows.iter().all(|row| row.reverses.is_none()) {
        return;
    }
    for (id, intent) in facts.numbered_intents() {
        let Ask::Reverse(original) = intent.ask else { continue };
        let acknowledged = facts.attempts_of(intent).find_map(|(_, attempt)| match attempt.answer {
            Answer::Ok { transfer } => transfer,
            _ => None,
        });
        let Some(reversal) = acknowledged else { continue };
        let posted = seen.books.posted(reversal);
        let legs = [posted.debit, posted.credit].into_iter().filter_map(|number| facts.rows.get(number as usize));
        if legs.into_iter().all(|row| row.reverses == Some(original)) {
            continue;
        }
        found.blame("unnamed", || {
            let name = seen.transfer(original);
            let expected = format!("{}, acknowledged, is new entries that name {name} as reversed", seen.intent(id));
            let text = format!("an entry of {} does not", seen.transfer(reversal));
            let mut witnesses = seen.course(id);
            witnesses.extend(seen.rows(reversal));
            witnesses
                .extend(Some(reversal).filter(|one| *one != original).map_or_else(Vec::new, |_| seen.rows(original)));
            (expected, text, witnesses)
        });
    }
}

fn tell(seen: &Seen<'_>, row: &Row) -> String {
    let reverses = row.reverses.map_or_else(String::new, |of| format!(", reversing {}", seen.transfer(of)));
    let key = row.key.map_or_else(String::new, |key| format!(", under {}", KEYS.name(key.0)));
    format!("{} on {}{key}{reverses}", seen.money(row.amount, row.currency), seen.account(row.account))
}
