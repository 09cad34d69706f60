//! `ledger.overdraft`: no prefix of an account's entries, in journal order, goes below the account's limit.

use super::{Found, Seen};
use crate::judgement::Witness;
use crate::profile::ledger::facts::{Answer, Ask};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let mut balances = vec![0_i128; seen.facts.accounts.len()];
    // One story for each account: what follows the first overdraft follows from it.
    let mut blamed = vec![false; seen.facts.accounts.len()];
    let mut debits = 0;
    // A row that cannot be read may be the credit that makes up for a debit.
    let readable = seen.facts.readings.last().is_some_and(|last| last.unreadable == 0);
    for number in if readable { in_journal_order(seen) } else { Vec::new() } {
        let row = &seen.facts.rows[number as usize];
        let account = row.account.0 as usize;
        balances[account] += i128::from(row.amount);
        let Some(terms) = seen.facts.terms.get(account).copied().flatten().filter(|_| row.amount < 0) else { continue };
        debits += 1;
        let balance = balances[account];
        // Money in another currency than the account's does not count against its limit.
        if terms.currency == row.currency && balance < i128::from(terms.limit) && !blamed[account] {
            blamed[account] = true;
            found.blame("overdrawn", || {
                let name = seen.account(row.account);
                let expected =
                    format!("the balance of {name} never falls below {}", seen.money(terms.limit, row.currency));
                let text = format!(
                    "entry {} of {} brings it to {}",
                    row.sequence,
                    seen.posted(row.transfer),
                    seen.money(balance, row.currency)
                );
                let intent = seen.books.posted(row.transfer).intent;
                let mut witnesses: Vec<Witness> = intent.map_or_else(Vec::new, |intent| seen.course(intent));
                witnesses.extend(seen.rows(row.transfer));
                (expected, text, witnesses)
            });
        }
    }
    found.saw("debits added up", debits, seen.share_of_load(10, 50));
    found.saw("transfers that were declined", declined(seen), 5);
    found.needs_audit(seen);
    found
}

/// The rows of the newest reading by sequence. Where two have the same, the credit counts first: the benefit of the doubt.
fn in_journal_order(seen: &Seen<'_>) -> Vec<u32> {
    let rows = &seen.facts.rows;
    let place = |number: &u32| {
        let row = &rows[*number as usize];
        (row.sequence, std::cmp::Reverse(row.amount))
    };
    let mut order: Vec<u32> =
        (0..).zip(rows).filter(|(_, row)| row.gone.is_none()).map(|(number, _): (u32, _)| number).collect();
    if !order.is_sorted_by_key(place) {
        order.sort_by_key(place);
    }
    order
}

fn declined(seen: &Seen<'_>) -> u64 {
    let asked = seen.facts.intents.iter().filter(|intent| matches!(intent.ask, Ask::Transfer(_)));
    let refused = asked.filter(|intent| {
        let sent = |answer| matches!(answer, Answer::Refused { status: Some(_), .. });
        intent.heard.refused && seen.facts.attempts_of(intent).any(|(_, attempt)| sent(attempt.answer))
    });
    refused.count() as u64
}
