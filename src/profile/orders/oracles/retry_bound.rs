//! `orders.retry-bound`: an event is tried three times at most, with a pause before each further time, and what was
//! declined is not tried again.
//!
//! Attempts are those that the gateway saw. A worker that was killed, paused or cut off may have heard nothing, and
//! whoever takes over counts anew: only orders are judged that were through before any of that. Each replay allows as
//! many attempts again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::story::calls;
use super::{Found, Seen};
use crate::history::Moment;
use crate::profile::orders::books::Life;
use crate::profile::orders::facts::{GatewayCall, Instance, Order};

/// How many attempts an event has.
const ATTEMPTS_MAX: usize = 3;

/// The least pause that can be called one.
const PAUSE_MIN: Duration = Duration::from_millis(10);

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let mut bounded = 0;
    for (order, life) in seen.books.orders() {
        let Some(last) = life.attempts(seen.facts).map(|call| call.at).max() else { continue };
        if seen.is_disturbed_before(last) {
            continue;
        }
        let mut by_worker: BTreeMap<Instance, Vec<&GatewayCall>> = BTreeMap::new();
        for call in life.attempts(seen.facts) {
            by_worker.entry(call.from).or_default().push(call);
        }
        for attempts in by_worker.values() {
            bounded += u64::from(attempts.iter().any(|call| call.is_failure() || call.is_decline()));
            tried(&mut found, seen, order, life, attempts);
        }
    }
    found.saw("orders whose charge failed or was declined", bounded, 3);
    found.needs_all_read(seen);
    found
}

/// Blames what one worker tried.
fn tried(found: &mut Found, seen: &Seen<'_>, order: Order, life: &Life, attempts: &[&GatewayCall]) {
    let failed = attempts.iter().filter(|call| call.is_failure()).count();
    let allowed = ATTEMPTS_MAX * (1 + life.replays.len());
    if failed > allowed {
        let text = format!("{failed} attempts failed, and it was tried on and on");
        blame(found, seen, order, life, "endless", &format!("is given up after {allowed} failed attempts"), &text);
    }
    let retried = attempts.windows(2).find(|pair| pair[0].is_decline() && pair[1].received > pair[0].at);
    if retried.is_some() {
        let text = "the gateway declined it, and was asked again";
        blame(found, seen, order, life, "asked-again", "is not charged again once it was declined", text);
    }
    let gap = |pair: &&[&GatewayCall]| pair[1].received.0.checked_sub(pair[0].at.0).map(Duration::from_nanos);
    let at_once = attempts.windows(2).filter(|pair| pair[0].is_failure());
    let at_once = at_once.filter(|pair| gap(pair).is_some_and(|gap| gap < PAUSE_MIN));
    let at_once = at_once.filter(|pair| !is_replayed(seen, life, pair[0].at, pair[1].received)).count();
    if at_once > 0 {
        let text = format!("after {at_once} of {failed} failed attempts the next came at once");
        blame(found, seen, order, life, "hasty", "is tried again only after a pause", &text);
    }
}

/// Whether somebody may have put it back to work in this time: that comes at any moment.
fn is_replayed(seen: &Seen<'_>, life: &Life, from: Moment, to: Moment) -> bool {
    let replays = life.replays.iter().filter_map(|id| seen.facts.attempts.get(id.0 as usize));
    replays.into_iter().any(|it| it.invoked <= to && it.returned.is_none_or(|returned| returned >= from))
}

fn blame(found: &mut Found, seen: &Seen<'_>, order: Order, life: &Life, kind: &str, rule: &str, text: &str) {
    found.blame(kind, || {
        let mut witnesses = seen.course(order);
        witnesses.extend(calls(life.attempts(seen.facts)));
        witnesses.extend(life.letters(seen.facts).filter_map(|letter| seen.letter(letter)));
        (format!("{} {rule}", seen.order(order)), text.to_owned(), witnesses)
    });
}
