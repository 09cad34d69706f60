//! `ledger.projection`: a balance is the sum of the account's entries.
//!
//! At once, where the target shows both in one snapshot (`entries`). At rest, for what every instance says in the
//! audit: the sum in the last reading that was received before the question must still be the sum in the final one,
//! and no transfer whose outcome is unknown may touch the account, else the account may be moving and nothing is said.

use super::{Found, Seen};
use crate::history::Phase;
use crate::judgement::Witness;
use crate::profile::ledger::facts::{Ask, View};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    // Not every target shows a balance beside the entries, so how often it was seen there decides nothing.
    in_one_snapshot(&mut found, seen);
    let audited = at_rest(&mut found, seen);
    found.saw("balances compared with the journal at rest", audited, 4);
    found
}

/// Balance and entries of one reply.
pub(super) fn in_one_snapshot(found: &mut Found, seen: &Seen<'_>) {
    for view in &seen.facts.views {
        let (Some(balance), Some((count, sum))) = (view.balance, view.entries) else { continue };
        if i128::from(balance) != sum {
            found.blame("torn", || {
                let expected = format!("the balance of {} is the sum of its entries", seen.account(view.account));
                let text = format!("one reply has the balance {balance} and {count} entries that add up to {sum}");
                (expected, text, seen.attempt(view.attempt))
            });
        }
    }
}

/// What the instances say in the audit, against the journal.
pub(super) fn at_rest(found: &mut Found, seen: &Seen<'_>) -> u64 {
    let facts = seen.facts;
    let Some(audit) = facts.audited() else { return 0 };
    let Some(began) = facts.began(Phase::Audit) else { return 0 };
    if facts.views.is_empty() {
        return 0;
    }
    let moving = moving(seen);
    let last = sums(seen, usize::MAX);
    let (mut readings, mut before) = (usize::MAX, Vec::new());
    let mut checked = 0;
    for view in &facts.views {
        let Some(attempt) = facts.attempts.get(view.attempt.0 as usize) else { continue };
        let account = view.account.0 as usize;
        if attempt.invoked < began || moving[account] {
            continue;
        }
        let received = facts.readings.partition_point(|reading| reading.at < attempt.invoked);
        if received != readings {
            (readings, before) = (received, sums(seen, received));
        }
        if received == 0 || before[account] != last[account] {
            continue;
        }
        checked += 1;
        let (sum, count) = last[account];
        compare(found, seen, view, sum, count, audit.event);
    }
    checked
}

fn compare(found: &mut Found, seen: &Seen<'_>, view: &View, sum: i128, count: u32, reading: u32) {
    let account = seen.account(view.account);
    let tell = |text: String| {
        let mut witnesses = vec![Witness::Event(reading)];
        witnesses.extend(seen.attempt(view.attempt));
        (
            format!("{account}, at rest, shows its {count} entries in the journal, which add up to {sum}"),
            text,
            witnesses,
        )
    };
    let instance = || {
        let to = seen.facts.attempts[view.attempt.0 as usize].to;
        seen.facts.instances.get(to.0 as usize).map(ToString::to_string).unwrap_or_default()
    };
    if let Some(balance) = view.balance.filter(|balance| i128::from(*balance) != sum) {
        found.blame("drift", || tell(format!("{} answers that the balance is {balance}", instance())));
    }
    if let Some((entries, total)) = view.entries.filter(|entries| *entries != (count, sum)) {
        found.blame("drift", || tell(format!("{} lists {entries} entries, which add up to {total}", instance())));
    }
}

/// Sum and number of each account's entries, as the first `readings` readings leave them.
fn sums(seen: &Seen<'_>, readings: usize) -> Vec<(i128, u32)> {
    let mut sums = vec![(0, 0); seen.facts.accounts.len()];
    for row in &seen.facts.rows {
        let there = (row.reading as usize) < readings && row.gone.is_none_or(|gone| gone as usize >= readings);
        if there {
            let (sum, count) = &mut sums[row.account.0 as usize];
            *sum += i128::from(row.amount);
            *count += 1;
        }
    }
    sums
}

/// Accounts that a transfer without a known outcome may still move.
fn moving(seen: &Seen<'_>) -> Vec<bool> {
    let facts = seen.facts;
    let mut moving = vec![false; facts.accounts.len()];
    for (id, intent) in facts.numbered_intents() {
        // Once there was a definite answer, an attempt that arrives late finds its key taken.
        let answered = || facts.attempts_of(intent).any(|(_, attempt)| attempt.answer.is_definite());
        if !intent.heard.unknown || answered() || seen.books.effects(id).count > 0 {
            continue;
        }
        let body = match intent.ask {
            Ask::Transfer(body) => Some(body),
            Ask::Reverse(original) => seen.books.body(facts, original),
            Ask::Bad { misread, .. } => misread,
            _ => None,
        };
        for account in body.into_iter().flat_map(|body| [body.from, body.to]) {
            moving[account.0 as usize] = true;
        }
    }
    moving
}
