//! `orders.once-charged`: of what the gateway took for an order, no more than one charge was not given back.

use super::story::calls;
use super::{Found, Seen};
use crate::profile::orders::facts::Order;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    blame(&mut found, seen, "double", |_| true);
    let charged = seen.books.lives.iter().filter(|life| !life.charges.is_empty()).count();
    found.saw("orders that were charged", charged as u64, seen.share_of_load(3, 50));
    found.needs_all_read(seen);
    found
}

/// Blames those of these orders that were charged twice. A second charge may be given back as long as the run goes on.
pub(super) fn blame(found: &mut Found, seen: &Seen<'_>, kind: &str, is_meant: impl Fn(Order) -> bool) {
    if seen.facts.audited().is_none() {
        return;
    }
    for (order, life) in seen.books.orders().filter(|(order, life)| life.charges.len() > 1 && is_meant(*order)) {
        found.blame(kind, || {
            let name = |charge: crate::profile::orders::facts::Charge| seen.facts.charges.name(charge.0);
            let charges: Vec<_> = life.charges(seen.facts).filter_map(|call| call.effect).map(name).collect();
            let expected = format!("{} is charged once", seen.order(order));
            let text = format!("the gateway charged it {} times: {}", charges.len(), charges.join(", "));
            let mut witnesses = seen.course(order);
            witnesses.extend(calls(life.charges(seen.facts)));
            witnesses.extend(seen.last_row(order));
            (expected, text, witnesses)
        });
    }
}
