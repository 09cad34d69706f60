//! `ordering.restart`: what a consumer held back when it ended is neither lost nor applied twice: it is applied when what
//! was missing has come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Found, Seen, complete, contiguous, once};
use crate::history::{Moment, Phase};
use crate::profile::ordering::facts::{Entity, Sequence};

/// How long a consumer that has nothing else to do may take to have an event in its hands.
const TAKEN_AFTER: Duration = Duration::from_millis(200);

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let held = held(seen);
    let is_meant = |entity: Entity, _: &_| held.contains_key(&entity);
    complete::blame(&mut found, seen, is_meant);
    contiguous::blame(&mut found, seen, is_meant);
    once::blame(&mut found, seen, is_meant);
    let applied = held.iter().flat_map(|(entity, held)| {
        let life = seen.books.life(*entity);
        held.iter().filter(|at| life.has(seen.facts, **at))
    });
    found.saw("events that were held when a consumer ended, and were applied later", applied.count() as u64, 3);
    found.needs_whole_audit(seen);
    found
}

/// What had to wait when a consumer ended before the settling, by entity.
fn held(seen: &Seen<'_>) -> BTreeMap<Entity, BTreeSet<Sequence>> {
    let mut all: BTreeMap<Entity, BTreeSet<Sequence>> = BTreeMap::new();
    let settle = seen.facts.began(Phase::Settle).unwrap_or_default();
    for (ended, _) in seen.facts.ends.iter().filter(|(at, _)| *at <= settle) {
        let taken = Moment(ended.0.saturating_sub(u64::try_from(TAKEN_AFTER.as_nanos()).unwrap_or_default()));
        for (entity, life) in seen.books.entities() {
            // Still missing when it ended, and taken well before.
            let still: BTreeSet<Sequence> = life.held(*ended).map(|(at, _)| at).collect();
            let held = life.held(taken).map(|(at, _)| at).filter(|at| still.contains(at));
            let held: Vec<_> = held.collect();
            if !held.is_empty() {
                all.entry(entity).or_default().extend(held);
            }
        }
    }
    all
}
