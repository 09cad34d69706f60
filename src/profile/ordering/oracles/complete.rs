//! `ordering.complete`: an event is applied, stays applied and is told of, once all that come before it are there; and
//! nothing is applied that nobody published.

use super::story::{applied, standing};
use super::{Found, Seen};
use crate::history::{Moment, Phase};
use crate::judgement::Witness;
use crate::profile::ordering::books::Life;
use crate::profile::ordering::facts::{Entity, Sequence};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    blame(&mut found, seen, |_, _| true);
    untold(&mut found, seen);
    let applied = seen.books.lives.iter().map(|life| life.log.len() as u64).sum();
    found.saw("events that were applied", applied, seen.share_of_load(3, 100));
    found.needs_whole_audit(seen);
    found.needs_news_read(seen);
    found
}

/// Blames those of these entities that lack an event which they could have, or have one that they cannot.
pub(super) fn blame(found: &mut Found, seen: &Seen<'_>, is_meant: impl Fn(Entity, &Life) -> bool) {
    let Some(settle) = seen.facts.began(Phase::Settle).filter(|_| seen.facts.audited().is_some()) else { return };
    for (entity, life) in seen.entities(is_meant) {
        lost(found, seen, entity, life, settle);
        vanished(found, seen, entity, life);
        invented(found, seen, entity, life);
        differs(found, seen, entity, life);
    }
}

/// Blames the first event that is not applied, though it and all before it were there when the faults were over.
fn lost(found: &mut Found, seen: &Seen<'_>, entity: Entity, life: &Life, settle: Moment) {
    let reach = life.reach(settle);
    let missing = (1..=reach.0).map(Sequence).find(|at| !life.has(seen.facts, *at));
    let Some(missing) = missing else { return };
    found.blame("lost", || {
        let expected = format!(
            "{} is applied: it and all before it were published before the load was over",
            seen.event(entity, missing)
        );
        let mut witnesses = seen.came(life, &[missing]);
        witnesses.extend(life.standings(seen.facts).last().map(standing));
        witnesses.extend(audit(seen));
        let count = (1..=reach.0).filter(|at| !life.has(seen.facts, Sequence(*at))).count();
        (expected, format!("the log does not have it, nor {} more of {}", count - 1, seen.entity(entity)), witnesses)
    });
}

fn vanished(found: &mut Found, seen: &Seen<'_>, entity: Entity, life: &Life) {
    let gone = life.vanished.iter().filter_map(|number| seen.facts.log.get(*number as usize));
    let Some(gone) = gone.into_iter().find(|gone| !life.has(seen.facts, gone.sequence)) else { return };
    found.blame("vanished", || {
        let expected = format!("{} stays in the log", seen.event(entity, gone.sequence));
        (expected, "it is not there any more".into(), vec![applied(gone)])
    });
}

fn invented(found: &mut Found, seen: &Seen<'_>, entity: Entity, life: &Life) {
    let is_invented = |sequence| !life.published.contains_key(&sequence) && !seen.facts.foreign.contains(&entity);
    let Some(row) = life.applied(seen.facts).find(|row| is_invented(row.sequence)) else { return };
    found.blame("invented", || {
        let expected = format!("{} was published", seen.event(entity, row.sequence));
        (expected, "it was applied, and nobody published it".into(), vec![applied(row)])
    });
}

/// Blames an entity that stands elsewhere than where its log ends.
fn differs(found: &mut Found, seen: &Seen<'_>, entity: Entity, life: &Life) {
    let (last, stands) = (life.last(seen.facts), life.standings(seen.facts).last());
    let at = stands.map_or(Sequence::NONE, |stands| stands.sequence);
    if at == last {
        return;
    }
    found.blame("differs", || {
        let expected = format!("{} stands at {last}, where its log ends", seen.entity(entity));
        (expected, format!("it stands at {at}"), stands.map(standing).into_iter().collect())
    });
}

/// Blames the first event of an entity that was applied and is not told of.
fn untold(found: &mut Found, seen: &Seen<'_>) {
    if !seen.facts.is_told_in_full() || seen.facts.audited().is_none() {
        return;
    }
    for (entity, life) in seen.books.entities() {
        let Some(row) = life.applied(seen.facts).find(|row| life.told(seen.facts, row.sequence).is_none()) else {
            continue;
        };
        found.blame("untold", || {
            let expected = format!("{}, which was applied, is told of", seen.event(entity, row.sequence));
            let mut witnesses = seen.came(life, &[row.sequence]);
            witnesses.push(applied(row));
            (expected, "nothing on the topic tells of it".into(), witnesses)
        });
    }
}

/// The log as it was read in the audit.
pub(super) fn audit(seen: &Seen<'_>) -> Option<Witness> {
    seen.facts.readings[0].last().map(|reading| Witness::Event(reading.event))
}
