//! `ledger.refused`: what was refused, and nothing but refused, has no effect; and every effect was asked for.

use super::{Found, Seen};
use crate::oracle::effects::{Wrong, judge as weigh};
use crate::profile::ledger::facts::{Answer, Ask, Transfer};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let mut refused = 0;
    for (id, intent) in seen.facts.numbered_intents() {
        let flawed = matches!(intent.ask, Ask::Bad { .. });
        if !intent.heard.refused || intent.heard.ok || intent.heard.unknown || !(flawed || Seen::moves(intent)) {
            continue;
        }
        let answered = |answer| matches!(answer, Answer::Refused { status: Some(_), .. });
        refused += u64::from(seen.facts.attempts_of(intent).any(|(_, attempt)| answered(attempt.answer)));
        let effects = seen.books.effects(id);
        // Requests with a flaw are judged by `ledger.bad-input`.
        let wrong = weigh(intent.heard, effects.count);
        if !flawed && matches!(wrong, Some(Wrong::Phantom | Wrong::Double)) {
            found.blame("phantom", || {
                let transfer = Transfer(effects.first);
                let expected = format!("{}, refused every time, moved nothing", seen.intent(id));
                let mut witnesses = seen.course(id);
                witnesses.extend(seen.rows(transfer));
                (expected, format!("the journal has {}", seen.posted(transfer)), witnesses)
            });
        }
    }
    for &transfer in &seen.books.fabricated {
        found.blame("fabricated", || {
            let text = format!("the journal has {}, which no caller asked for", seen.posted(transfer));
            ("every transfer in the journal was asked for".into(), text, seen.rows(transfer))
        });
    }
    found.saw("requests that were refused", refused, 5);
    found.needs_audit(seen);
    found
}
