//! `ordering.isolated`: a gap of one entity does not hold up the others, not even those in its partition.

use std::collections::BTreeMap;

use super::story::standing;
use super::{Found, Seen};
use crate::history::{Moment, Phase};
use crate::profile::ordering::facts::{Entity, Place, Sequence};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let gaps = first_held(seen);
    let mut passed = 0;
    let settle = seen.facts.began(Phase::Settle).filter(|_| seen.facts.audited().is_some());
    for (entity, life) in seen.books.entities() {
        let Some((of, behind)) = life.partition().and_then(|partition| gaps.get(&partition)) else { continue };
        let is_behind = |at: Sequence| life.published.get(&at).and_then(|it| it.place).is_some_and(|it| it > *behind);
        if entity == *of || life.held(Moment(u64::MAX)).next().is_some() {
            continue;
        }
        passed += life.applied(seen.facts).filter(|row| is_behind(row.sequence)).count();
        let reach = settle.map_or(Sequence::NONE, |settle| life.reach(settle));
        // What it passed over is told of by `ordering.complete`.
        let rest = life.last(seen.facts).next().0..=reach.0;
        let Some(waits) = rest.map(Sequence).find(|at| is_behind(*at)) else {
            continue;
        };
        found.blame("held-up", || {
            let expected = format!("{}, before which nothing is missing, is applied", seen.event(entity, waits));
            let text = format!("it is not, behind a gap of {} in their partition", seen.entity(*of));
            let mut witnesses = seen.came(life, &[waits]);
            let gap = seen.books.life(*of);
            let held: Vec<_> = gap.held(Moment(u64::MAX)).map(|(at, _)| at).take(1).collect();
            witnesses.splice(0..0, seen.came(gap, &held).into_iter().take(1));
            witnesses.extend(life.standings(seen.facts).last().map(standing));
            (expected, text, witnesses)
        });
    }
    found.saw("events that were applied, behind a gap of another entity in their partition", passed as u64, 3);
    found.needs_whole_audit(seen);
    found
}

/// By partition: the entity whose event had to wait there first, because the one before it never came, and where that was.
fn first_held(seen: &Seen<'_>) -> BTreeMap<i32, (Entity, Place)> {
    let mut first: BTreeMap<i32, (Entity, Place)> = BTreeMap::new();
    for (entity, life) in seen.books.entities() {
        for place in life.held(Moment(u64::MAX)).filter_map(|(_, held)| held.place) {
            let known = first.entry(place.partition).or_insert((entity, place));
            if place < known.1 {
                *known = (entity, place);
            }
        }
    }
    first
}
