//! `ordering.clock`: the time that an event names decides nothing: what its sequence says is done, also where its
//! timestamp says otherwise.

use super::{Found, Seen, complete, contiguous};
use crate::profile::ordering::books::Life;
use crate::profile::ordering::facts::Entity;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let is_meant = |_: Entity, life: &Life| contradicts(life);
    contiguous::blame(&mut found, seen, is_meant);
    complete::blame(&mut found, seen, is_meant);
    let against = seen.books.lives.iter().map(|life| against_time(seen, life)).sum();
    found.saw("events that were applied after one with a later timestamp", against, 3);
    found.needs_whole_audit(seen);
    found
}

/// Whether the timestamps of an entity's events are not in the order of their sequences.
fn contradicts(life: &Life) -> bool {
    let times: Vec<_> = life.published.values().map(|published| &published.at).collect();
    times.windows(2).any(|pair| pair[0] >= pair[1])
}

fn against_time(seen: &Seen<'_>, life: &Life) -> u64 {
    let times = life.applied(seen.facts).filter_map(|row| life.published.get(&row.sequence)).map(|it| &it.at);
    let times: Vec<_> = times.collect();
    times.windows(2).filter(|pair| pair[0] > pair[1]).count() as u64
}
