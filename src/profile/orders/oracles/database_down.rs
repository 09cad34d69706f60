//! `orders.database-down`: while the database is away an order is answered with 5xx, which says that nobody knows; what
//! was refused does not show up later, and what was taken does not get lost.

use super::broker_down::sendings;
use super::windows::takes_away;
use super::{Found, Seen, not_lost};
use crate::fault::{Fault, Node};
use crate::history::IntentId;
use crate::judgement::Witness;
use crate::profile::orders::facts::{Answer, Intent};
use crate::profile::silence::Silence;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let away = |fault: &Fault| takes_away(fault, &Node::Postgres);
    let windows = seen.windows(away);
    let mut silence = Silence::default();
    let mut told = 0;
    for (id, _, attempt) in sendings(seen) {
        let Some(end) = attempt.returned else { continue };
        let keeps = |name| windows.iter().find(|window| window.contains(attempt.invoked, end) && window.keeps(name));
        let Some(window) = seen.facts.instance(attempt.to).and_then(keeps) else { continue };
        let (kind, text) = match attempt.answer {
            Answer::Doubtful(500..) => {
                told += 1;
                continue;
            }
            Answer::Refused(Some(status)) => ("misjudged", format!("it was refused with {status}")),
            // Connections to a server that is gone are refused at once; only what is held is worth waiting for.
            Answer::Silent if matches!(window.fault, Fault::KillPostgres) => {
                if !silence.is_repeated((), id, attempt.invoked, attempt.returned) || !seen.is_alone(window, away) {
                    continue;
                }
                ("silent", "there was no answer".to_owned())
            }
            _ => continue,
        };
        found.blame(kind, || {
            let expected = format!("{} is answered with 5xx while the database is away", seen.intent(id));
            (expected, text, vec![Witness::Fault(window.step), Witness::Intent(id)])
        });
    }
    phantoms(&mut found, seen);
    not_lost::vanished(&mut found, seen, |_| true);
    let back = windows.iter().map(|window| window.to).max();
    let taken = seen.books.lives.iter().filter_map(|life| life.acknowledged);
    let taken = taken.filter(|taken| back.is_some_and(|back| *taken > back)).count();
    found.saw("times that the database was away", windows.iter().filter(|window| window.bit).count() as u64, 1);
    found.saw("orders answered with 5xx while the database was away", told, 3);
    found.saw("orders taken after it had come back", taken as u64, 3);
    found.needs_all_read(seen);
    found
}

/// Blames orders that were refused, every time that they were sent, and are there.
fn phantoms(found: &mut Found, seen: &Seen<'_>) {
    let refused = |intent: &Intent| {
        let mut answers = seen.facts.attempts_of(intent).map(|(_, attempt)| attempt);
        answers.all(|attempt| attempt.returned.is_some() && matches!(attempt.answer, Answer::Refused(_)))
    };
    for (id, _, _) in seen.facts.creates().filter(|(_, intent, _)| refused(intent)) {
        let Some(order) = made(seen, id) else { continue };
        found.blame("phantom", || {
            let expected = format!("{} does not exist, for it was refused every time", seen.intent(id));
            let mut witnesses = seen.course(order);
            witnesses.extend(seen.last_row(order));
            (expected, format!("it is there as {}", seen.order(order)), witnesses)
        });
    }
}

fn made(seen: &Seen<'_>, id: IntentId) -> Option<crate::profile::orders::facts::Order> {
    seen.books.made.get(id.0 as usize)?.first().copied()
}
