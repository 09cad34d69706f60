//! `orders.broker-down`: while the broker is away orders are taken, and all that is told of them comes when it is back.

use super::windows::{Window, takes_away};
use super::{Found, Seen, event};
use crate::fault::{Fault, Node};
use crate::history::IntentId;
use crate::judgement::Witness;
use crate::profile::orders::facts::{Answer, Attempt, Create};
use crate::profile::silence::Silence;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let away = |fault: &Fault| takes_away(fault, &Node::Kafka);
    let windows = seen.windows(away);
    let mut silence = Silence::default();
    let mut taken = 0;
    for (id, create, attempt) in sendings(seen) {
        let Some(end) = attempt.returned else { continue };
        let Some(window) = windows.iter().find(|window| window.contains(attempt.invoked, end)) else { continue };
        let text = match attempt.answer {
            Answer::Ok { .. } => {
                taken += 1;
                continue;
            }
            Answer::Refused(Some(status)) => format!("it was refused with {status}"),
            // Being told to slow down is no matter of the broker's.
            Answer::Doubtful(408 | 425 | 429) | Answer::Lost => continue,
            Answer::Doubtful(status) => format!("the answer was {status}"),
            Answer::Silent => "there was no answer".to_owned(),
            Answer::Refused(None) => "nobody was there to take it".to_owned(),
        };
        let sure = matches!(attempt.answer, Answer::Refused(Some(_)));
        if (sure || silence.is_repeated((), id, attempt.invoked, attempt.returned)) && seen.is_alone(window, away) {
            blame(&mut found, seen, id, create, window, text);
        }
    }
    let is_meant = |order| {
        let taken = seen.books.life(order).acknowledged;
        taken.is_some_and(|taken| windows.iter().any(|window| window.contains(taken, taken)))
    };
    event::missing(&mut found, seen, is_meant);
    let told = seen.books.orders().filter(|(order, life)| is_meant(*order) && life.told(seen.facts, 1).is_some());
    found.saw("times that the broker was away", windows.iter().filter(|window| window.bit).count() as u64, 1);
    found.saw("orders taken while the broker was away", taken, 3);
    found.saw("orders of that time that were told of", told.count() as u64, 3);
    found.needs_all_read(seen);
    found.needs("event topics read to their end in the audit", seen.facts.events_read);
    found
}

/// Every sending of an order, in turn.
pub(super) fn sendings<'a>(seen: &Seen<'a>) -> impl Iterator<Item = (IntentId, Create, &'a Attempt)> {
    let facts = seen.facts;
    facts
        .creates()
        .flat_map(move |(id, intent, create)| facts.attempts_of(intent).map(move |(_, attempt)| (id, create, attempt)))
}

fn blame(found: &mut Found, seen: &Seen<'_>, id: IntentId, create: Create, window: &Window<'_>, text: String) {
    found.blame("down", || {
        let money = seen.money(Some(create.money));
        let expected = format!("the order of {money} is taken, though the broker is away");
        (expected, text, vec![Witness::Fault(window.step), Witness::Intent(id)])
    });
}
