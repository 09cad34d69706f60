//! `ordering.contiguous`: what is applied of an entity has no gap and no step back. By the log, by how the entity stood
//! whenever somebody looked, and by what was told of it.

use super::story::{applied, standing};
use super::{Found, Seen};
use crate::judgement::Witness;
use crate::oracle::order::{Delivery, Disorder, first_deliveries};
use crate::profile::ordering::books::Life;
use crate::profile::ordering::facts::{Delivery as Told, Entity, Sequence};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    blame(&mut found, seen, |_, _| true);
    told(&mut found, seen);
    let early = seen.books.lives.iter().map(|life| overtaken(seen, life)).sum();
    found.saw("events that came before one that precedes them, and were applied after it", early, 1);
    found.needs_whole_audit(seen);
    found.needs_news_read(seen);
    found
}

/// Blames those of these entities whose events are not applied one after the other.
pub(super) fn blame(found: &mut Found, seen: &Seen<'_>, is_meant: impl Fn(Entity, &Life) -> bool) {
    for (entity, life) in seen.entities(is_meant) {
        log(found, seen, entity, life);
        course(found, seen, entity, life);
    }
}

/// Blames the first event of a log that does not follow the one before it. One that was there before is told of by
/// `ordering.once`.
fn log(found: &mut Found, seen: &Seen<'_>, entity: Entity, life: &Life) {
    let mut last = Sequence::NONE;
    let mut known = std::collections::BTreeSet::new();
    let mut before = None;
    for row in life.applied(seen.facts) {
        if !known.insert(row.sequence) {
            continue;
        }
        if row.sequence != last.next() {
            let kind = if row.sequence > last { "skipped" } else { "reordered" };
            found.blame(kind, || {
                let expected =
                    format!("after {last}, the next event of {} to be applied is {}", seen.entity(entity), last.next());
                let mut witnesses = seen.came(life, &[last.next(), row.sequence]);
                witnesses.extend(before.map(applied));
                witnesses.push(applied(row));
                (expected, format!("{} was applied next", row.sequence), witnesses)
            });
            return;
        }
        (last, before) = (row.sequence, Some(row));
    }
}

/// Blames an entity that was seen with fewer events than before.
fn course(found: &mut Found, seen: &Seen<'_>, entity: Entity, life: &Life) {
    let standings: Vec<_> = life.standings(seen.facts).collect();
    let Some(pair) = standings.windows(2).find(|pair| pair[1].sequence < pair[0].sequence) else { return };
    found.blame("backwards", || {
        let expected =
            format!("{}, which had come to {}, stays there or goes on", seen.entity(entity), pair[0].sequence);
        let text = format!("later it was at {}", pair[1].sequence);
        (expected, text, vec![standing(pair[0]), standing(pair[1])])
    });
}

/// Blames news that do not come in one partition and in the order of the events.
fn told(found: &mut Found, seen: &Seen<'_>) {
    let mut told: Vec<&Told> = seen.facts.deliveries.iter().collect();
    told.sort_by_key(|told| told.place);
    let mut items = std::collections::BTreeMap::new();
    let deliveries: Vec<_> = told
        .iter()
        .map(|told| {
            let next = items.len() as u32;
            let item = *items.entry((told.entity, told.sequence)).or_insert(next);
            Delivery { item, group: told.entity.0, rank: told.sequence.0, partition: told.place.partition }
        })
        .collect();
    for disorder in first_deliveries(&deliveries, items.len(), seen.facts.entities.len()) {
        let (kind, earlier, later) = match disorder {
            Disorder::Split { earlier, later } => ("split", told[earlier], told[later]),
            Disorder::Reordered { earlier, later } => ("told-reordered", told[earlier], told[later]),
        };
        found.blame(kind, || {
            let name = seen.entity(earlier.entity);
            let expected = format!("what is told of {name} comes in one partition, in the order of its events");
            let at = |told: &Told| format!("{} in partition {}", told.sequence, told.place.partition);
            let text = format!("{} came before {}", at(earlier), at(later));
            (expected, text, [earlier, later].map(|told| Witness::Event(told.event)).to_vec())
        });
    }
}

/// How many events were applied after one that came to the topic behind them.
fn overtaken(seen: &Seen<'_>, life: &Life) -> u64 {
    let (mut count, mut highest) = (0, None);
    for row in life.applied(seen.facts) {
        let Some(place) = life.published.get(&row.sequence).and_then(|published| published.place) else { continue };
        count += u64::from(highest.is_some_and(|highest| highest > place));
        highest = highest.max(Some(place));
    }
    count
}
