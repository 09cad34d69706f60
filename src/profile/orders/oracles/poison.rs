//! `orders.poison`: a record that nobody can act on is in a dead letter, whole and with a reason, and what follows it in
//! its partition is worked on.

use super::story::deliveries;
use super::{Found, Seen};
use crate::judgement::Witness;
use crate::profile::orders::facts::{Letter, Poison};
use crate::profile::orders::state::State;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let (mut buried, mut passed) = (0, 0);
    for poison in &seen.facts.poison {
        buried += u64::from(is_buried(&mut found, seen, poison));
        passed += followers(&mut found, seen, poison);
    }
    found.saw("records that nobody can act on, in a dead letter", buried, 1);
    found.saw("orders that came after such a record in its partition and were worked on", passed, 1);
    found.needs_all_read(seen);
    found
}

fn is_buried(found: &mut Found, seen: &Seen<'_>, poison: &Poison) -> bool {
    let Some(audit) = seen.facts.audited().filter(|audit| poison.at < audit.sent) else { return false };
    let holds = |letter: &&Letter| letter.payload.as_ref().is_some_and(|held| held.trim() == poison.payload.trim());
    let letter = seen.facts.letters.iter().find(holds);
    let (kind, text) = match letter {
        Some(letter) if letter.reason.is_some() => return true,
        Some(_) => ("unexplained", "a dead letter holds it, without a reason".to_owned()),
        None => {
            let empty = seen.facts.letters.iter().filter(|letter| letter.payload.is_none()).count();
            ("dropped", format!("no dead letter holds it ({empty} hold no record at all)"))
        }
    };
    found.blame(kind, || {
        let place = format!("partition {}, offset {}", poison.partition, poison.offset);
        let expected = format!("the record at {place}, on which nobody can act, is in a dead letter with a reason");
        let mut witnesses = vec![Witness::Event(poison.event)];
        witnesses.extend(letter.and_then(|letter| seen.letter(letter)));
        witnesses.push(Witness::Event(audit.event));
        (expected, text, witnesses)
    });
    false
}

/// Blames orders behind it that nobody worked on; how many were.
fn followers(found: &mut Found, seen: &Seen<'_>, poison: &Poison) -> u64 {
    let mut passed = 0;
    for (order, life) in seen.books.orders() {
        let first = life.deliveries(seen.facts).find(|told| told.state == State::Created);
        let behind = first.is_some_and(|told| told.partition == poison.partition && told.offset > poison.offset);
        let Some(last) = life.last(seen.facts).filter(|_| behind) else { continue };
        if last.state != State::Created || life.is_dead(seen.facts) {
            passed += 1;
        } else if seen.facts.audited().is_some() && seen.had_time(life) && !seen.may_be_dead(life) {
            found.blame("blocked", || {
                let expected = format!("{} is worked on, though a record before it cannot be", seen.order(order));
                let mut witnesses = vec![Witness::Event(poison.event)];
                witnesses.extend(seen.course(order));
                witnesses.extend(deliveries(life.deliveries(seen.facts)));
                witnesses.extend(seen.last_row(order));
                (expected, format!("it is still {}", last.state), witnesses)
            });
        }
    }
    passed
}
