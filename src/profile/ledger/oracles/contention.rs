//! `ledger.contention`: without a fault to excuse it, every transfer gets an answer, and no update is lost.
//!
//! Three kinds of silence are not the ledger's fault: being told to slow down (408, 425, 429), an idle connection that
//! a server closes just as a caller uses it again, and a machine so busy that nobody is answered. So a reset does not
//! count, and a timeout only if the same instance answered others, asked later, meanwhile. A 5xx counts then as well,
//! or when one had come before: a deadlock may hold up everybody else, too, but it does not stay alone.

use super::{Found, Seen, projection};
use crate::history::{AttemptId, Phase};
use crate::profile::ledger::facts::{Answer, Ask, Attempt, Body, Why};
use crate::profile::silence::Silence;

/// How many later requests an instance must have answered before it counts as alive and well.
const OTHERS_ANSWERED: usize = 10;

/// The most attempts that are looked at as being under way at the same time.
const UNDER_WAY_MAX: usize = 64;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    found.needs("runs in which nothing but time was taken from the links", seen.is_undisturbed());
    found.saw("transfers that met one in the opposite direction", opposite(seen), seen.share_of_load(10, 20));
    if seen.is_undisturbed() {
        unanswered(&mut found, seen);
        let mut lost_updates = Found::default();
        projection::in_one_snapshot(&mut lost_updates, seen);
        let audited = projection::at_rest(&mut lost_updates, seen);
        found.adopt(lost_updates);
        found.saw("balances compared with the journal at rest", audited, 4);
    }
    found
}

fn unanswered(found: &mut Found, seen: &Seen<'_>) {
    let mut silence = Silence::default();
    for (id, attempt) in (0..).map(AttemptId).zip(&seen.facts.attempts) {
        let Answer::Unknown(why) = attempt.answer else { continue };
        let intent = &seen.facts.intents[attempt.intent.0 as usize];
        let text = match why {
            _ if intent.phase != Phase::Load || !Seen::moves(intent) => continue,
            Why::Status(408 | 425 | 429) | Why::Abandoned | Why::Unreadable | Why::Reset => continue,
            Why::Status(status)
                if silence.is_repeated((), attempt.intent, attempt.invoked, attempt.returned)
                    || others_were_answered(seen, attempt) =>
            {
                format!("the answer is {status}, though nothing was broken")
            }
            Why::Timeout if others_were_answered(seen, attempt) => {
                "no answer came, while others were answered".to_owned()
            }
            Why::Timeout | Why::Status(_) => continue,
        };
        found.blame("unanswered", || {
            (format!("{} is acknowledged or refused", seen.intent(attempt.intent)), text, seen.attempt(id))
        });
    }
}

/// Whether an instance that was silent to one caller answered others, who asked later, in the meantime.
pub(super) fn others_were_answered(seen: &Seen<'_>, silent: &Attempt) -> bool {
    let end = silent.returned.unwrap_or(silent.invoked);
    let meanwhile = seen.facts.attempts.iter().filter(|other| {
        let inside = other.invoked > silent.invoked && other.returned.is_some_and(|returned| returned < end);
        inside && other.to == silent.to && other.answer.is_definite()
    });
    meanwhile.take(OTHERS_ANSWERED).count() == OTHERS_ANSWERED
}

/// How many attempts began while one over the same accounts in the opposite direction was under way.
fn opposite(seen: &Seen<'_>) -> u64 {
    let mut under_way: Vec<(Body, &Attempt)> = Vec::new();
    let mut met = 0;
    for attempt in &seen.facts.attempts {
        let Ask::Transfer(body) = seen.facts.intents[attempt.intent.0 as usize].ask else { continue };
        under_way.retain(|(_, other)| other.returned.is_none_or(|returned| returned > attempt.invoked));
        met += u64::from(under_way.iter().any(|(other, _)| (other.from, other.to) == (body.to, body.from)));
        if under_way.len() < UNDER_WAY_MAX {
            under_way.push((body, attempt));
        }
    }
    met
}
