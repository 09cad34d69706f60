//! `ledger.acked`: what was acknowledged is in every reading that was asked for afterwards, as it was asked for.
//!
//! Readings are asked for one after the other, so a transfer that first shows in one reading was missing from the one
//! before; it was too late if that one was asked for after the acknowledgement had arrived.

use super::{Found, Seen};
use crate::history::{IntentId, Moment};
use crate::judgement::Witness;
use crate::profile::ledger::facts::{Answer, Ask, Intent, Reading, Transfer};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let mut acknowledged = 0;
    for (id, intent) in seen.facts.numbered_intents() {
        let Some(heard) = intent.first_ok.filter(|_| Seen::moves(intent)) else { continue };
        acknowledged += 1;
        let effects = seen.books.effects(id);
        let transfer = Transfer(effects.first);
        if effects.count == 0 {
            if seen.books.complete && !answered_for_another(seen, id, intent) {
                lost(&mut found, seen, id, intent);
            }
        } else if effects.count > 1 {
            // Which of them was acknowledged cannot be told; `ledger.once` has the story.
        } else if seen.books.posted(transfer).faithful == Some(false) {
            found.blame("altered", || {
                let expected = format!("{} is in the journal as it was asked for", seen.intent(id));
                let mut witnesses = seen.course(id);
                witnesses.extend(seen.rows(transfer));
                (expected, format!("the journal has {}", seen.posted(transfer)), witnesses)
            });
        } else if let Some(reading) = missed_by(seen, transfer, heard) {
            found.blame("late", || {
                let expected = format!("{}, acknowledged at {heard}, is in every later reading", seen.intent(id));
                let text = format!("the reading asked for at {} does not have {}", reading.sent, seen.posted(transfer));
                let mut witnesses = seen.course(id);
                witnesses.push(Witness::Event(reading.event));
                witnesses.extend(seen.rows(transfer));
                (expected, text, witnesses)
            });
        }
    }
    found.saw("acknowledged transfers and reversals", acknowledged, seen.share_of_load(5, 50));
    found.needs_audit(seen);
    found
}

fn lost(found: &mut Found, seen: &Seen<'_>, id: IntentId, intent: &Intent) {
    found.blame("lost", || {
        let named = seen.facts.attempts_of(intent).find_map(|(_, attempt)| match attempt.answer {
            Answer::Ok { transfer } => transfer,
            _ => None,
        });
        let named = named.map_or_else(String::new, |transfer| format!(" as {}", seen.transfer(transfer)));
        let expected = format!("{}, acknowledged{named}, is in the journal", seen.intent(id));
        let mut witnesses = seen.course(id);
        witnesses.extend(seen.facts.readings.last().map(|reading| Witness::Event(reading.event)));
        (expected, "the journal read in the audit has no such transfer".into(), witnesses)
    });
}

/// Whether the acknowledgement may speak of another intent's effect, which is judged elsewhere: a key that came with
/// two bodies (`ledger.key-mismatch`), or a second reversal that is answered with the first.
pub(super) fn answered_for_another(seen: &Seen<'_>, id: IntentId, intent: &Intent) -> bool {
    let acknowledged = |other: IntentId| other != id && seen.facts.intents[other.0 as usize].heard.ok;
    let other_body = intent.key.is_some_and(|key| seen.books.with_key(key).any(acknowledged));
    let same_original = |transfer: Transfer| {
        let reversed = || seen.books.reversed_by(seen.facts, transfer);
        matches!(intent.ask, Ask::Reverse(original) if reversed() == Some(original))
    };
    other_body
        || seen.facts.attempts_of(intent).any(|(_, attempt)| match attempt.answer {
            Answer::Ok { transfer: Some(transfer) } => same_original(transfer),
            _ => false,
        })
}

/// The last reading that lacks a transfer though it was asked for after this moment.
fn missed_by<'a>(seen: &Seen<'a>, transfer: Transfer, heard: Moment) -> Option<&'a Reading> {
    let first = seen.books.posted(transfer).first_seen.checked_sub(1)?;
    seen.facts.readings.get(first as usize).filter(|reading| reading.sent > heard && reading.unreadable == 0)
}
