//! `orders.replay`: a dead letter can be put back to work, and once the cause is gone its order comes to its end, charged
//! no more than once.

use super::story::calls;
use super::{Found, Seen, once_charged};
use crate::history::{AttemptId, Moment, Phase};
use crate::judgement::Witness;
use crate::profile::orders::books::Life;
use crate::profile::orders::facts::{Answer, Ask, Attempt, Order};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    once_charged::blame(&mut found, seen, "charged-again", |order| !seen.books.life(order).replays.is_empty());
    let mut ended = 0;
    for (order, life) in seen.books.orders() {
        refused(&mut found, seen, order, life);
        let accepted = life.replays.iter().filter_map(|id| Some((*id, seen.facts.attempts.get(id.0 as usize)?)));
        let accepted = accepted.filter(|(_, attempt)| matches!(attempt.answer, Answer::Ok { .. }));
        let Some((id, attempt)) = accepted.max_by_key(|(_, attempt)| attempt.invoked) else { continue };
        let Some(last) = life.last(seen.facts) else { continue };
        if last.state.is_terminal() {
            ended += 1;
        } else if seen.facts.audited().is_some() && is_cause_gone(seen, life, attempt) {
            found.blame("stuck", || {
                let expected = format!("{}, put back to work, is PAID or FAILED", seen.order(order));
                let mut witnesses = story(seen, order, life);
                witnesses.insert(0, Witness::Attempt(id));
                (expected, format!("it is still {}", last.state), witnesses)
            });
        }
    }
    found.saw("orders that came to their end after they were put back to work", ended, 3);
    found.needs_all_read(seen);
    found
}

/// Whether nothing was broken any more when it was put back to work.
fn is_cause_gone(seen: &Seen<'_>, life: &Life, replay: &Attempt) -> bool {
    let healed = seen.facts.began(Phase::Settle).is_some_and(|settle| settle <= replay.invoked);
    let fails = |from: Moment| life.attempts(seen.facts).any(|call| call.is_failure() && call.at > from);
    healed && !fails(replay.invoked)
}

/// Blames a dead letter that was there before and after, and that nobody would put back to work.
fn refused(found: &mut Found, seen: &Seen<'_>, order: Order, life: &Life) {
    if seen.facts.audited().is_none() {
        return;
    }
    let Some(dead) = life.letters(seen.facts).find(|letter| !letter.replayed && !letter.gone) else { return };
    let all = (0..).map(AttemptId).zip(&seen.facts.attempts);
    let asked = all.filter(|(_, attempt)| {
        seen.facts.intents.get(attempt.intent.0 as usize).is_some_and(|intent| intent.ask == Ask::Replay(order))
    });
    let no =
        |attempt: &Attempt| matches!(attempt.answer, Answer::Refused(Some(_))) && attempt.invoked > dead.first_read;
    if let Some((id, _)) = asked.into_iter().find(|(_, attempt)| no(attempt)) {
        found.blame("refused", || {
            let expected = format!("{}, which waits as a dead letter, can be put back to work", seen.order(order));
            let mut witnesses = story(seen, order, life);
            witnesses.push(Witness::Attempt(id));
            (expected, "the replay was refused, and the dead letter is still there".into(), witnesses)
        });
    }
}

fn story(seen: &Seen<'_>, order: Order, life: &Life) -> Vec<Witness> {
    let mut witnesses = seen.course(order);
    witnesses.extend(calls(life.attempts(seen.facts)));
    witnesses.extend(life.letters(seen.facts).filter_map(|letter| seen.letter(letter)));
    witnesses.extend(seen.last_row(order));
    witnesses
}
