//! What an order service still owes: orders on their way, and events of what was done.

use super::books::Books;
use super::facts::Facts;
use super::probes;
use crate::profile::Pending;

/// What is owed at the end of these facts.
pub(super) fn pending(facts: &Facts) -> Pending {
    if facts.readings.is_empty() || facts.letter_readings.is_empty() {
        return Pending::Waiting { what: "a first reading of the orders and dead letters".into() };
    }
    let books = Books::new(facts);
    let (mut under_way, mut untold) = (0, 0);
    for (_, life) in books.orders() {
        let Some(last) = life.last(facts) else { continue };
        // Of one that was given up nothing more is owed, unless it was charged all the same.
        let is_given_up = life.is_dead(facts) && life.charges.is_empty();
        under_way += u32::from(!last.state.is_terminal() && !is_given_up);
        let versions = last.state.version().unwrap_or_default();
        untold += (1..=versions).filter(|version| !facts.eventless && life.told(facts, *version).is_none()).count();
    }
    let unburied = facts.poison.iter().filter(|poison| !is_buried(facts, &poison.payload)).count();
    let probes = probes::read(facts, &books);
    // A new order may have been taken after the newest reading: it is owed as well.
    let unheard = probes.iter().filter(|probe| probe.settled.is_none()).count();
    if under_way == 0 && untold == 0 && unburied == 0 && unheard == 0 {
        return Pending::Nothing;
    }
    let owed = [
        (under_way as usize, "orders on their way"),
        (untold, "events"),
        (unburied, "dead letters"),
        (unheard, "new orders"),
    ];
    let owed: Vec<_> = owed.iter().filter(|(n, _)| *n > 0).map(|(count, what)| format!("{count} {what}")).collect();
    Pending::Waiting { what: owed.join(", ") }
}

/// Whether a dead letter holds this record.
pub(super) fn is_buried(facts: &Facts, payload: &str) -> bool {
    facts.letters.iter().any(|letter| letter.payload.as_ref().is_some_and(|held| held.trim() == payload.trim()))
}
