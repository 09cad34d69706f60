//! `ledger.reverse-once`: a transfer, be it itself a reversal, is reversed once at most; one that was never posted, never.

use super::{Found, Seen};
use crate::judgement::Witness;
use crate::profile::ledger::books::NONE;
use crate::profile::ledger::facts::{Answer, Ask, Transfer};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let facts = seen.facts;
    let mut found = Found::default();
    let reversals = more_than_once(&mut found, seen);

    let promised = promised(seen);
    let mut tried = vec![0_u32; facts.transfers.len()];
    let mut of_nothing = 0;
    for (id, intent) in facts.numbered_intents() {
        let Ask::Reverse(original) = intent.ask else { continue };
        let definite = |answer| !matches!(answer, Answer::Unknown(_) | Answer::Refused { status: None, .. });
        if !facts.attempts_of(intent).any(|(_, attempt)| definite(attempt.answer)) {
            continue;
        }
        tried[original.0 as usize] += 1;
        let never_posted = seen.books.posted(original).first_seen == NONE && !promised[original.0 as usize];
        if !never_posted || !seen.books.complete {
            continue;
        }
        of_nothing += 1;
        if intent.heard.ok {
            found.blame("groundless", || {
                let name = seen.transfer(original);
                let expected = format!("{name} was never posted, so its reversal is refused");
                (expected, format!("{} is acknowledged", seen.intent(id)), vec![Witness::Intent(id)])
            });
        }
    }
    let rivals = tried.iter().filter(|&&tries| tries >= 2).count() as u64;
    found.saw("reversals in the journal", reversals, 5);
    found.saw("transfers that several keys tried to reverse", rivals, 5);
    found.saw("answers to reversals of what was never posted", of_nothing, 3);
    found.needs_audit(seen);
    found
}

/// Blames what is reversed more than once; the number of reversals in the journal.
fn more_than_once(found: &mut Found, seen: &Seen<'_>) -> u64 {
    let mut reversal = vec![NONE; seen.facts.transfers.len()];
    let mut reversals = 0;
    for number in 0..u32::try_from(seen.books.posted.len()).unwrap_or(NONE) {
        let Some(original) = seen.books.reversed_by(seen.facts, Transfer(number)) else { continue };
        reversals += 1;
        let slot = &mut reversal[original.0 as usize];
        if *slot == NONE {
            *slot = number;
            continue;
        }
        let pair = [Transfer(*slot), Transfer(number)];
        found.blame("double", || {
            let expected = format!("{} is reversed once at most", seen.posted(original));
            let text = format!("it is reversed by {} and by {}", seen.transfer(pair[0]), seen.transfer(pair[1]));
            let mut witnesses = seen.rows(original);
            let intents = pair.iter().filter_map(|transfer| seen.books.posted(*transfer).intent);
            witnesses.extend(intents.flat_map(|intent| seen.course(intent)));
            witnesses.extend(pair.into_iter().flat_map(|transfer| seen.rows(transfer)));
            (expected, text, witnesses)
        });
    }
    reversals
}

/// By transfer: whether some acknowledgement named it. If it is not in the journal, that is not the reversal's fault.
fn promised(seen: &Seen<'_>) -> Vec<bool> {
    let mut promised = vec![false; seen.facts.transfers.len()];
    for attempt in &seen.facts.attempts {
        if let Answer::Ok { transfer: Some(transfer) } = attempt.answer {
            promised[transfer.0 as usize] = true;
        }
    }
    promised
}
