//! `orders.event`: every state change has an event, all its events have one id, and no event is invented.
//!
//! A missing event is lost, rather than late, when a new order that was sent after the change had been read has gone
//! through to its own events. An invented one tells of an order that no reading ever had, or of a change that the
//! order did not make. Neither is said unless the topic was read to its end in the audit.

use super::story::deliveries;
use super::{Found, Seen};
use crate::history::Moment;
use crate::judgement::Witness;
use crate::profile::orders::books::Life;
use crate::profile::orders::facts::{Delivery, EventId, Order};
use crate::profile::orders::probes;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let facts = seen.facts;
    let mut found = Found::default();
    missing(&mut found, seen, |_| true);
    let mut told = 0;
    for (order, life) in seen.books.orders() {
        renamed(&mut found, seen, order, life);
        invented(&mut found, seen, order, life);
        let last = life.last(facts).map_or(0, |last| last.version.min(3));
        told += (1..=last).filter(|version| life.told(facts, *version).is_some()).count();
    }
    shared(&mut found, seen);
    found.saw("state changes with an event", told as u64, seen.share_of_load(2, 100));
    found.needs_all_read(seen);
    found.needs_readable_records(seen);
    found.needs("event topics read to their end in the audit", facts.events_read);
    found.needs("audits after a new order had gone through to its events", overtaken(seen).is_some());
    found
}

/// Blames those of these orders that have no event for a change that they made.
pub(super) fn missing(found: &mut Found, seen: &Seen<'_>, is_meant: impl Fn(Order) -> bool) {
    let facts = seen.facts;
    let whole = facts.unreadable_records == 0 && facts.events_read && facts.audited().is_some();
    let Some(overtaken) = overtaken(seen).filter(|_| whole) else { return };
    for (order, life) in seen.books.orders().filter(|(order, _)| is_meant(*order)) {
        let last = life.last(facts).map_or(0, |last| last.version.min(3));
        let is_lost = |version: &i64| {
            life.told(facts, *version).is_none() && life.reached(facts, *version).is_some_and(|at| at < overtaken)
        };
        let Some(lost) = (1..=last).find(is_lost) else { continue };
        found.blame("lost", || {
            let expected = format!("version {lost} of {} has an event", seen.order(order));
            let text = "none came, though orders that were made later have theirs".to_owned();
            (expected, text, story(seen, order, life))
        });
    }
}

/// When the last of those new orders was sent that went through to their events.
fn overtaken(seen: &Seen<'_>) -> Option<Moment> {
    let probes = probes::read(seen.facts, seen.books);
    probes.iter().filter(|probe| probe.told.is_some()).map(|probe| probe.sent).max()
}

/// Blames two ids of one change.
fn renamed(found: &mut Found, seen: &Seen<'_>, order: Order, life: &Life) {
    let first = |version| life.deliveries(seen.facts).find(|first| first.version == version);
    let other = life.deliveries(seen.facts).find_map(|later| {
        let first = first(later.version)?;
        (first.id != later.id && first.state == later.state).then_some((first, later))
    });
    let Some((first, later)) = other else { return };
    found.blame("renamed", || {
        let expected = format!(
            "every event of version {} of {} has the id {}",
            first.version,
            seen.order(order),
            event(seen, first.id)
        );
        (expected, format!("one has the id {}", event(seen, later.id)), story(seen, order, life))
    });
}

/// Blames one id of two changes.
fn shared(found: &mut Found, seen: &Seen<'_>) {
    let mut owners: Vec<Option<&Delivery>> = vec![None; seen.facts.event_ids.len()];
    for delivery in &seen.facts.deliveries {
        let owner = owners[delivery.id.0 as usize].get_or_insert(delivery);
        if (owner.order, owner.version) == (delivery.order, delivery.version) {
            continue;
        }
        found.blame("shared", || {
            let (one, other) = (seen.order(owner.order), seen.order(delivery.order));
            let expected = format!(
                "the event id {} stands for version {} of {one} alone",
                event(seen, delivery.id),
                owner.version
            );
            let witnesses = vec![Witness::Event(owner.event), Witness::Event(delivery.event)];
            (expected, format!("it also stands for version {} of {other}", delivery.version), witnesses)
        });
    }
}

/// Blames an event of something that did not happen.
fn invented(found: &mut Found, seen: &Seen<'_>, order: Order, life: &Life) {
    let Some(audit) = seen.facts.audited().filter(|_| seen.facts.events_read) else { return };
    let shown = |version| life.seen(seen.facts).find(|sighting| !sighting.gone && sighting.version == version);
    let last = life.last(seen.facts);
    let is_invented = |told: &&Delivery| match last {
        _ if told.at >= audit.sent => false,
        None => life.sightings.is_empty(),
        Some(last) => last.version < told.version || shown(told.version).is_some_and(|it| it.state != told.state),
    };
    let Some(told) = life.deliveries(seen.facts).find(is_invented) else { return };
    found.blame("invented", || {
        let expected = format!("{} was {} in version {}", seen.order(order), told.state, told.version);
        let text = match last {
            None => "an event tells of it, and no reading ever had the order".to_owned(),
            Some(last) if last.version < told.version => {
                format!("an event tells of it, and the order is still in version {}", last.version)
            }
            Some(_) => {
                let was = shown(told.version).map_or(told.state, |it| it.state);
                format!("an event tells of it, and the order was {was} in that version")
            }
        };
        let mut witnesses = seen.course(order);
        witnesses.push(Witness::Event(told.event));
        witnesses.extend(seen.last_row(order));
        (expected, text, witnesses)
    });
}

fn event<'a>(seen: &Seen<'a>, id: EventId) -> &'a str {
    seen.facts.event_ids.name(id.0)
}

fn story(seen: &Seen<'_>, order: Order, life: &Life) -> Vec<Witness> {
    let mut witnesses = seen.course(order);
    witnesses.extend(deliveries(life.deliveries(seen.facts)));
    witnesses.extend(seen.last_row(order));
    witnesses
}
