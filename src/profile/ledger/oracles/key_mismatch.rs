//! `ledger.key-mismatch`: of several bodies under one key one takes effect at most, and once one has been
//! acknowledged the others are refused with 409 or 422.

use super::{Found, Seen};
use crate::history::{IntentId, Moment};
use crate::judgement::Witness;
use crate::profile::ledger::facts::{Answer, Attempt, Transfer};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let mut answered = 0;
    for (id, intent) in seen.facts.numbered_intents() {
        let Some(key) = intent.key.filter(|_| seen.books.is_reused(intent.key)) else { continue };
        // Each pair of bodies once, seen from the one that had the key first.
        for other in seen.books.with_key(key).filter(|other| *other != id) {
            both(&mut found, seen, id, other);
            if let Some(settled) = intent.first_ok {
                answered += mismatches(&mut found, seen, id, other, settled);
            }
        }
    }
    found.saw("answers to another body under a key that was taken", answered, 10);
    found.needs_audit(seen);
    found
}

fn both(found: &mut Found, seen: &Seen<'_>, one: IntentId, other: IntentId) {
    if one < other && [one, other].iter().all(|id| seen.books.effects(*id).count > 0) {
        found.blame("both", || {
            let expected = format!("of {} and {} one takes effect", seen.intent(one), seen.intent(other));
            let posted = [one, other].map(|id| Transfer(seen.books.effects(id).first));
            let text = format!("the journal has {} and {}", seen.posted(posted[0]), seen.posted(posted[1]));
            let mut witnesses = seen.course(one);
            witnesses.extend(seen.course(other));
            witnesses.extend(posted.into_iter().flat_map(|transfer| seen.rows(transfer)));
            (expected, text, witnesses)
        });
    }
}

/// Checks the answers that the other body got once this one had been acknowledged.
fn mismatches(found: &mut Found, seen: &Seen<'_>, id: IntentId, other: IntentId, settled: Moment) -> u64 {
    let mut answered = 0;
    let attempts = seen.facts.attempts_of(&seen.facts.intents[other.0 as usize]);
    for (number, Attempt { answer, .. }) in attempts.filter(|(_, attempt)| attempt.invoked > settled) {
        let wrong = match answer {
            Answer::Unknown(_) | Answer::Refused { status: None, .. } => continue,
            Answer::Refused { status: Some(409 | 422), .. } => None,
            Answer::Refused { status: Some(status), .. } => Some(format!("it is refused with {status}")),
            Answer::Ok { transfer } => {
                let named = transfer.map_or("", |transfer| seen.transfer(transfer));
                Some(format!("it is acknowledged, as {named}"))
            }
        };
        answered += 1;
        if let Some(text) = wrong {
            found.blame("accepted", || {
                let (taken, late) = (seen.intent(id), seen.intent(other));
                let expected =
                    format!("{late} is refused with 409 or 422, because {taken} was acknowledged at {settled}");
                (expected, text, vec![Witness::Intent(id), Witness::Intent(other), Witness::Attempt(number)])
            });
        }
    }
    answered
}
