//! `orders.not-lost`: what was taken is there in the audit, and is paid, failed, or waits as a dead letter.
//!
//! An order that was not known when the faults were healed may be too young to have come to its end.

use super::story::calls;
use super::{Found, Seen};
use crate::profile::orders::facts::Order;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    blame(&mut found, seen, |_| true);
    let ended = |life: &&crate::profile::orders::books::Life| {
        life.acknowledged.is_some() && life.last(seen.facts).is_some_and(|last| last.state.is_terminal())
    };
    let through = seen.books.lives.iter().filter(ended).count();
    found.saw("orders that were taken and came to their end", through as u64, seen.share_of_load(4, 50));
    found.needs_all_read(seen);
    found
}

/// Blames those of these orders that are lost.
pub(super) fn blame(found: &mut Found, seen: &Seen<'_>, is_meant: impl Fn(Order) -> bool) {
    vanished(found, seen, &is_meant);
    for (order, life) in seen.books.orders().filter(|(order, _)| is_meant(*order)) {
        let Some(last) = life.last(seen.facts).filter(|_| seen.facts.audited().is_some()) else { continue };
        if last.state.is_terminal() || seen.may_be_dead(life) || !seen.had_time(life) {
            continue;
        }
        found.blame("stuck", || {
            let expected = format!("{} is PAID or FAILED, now that all faults are long over", seen.order(order));
            let mut witnesses = seen.course(order);
            witnesses.extend(calls(life.attempts(seen.facts)));
            witnesses.extend(seen.last_row(order));
            let text = format!("it is still {}, and no dead letter holds it", last.state);
            (expected, text, witnesses)
        });
    }
}

/// Blames what was taken and is not there.
pub(super) fn vanished(found: &mut Found, seen: &Seen<'_>, is_meant: impl Fn(Order) -> bool) {
    let Some(audit) = seen.facts.audited() else { return };
    for (order, life) in seen.books.orders().filter(|(order, _)| is_meant(*order)) {
        let taken = life.acknowledged.filter(|taken| *taken < audit.sent && life.last(seen.facts).is_none());
        // That it was taken under another name is told of by `orders.idempotent-create`.
        let is_renamed =
            life.intent.is_some_and(|intent| seen.books.made[intent.0 as usize].iter().any(|it| *it != order));
        let Some(taken) = taken.filter(|_| !is_renamed) else { continue };
        found.blame("vanished", || {
            let expected = format!("{}, acknowledged at {taken}, is among the orders", seen.order(order));
            let mut witnesses = seen.course(order);
            witnesses.extend(seen.last_row(order));
            witnesses.push(crate::judgement::Witness::Event(audit.event));
            (expected, "the orders read in the audit do not have it".into(), witnesses)
        });
    }
}
