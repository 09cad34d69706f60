//! What a sequenced consumer still owes: events that it could apply, gaps to surface, and news of what it applied.

use super::books::Books;
use super::facts::{Facts, Sequence};
use crate::history::Moment;
use crate::profile::Pending;

/// What is owed at the end of these facts.
pub(super) fn pending(facts: &Facts) -> Pending {
    if facts.readings.iter().any(Vec::is_empty) {
        return Pending::Waiting { what: "a first reading of log, entities and gaps".into() };
    }
    let books = Books::new(facts);
    let now = Moment(u64::MAX);
    let (mut unapplied, mut untold, mut hidden) = (0, 0, 0);
    for (_, life) in books.entities() {
        let (last, reach) = (life.last(facts), life.reach(now));
        let waiting = (last.next().0..=reach.0).count();
        unapplied += waiting;
        if !facts.eventless {
            untold += life.applied(facts).filter(|applied| life.told(facts, applied.sequence).is_none()).count();
        }
        if waiting == 0 && life.missing_behind(last, now).is_some_and(|missing| !is_surfaced(facts, life, missing)) {
            hidden += 1;
        }
    }
    let owed = [(unapplied, "events to apply"), (untold, "events to tell of"), (hidden, "gaps to surface")];
    let owed: Vec<_> = owed.iter().filter(|(n, _)| *n > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if owed.is_empty() {
        return Pending::Nothing;
    }
    Pending::Waiting { what: owed.join(", ") }
}

/// Whether somebody can see that this event is missing.
pub(super) fn is_surfaced(facts: &Facts, life: &super::books::Life, missing: Sequence) -> bool {
    life.gaps(facts).any(|gap| gap.sequence == missing && gap.open)
}
