//! `ordering.gap`: an event that stays away is surfaced, neither skipped in silence nor waited for in silence; and what
//! is surfaced is missing.
//!
//! How long a target waits is its own affair, within bounds: nobody can know within a blink that an event is missing, and
//! at the end of the settling every gap has had its time.

use std::time::Duration;

use super::story::gap as row_of;
use super::{Found, Seen};
use crate::history::Moment;
use crate::judgement::Witness;
use crate::profile::ordering::books::Life;
use crate::profile::ordering::facts::{Entity, Gap, Sequence};
use crate::profile::ordering::pending::is_surfaced;

/// So soon after its successor was published an event is out of order at most, and not missing.
const BLINK: Duration = Duration::from_millis(500);

const END: Moment = Moment(u64::MAX);

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let mut surfaced = 0;
    for (entity, life) in seen.books.entities() {
        surfaced += silent(&mut found, seen, entity, life);
        // Of what a fault put there nobody knows what is missing.
        let known = life.gaps(seen.facts).filter(|_| !seen.facts.foreign.contains(&entity));
        for gap in known {
            false_alarm(&mut found, seen, entity, life, gap);
        }
    }
    found.saw("gaps that nobody filled and that were surfaced", surfaced, 1);
    found.needs_whole_audit(seen);
    found
}

/// Blames a gap that stayed, if nobody was told; how many were.
fn silent(found: &mut Found, seen: &Seen<'_>, entity: Entity, life: &Life) -> u64 {
    if seen.facts.audited().is_none() {
        return 0;
    }
    // The first that certainly never was on the topic, with something behind it that certainly was.
    let mut missing = Sequence::NONE.next();
    while life.published.contains_key(&missing) {
        missing = missing.next();
    }
    let Some(missing) = life.missing_behind(Sequence(missing.0 - 1), END) else { return 0 };
    let last = life.last(seen.facts);
    if last < Sequence(missing.0 - 1) {
        // It has not come so far, and where it is the next event is there or may be.
        return 0;
    }
    let (kind, text) = if last >= missing {
        ("skipped", format!("it was passed over: the log goes on to {last}"))
    } else if is_surfaced(seen.facts, life, missing) {
        return 1;
    } else {
        ("silent", "the entity waits for it, and no open gap says so".to_owned())
    };
    found.blame(kind, || {
        let behind: Vec<_> = life.published.range(missing..).map(|(at, _)| *at).take(1).collect();
        let expected = format!(
            "{}, which never came though {} did, is among the gaps",
            seen.event(entity, missing),
            behind.first().copied().unwrap_or(missing)
        );
        let mut witnesses = seen.came(life, &behind);
        let known = life.gaps(seen.facts).find(|gap| gap.sequence == missing);
        witnesses.extend(known.map(row_of));
        witnesses.extend(seen.facts.readings[2].last().map(|reading| Witness::Event(reading.event)));
        (expected, text, witnesses)
    });
    0
}

/// Blames a gap that is none.
fn false_alarm(found: &mut Found, seen: &Seen<'_>, entity: Entity, life: &Life, gap: &Gap) {
    let is_audited = seen.facts.audited().is_some();
    let (kind, text) = if gap.open && is_audited && life.has(seen.facts, gap.sequence) {
        ("stale", "it is shown as open, and the event was applied".to_owned())
    } else if !life.published.keys().any(|at| *at > gap.sequence) {
        ("invented", "it is shown, and nothing that comes after it was ever published".to_owned())
    } else if let Some(after) = shown_at_once(life, gap) {
        ("hasty", format!("it is shown {} ms after its successor was published", after.as_millis()))
    } else {
        return;
    };
    found.blame(kind, || {
        let expected =
            format!("a gap at {} is shown when the event is missing, and not before", seen.event(entity, gap.sequence));
        let behind = life.published.range(gap.sequence.next()..).map(|(at, _)| *at).take(1);
        let mut witnesses = seen.came(life, &behind.chain([gap.sequence]).collect::<Vec<_>>());
        witnesses.push(row_of(gap));
        (expected, text, witnesses)
    });
}

/// How soon after its first successor had been sent it was shown, if that was too soon for anybody to know.
fn shown_at_once(life: &Life, gap: &Gap) -> Option<Duration> {
    let behind = life.published.range(gap.sequence.next()..).map(|(_, later)| later.sent).min()?;
    let after = Duration::from_nanos(gap.read.0.saturating_sub(behind.0));
    (after < BLINK).then_some(after)
}
