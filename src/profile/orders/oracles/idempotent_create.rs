//! `orders.idempotent-create`: a key stands for one order, for what was asked under it, and for the same one every time.

use super::{Found, Seen};
use crate::history::IntentId;
use crate::judgement::Witness;
use crate::profile::orders::facts::{Answer, Create, Intent, Order};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let mut again = 0;
    for (id, intent, create) in seen.facts.creates() {
        let made = &seen.books.made[id.0 as usize];
        if let [one, other, ..] = made[..] {
            found.blame("double", || {
                let text = format!("{} orders were made: {} and {}", made.len(), seen.order(one), seen.order(other));
                (expected(seen, id), text, story(seen, id, &[one, other]))
            });
        }
        renamed(&mut found, seen, id, intent);
        altered(&mut found, seen, id, create);
        if made.len() == 1 {
            again += intent.attempts.len().saturating_sub(1);
        }
    }
    unasked(&mut found, seen);
    found.saw("sendings of orders that were made, beyond the first", again as u64, 10);
    found.needs_all_read(seen);
    found
}

/// Blames two answers that name different orders.
fn renamed(found: &mut Found, seen: &Seen<'_>, id: IntentId, intent: &Intent) {
    let named = seen.facts.attempts_of(intent).filter_map(|(number, attempt)| match attempt.answer {
        Answer::Ok { order: Some(order), .. } => Some((number, order)),
        _ => None,
    });
    let named: Vec<_> = named.collect();
    let Some(&(first, one)) = named.first() else { return };
    if let Some(&(later, other)) = named.iter().find(|(_, order)| *order != one) {
        found.blame("renamed", || {
            let text = format!("one answer names {}, another one {}", seen.order(one), seen.order(other));
            (expected(seen, id), text, vec![Witness::Attempt(first), Witness::Attempt(later)])
        });
    }
}

/// Blames an order of another amount than was asked for.
fn altered(found: &mut Found, seen: &Seen<'_>, id: IntentId, create: Create) {
    for order in &seen.books.made[id.0 as usize] {
        let Some(last) = seen.books.life(*order).last(seen.facts) else { continue };
        if last.money.is_some_and(|money| money != create.money) {
            found.blame("altered", || {
                let text = format!("{} is of {}", seen.order(*order), seen.money(last.money));
                (expected(seen, id), text, story(seen, id, &[*order]))
            });
        }
    }
}

/// Blames orders under keys that nobody was given.
fn unasked(found: &mut Found, seen: &Seen<'_>) {
    let shows_keys = seen.facts.sightings.iter().any(|sighting| sighting.intent.is_some());
    for (order, life) in seen.books.orders().filter(|(_, life)| shows_keys && life.last(seen.facts).is_some()) {
        if life.create(seen.facts).is_none() {
            found.blame("unasked", || {
                let expected = format!("{} was asked for by somebody", seen.order(order));
                (expected, "nobody did under its key".into(), seen.last_row(order).into_iter().collect())
            });
        }
    }
}

fn expected(seen: &Seen<'_>, id: IntentId) -> String {
    format!("{} makes one order, as it was asked for", seen.intent(id))
}

fn story(seen: &Seen<'_>, id: IntentId, orders: &[Order]) -> Vec<Witness> {
    let mut witnesses = vec![Witness::Intent(id)];
    witnesses.extend(orders.iter().filter_map(|order| seen.last_row(*order)));
    witnesses
}
