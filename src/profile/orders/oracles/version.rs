//! `orders.version`: an order goes from CREATED over PAYMENT_PENDING to PAID or FAILED and stays there, and its version
//! counts the changes: 1, 2, 3. By what readings, events and replies show of it.

use super::{Found, Seen};
use crate::history::AttemptId;
use crate::judgement::Witness;
use crate::profile::orders::books::Life;
use crate::profile::orders::facts::{Answer, Order, Sighting};
use crate::profile::orders::state::State;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let mut changed = 0;
    for (order, life) in seen.books.orders() {
        let blamed = illegal(&mut found, seen, order, life) || course(&mut found, seen, order, life);
        changed += u64::from(!blamed && life.last(seen.facts).is_some_and(|last| last.version > 1));
    }
    replies(&mut found, seen);
    found.saw("orders that changed as they may", changed, seen.share_of_load(4, 50));
    found.needs_all_read(seen);
    found
}

/// Blames a state in a version that is not its own.
fn illegal(found: &mut Found, seen: &Seen<'_>, order: Order, life: &Life) -> bool {
    let rows = life.seen(seen.facts).filter(|row| !row.gone).map(|row| (row.state, row.version, seen.sighting(row)));
    let told = life.deliveries(seen.facts).map(|told| (told.state, told.version, Some(Witness::Event(told.event))));
    let Some((state, version, place)) = rows.chain(told).find(|(state, version, _)| is_illegal(*state, *version))
    else {
        return false;
    };
    found.blame("illegal", || {
        let mut witnesses = seen.course(order);
        witnesses.extend(place);
        (expected(seen, order), format!("it is shown as {state} in version {version}"), witnesses)
    });
    true
}

fn is_illegal(state: State, version: i64) -> bool {
    state.version() != Some(version)
}

/// Blames an order that goes back, or is something else in the same version.
fn course(found: &mut Found, seen: &Seen<'_>, order: Order, life: &Life) -> bool {
    let rows: Vec<&Sighting> = life.seen(seen.facts).filter(|row| !row.gone).collect();
    let pair = rows.windows(2).find_map(|pair| match (pair[0], pair[1]) {
        (before, after) if before.state.is_terminal() && after.state != before.state => {
            Some(("revived", before, after))
        }
        (before, after) if after.version < before.version => Some(("backwards", before, after)),
        (before, after) if after.version == before.version && after.state != before.state => {
            Some(("forked", before, after))
        }
        _ => None,
    });
    let Some((kind, before, after)) = pair else { return false };
    found.blame(kind, || {
        let text = format!(
            "it was {} in version {}, and later {} in version {}",
            before.state, before.version, after.state, after.version
        );
        let mut witnesses = seen.course(order);
        witnesses.extend([before, after].into_iter().filter_map(|row| seen.sighting(row)));
        (expected(seen, order), text, witnesses)
    });
    true
}

/// Blames a reply that shows a state in a version that is not its own.
fn replies(found: &mut Found, seen: &Seen<'_>) {
    for (id, attempt) in (0..).map(AttemptId).zip(&seen.facts.attempts) {
        let Answer::Ok { order: Some(order), shown: Some((state, version)) } = attempt.answer else { continue };
        if is_illegal(state, version) {
            found.blame("illegal", || {
                let text = format!("a reply shows it as {state} in version {version}");
                (expected(seen, order), text, vec![Witness::Attempt(id)])
            });
        }
    }
}

fn expected(seen: &Seen<'_>, order: Order) -> String {
    format!("{} is CREATED in version 1, PAYMENT_PENDING in 2, PAID or FAILED in 3 for ever", seen.order(order))
}
