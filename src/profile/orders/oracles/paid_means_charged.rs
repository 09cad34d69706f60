//! `orders.paid-means-charged`: what is paid was charged, as it was ordered and before it was shown as paid; what
//! failed was not, nor what was given up; and nothing is charged that was not ordered. A second charge is told of by `orders.once-charged`.

use super::story::calls;
use super::{Found, Seen};
use crate::history::Phase;
use crate::profile::orders::books::Life;
use crate::profile::orders::facts::{Order, Reading};
use crate::profile::orders::state::State;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let mut paid = 0;
    for (order, life) in seen.books.orders() {
        let Some(audit) = seen.facts.audited() else { break };
        match life.last(seen.facts).map(|last| last.state) {
            Some(State::Paid) if life.charges.is_empty() => {
                blame(&mut found, seen, order, "unpaid", "it is PAID, and the gateway holds no charge for it");
            }
            Some(State::Paid) => paid += 1,
            Some(State::Failed) if !life.charges.is_empty() => {
                blame(&mut found, seen, order, "charged", "it is FAILED, and the gateway holds a charge for it");
            }
            Some(State::Created | State::Pending) if is_kept(life, seen) => {
                let text = "it was given up, and the gateway holds a charge for it";
                blame(&mut found, seen, order, "kept", text);
            }
            None if is_unasked(life, audit, seen) => {
                blame(
                    &mut found,
                    seen,
                    order,
                    "unasked",
                    "the gateway holds a charge for it, and no reading ever had it",
                );
            }
            _ => {}
        }
        early(&mut found, seen, order, life);
        altered(&mut found, seen, order, life);
    }
    found.saw("orders that are paid and were charged", paid, seen.share_of_load(4, 50));
    found.needs_all_read(seen);
    found
}

/// Whether an order waits as a dead letter though it was charged long ago. One that waits nowhere is told of by
/// `orders.not-lost`.
fn is_kept(life: &Life, seen: &Seen<'_>) -> bool {
    let settle = seen.facts.began(Phase::Settle);
    let charged_before = life.charges(seen.facts).any(|call| settle.is_some_and(|settle| call.at < settle));
    charged_before && life.is_dead(seen.facts)
}

fn is_unasked(life: &Life, audit: &Reading, seen: &Seen<'_>) -> bool {
    let charged_before = life.charges(seen.facts).any(|call| call.at < audit.sent);
    life.sightings.is_empty() && life.acknowledged.is_none() && charged_before
}

/// Blames an order that was shown as paid before anybody had asked for its charge.
fn early(found: &mut Found, seen: &Seen<'_>, order: Order, life: &Life) {
    let Some(asked) = life.charges(seen.facts).map(|call| call.received).min() else { return };
    let shown = life.seen(seen.facts).find(|sighting| sighting.state == State::Paid);
    let read = shown.and_then(|sighting| seen.facts.readings.get(sighting.reading as usize));
    if read.is_some_and(|reading| reading.at < asked) {
        blame(found, seen, order, "early", "it was shown as PAID before the gateway had been asked");
    }
}

/// Blames a charge of another amount than was ordered.
fn altered(found: &mut Found, seen: &Seen<'_>, order: Order, life: &Life) {
    let Some(asked) = life.create(seen.facts).map(|create| create.money) else { return };
    if let Some(call) = life.charges(seen.facts).find(|call| call.money.is_some_and(|money| money != asked)) {
        let text = format!("the gateway took {} instead of {}", seen.money(call.money), seen.money(Some(asked)));
        blame(found, seen, order, "altered", &text);
    }
}

fn blame(found: &mut Found, seen: &Seen<'_>, order: Order, kind: &str, text: &str) {
    found.blame(kind, || {
        let expected = format!("{} is PAID exactly when the gateway holds one charge for it", seen.order(order));
        let mut witnesses = seen.course(order);
        witnesses.extend(calls(seen.books.life(order).attempts(seen.facts)));
        witnesses.extend(seen.last_row(order));
        (expected, text.to_owned(), witnesses)
    });
}
