//! `ledger.atomic`: in every reading each transfer has both of its entries, and they cancel out.
//!
//! A reading is a difference to the one before, so only the transfers that it touches have to be looked at again.

use super::{Found, Seen};
use crate::judgement::Witness;
use crate::profile::ledger::facts::{Currency, Reading, Row, Transfer};

/// What a reading shows of a transfer.
#[derive(Clone, Copy, Default)]
struct State {
    legs: i32,
    sum: i128,
    currency: Option<Currency>,
    mixed: bool,
    blamed: bool,
}

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let mut states = vec![State::default(); seen.facts.transfers.len()];
    let (mut readings, mut checked) = (0, 0);
    for reading in &seen.facts.readings {
        for row in removed(seen, reading) {
            let state = &mut states[row.transfer.0 as usize];
            state.legs -= 1;
            state.sum -= i128::from(row.amount);
        }
        let added = &seen.facts.rows[reading.added.start as usize..reading.added.end as usize];
        for row in added {
            let state = &mut states[row.transfer.0 as usize];
            state.legs += 1;
            state.sum += i128::from(row.amount);
            state.mixed |= *state.currency.get_or_insert(row.currency) != row.currency;
        }
        // A row that cannot be read may be the missing half.
        if reading.unreadable > 0 {
            continue;
        }
        readings += 1;
        checked += added.len() as u64 / 2;
        for row in added.iter().chain(removed(seen, reading)) {
            let state = &mut states[row.transfer.0 as usize];
            let is_whole = state.legs == 2 && state.sum == 0 && !state.mixed;
            if state.legs != 0 && !is_whole && !std::mem::replace(&mut state.blamed, true) {
                let state = *state;
                found.blame(if state.legs == 2 { "unbalanced" } else { "partial" }, || tell(seen, reading, row, state));
            }
        }
    }
    found.saw("readings of the whole journal", readings, 2);
    found.saw("transfers looked at", checked, seen.share_of_load(5, 50));
    found
}

fn removed<'a>(seen: &Seen<'a>, reading: &Reading) -> impl Iterator<Item = &'a Row> {
    let facts = seen.facts;
    let removals = &facts.removals[reading.removed.start as usize..reading.removed.end as usize];
    removals.iter().map(|removal| &facts.rows[removal.row as usize])
}

fn tell(seen: &Seen<'_>, reading: &Reading, row: &Row, state: State) -> (String, String, Vec<Witness>) {
    let transfer: Transfer = row.transfer;
    let expected = format!("transfer {} has two entries of one currency that add up to 0", seen.transfer(transfer));
    let currencies = if state.mixed { " in more than one currency" } else { "" };
    let found = format!(
        "the reading asked for at {} has {} of them{currencies}, adding up to {}; one is {} on {}",
        reading.sent,
        state.legs,
        state.sum,
        seen.money(row.amount, row.currency),
        seen.account(row.account)
    );
    let mut witnesses = seen.books.posted(transfer).intent.map_or_else(Vec::new, |intent| seen.course(intent));
    witnesses.push(Witness::Event(reading.event));
    witnesses.extend(seen.rows(transfer));
    (expected, found, witnesses)
}
