//! `ordering.once`: each event is applied once. By the log, by what the entity's events add up to, and by what was told.

use std::collections::BTreeMap;

use super::story::{applied, standing};
use super::{Found, Seen};
use crate::judgement::Witness;
use crate::profile::ordering::books::Life;
use crate::profile::ordering::facts::{Entity, Sequence};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    blame(&mut found, seen, |_, _| true);
    let again = seen.books.lives.iter().flat_map(|life| {
        let is_again = |(at, it): &(&Sequence, &crate::profile::ordering::books::Published)| {
            it.times > 1 && life.has(seen.facts, **at)
        };
        life.published.iter().filter(is_again).map(|(_, it)| it.times - 1)
    });
    // Of what a fault copied nobody says whether it was applied before.
    let applied = seen.books.lives.iter().map(|life| life.log.len() as u64).sum();
    let again = again.sum::<u64>() + seen.facts.copies.min(applied);
    found.saw("times that an event came again and was not applied again", again, 1);
    found.needs_whole_audit(seen);
    found
}

/// Blames those of these entities to which an event was applied twice.
pub(super) fn blame(found: &mut Found, seen: &Seen<'_>, is_meant: impl Fn(Entity, &Life) -> bool) {
    for (entity, life) in seen.entities(is_meant) {
        twice(found, seen, entity, life);
        total(found, seen, entity, life);
        renamed(found, seen, entity, life);
    }
}

fn twice(found: &mut Found, seen: &Seen<'_>, entity: Entity, life: &Life) {
    let mut first = BTreeMap::new();
    for row in life.applied(seen.facts) {
        let Some(before) = first.insert(row.sequence, row) else { continue };
        found.blame("twice", || {
            let expected = format!("{} is in the log once", seen.event(entity, row.sequence));
            let mut witnesses = seen.came(life, &[row.sequence]);
            witnesses.extend([before, row].map(applied));
            (expected, format!("it is at {} and at {}", before.position, row.position), witnesses)
        });
    }
}

/// Blames a total that is not what the entity's events add up to.
fn total(found: &mut Found, seen: &Seen<'_>, entity: Entity, life: &Life) {
    let Some(last) = life.standings(seen.facts).last().filter(|_| seen.facts.audited().is_some()) else { return };
    // Up to where it says that it is; unless something before was never published, so that nobody knows the sum.
    let whole = (1..=last.sequence.0).map(|at| life.published.get(&Sequence(at)).map(|it| i128::from(it.amount)));
    let Some(sum) = whole.sum::<Option<i128>>().filter(|sum| *sum != i128::from(last.total)) else { return };
    found.blame("total", || {
        let expected = format!("the {} events of {} add up to {sum}", last.sequence.0, seen.entity(entity));
        let twice = life.published.iter().filter(|(_, it)| it.times > 1).map(|(at, _)| *at).take(3);
        let mut witnesses = seen.came(life, &twice.collect::<Vec<_>>());
        witnesses.push(standing(last));
        (expected, format!("its total is {}", last.total), witnesses)
    });
}

/// Blames one event that is told of as two.
fn renamed(found: &mut Found, seen: &Seen<'_>, entity: Entity, life: &Life) {
    let mut first = BTreeMap::new();
    for told in life.deliveries(seen.facts) {
        let before = *first.entry(told.sequence).or_insert(told);
        if before.key == told.key {
            continue;
        }
        found.blame("renamed", || {
            let expected =
                format!("what is told of {} names the event {}", seen.event(entity, told.sequence), before.key);
            let witnesses = [before, told].map(|told| Witness::Event(told.event)).to_vec();
            (expected, format!("another time it names {}", told.key), witnesses)
        });
    }
}
