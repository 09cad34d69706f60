//! `orders.duplicate`: an order of which an event came again is charged once all the same, and stays as it was when it
//! had come to its end.

use std::collections::HashSet;

use super::story::deliveries;
use super::{Found, Seen, once_charged};
use crate::judgement::Witness;
use crate::profile::orders::books::Life;
use crate::profile::orders::facts::Order;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    once_charged::blame(&mut found, seen, "charged-again", |order| repetitions(seen, seen.books.life(order)) > 0);
    let mut harmless = 0;
    for (order, life) in seen.books.orders() {
        let again = repetitions(seen, life);
        if again > 0 && !changed(&mut found, seen, order, life) {
            harmless += again;
        }
    }
    found.saw("events that came again and changed nothing", harmless, 3);
    found.needs_all_read(seen);
    found
}

/// How many of an order's events came again: by the target's own doing, or as copies that the harness made.
fn repetitions(seen: &Seen<'_>, life: &Life) -> u64 {
    let mut known = HashSet::new();
    let again = life.deliveries(seen.facts).filter(|delivery| !known.insert(delivery.id)).count();
    (again + life.copies.len()) as u64
}

/// Blames an order that changed though it had come to its end.
fn changed(found: &mut Found, seen: &Seen<'_>, order: Order, life: &Life) -> bool {
    let mut sightings = life.seen(seen.facts);
    let Some(end) = sightings.find(|sighting| sighting.state.is_terminal()) else { return false };
    let Some(other) = sightings.find(|it| !it.gone && (it.state, it.version) != (end.state, end.version)) else {
        return false;
    };
    found.blame("changed", || {
        let expected = format!("{} stays {} in version {}", seen.order(order), end.state, end.version);
        let text = format!("an event of it came again, and it is {} in version {}", other.state, other.version);
        let mut witnesses = seen.course(order);
        witnesses.extend(deliveries(life.deliveries(seen.facts)));
        witnesses.extend(life.copies.iter().map(|copy| Witness::Event(seen.facts.copies[*copy as usize].event)));
        witnesses.extend([end, other].into_iter().filter_map(|it| seen.sighting(it)));
        (expected, text, witnesses)
    });
    true
}
