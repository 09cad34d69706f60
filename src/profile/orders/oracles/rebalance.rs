//! `orders.rebalance`: whatever happens to workers, no order is charged twice and none is lost.

use super::windows::moves_work;
use super::{Found, Seen, not_lost, once_charged};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let windows = seen.windows(moves_work);
    let bitten = windows.iter().filter(|window| window.bit);
    let first = bitten.clone().map(|window| window.from).min();
    if first.is_some() {
        once_charged::blame(&mut found, seen, "double", |_| true);
        not_lost::blame(&mut found, seen, |_| true);
    }
    let charged = seen.books.lives.iter().flat_map(|life| life.charges(seen.facts));
    let after = charged.filter(|call| first.is_some_and(|first| call.received > first)).count();
    found.saw("times that a worker was disturbed", bitten.count() as u64, 1);
    found.saw("orders charged after a worker had been disturbed", after as u64, seen.share_of_load(10, 10));
    found.needs_all_read(seen);
    found
}
