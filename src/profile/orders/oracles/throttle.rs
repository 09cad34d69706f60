//! `orders.throttle`: whoever was told to wait waits, and to be told so is no failure.
//!
//! The time counts from when the harness had read the request that it turned away: nobody can have heard of it before,
//! so nobody who waits for as long as he was told is back too early.

use super::story::calls;
use super::{Found, Seen};
use crate::history::Moment;
use crate::profile::orders::books::Life;
use crate::profile::orders::facts::{GatewayCall, Order};
use crate::profile::orders::state::State;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let mut waited = 0;
    for (order, life) in seen.books.orders() {
        let attempts: Vec<_> = life.attempts(seen.facts).collect();
        for (number, call) in attempts.iter().enumerate().filter(|(_, call)| call.is_throttled()) {
            let Some(next) = attempts.get(number + 1) else { continue };
            if !is_too_early(call, next) {
                waited += 1;
                continue;
            }
            // Somebody else cannot know of it, nor whoever was started anew since.
            let own = attempts[number + 1..].iter().find(|next| next.from == call.from);
            let own = own.filter(|next| !seen.is_restarted(call.from, call.at, next.received));
            if let Some(next) = own.filter(|next| is_too_early(call, next)) {
                early(&mut found, seen, order, call, next);
            }
        }
        if attempts.iter().any(|call| call.is_throttled()) {
            given_up(&mut found, seen, order, life);
        }
    }
    found.saw("charges that were tried again once they might be", waited, 3);
    found.needs_all_read(seen);
    found
}

fn is_too_early(call: &GatewayCall, next: &GatewayCall) -> bool {
    let wait_ns = call.retry_after.map_or(0, |wait| u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
    next.received < Moment(call.received.0.saturating_add(wait_ns))
}

fn early(found: &mut Found, seen: &Seen<'_>, order: Order, call: &GatewayCall, next: &GatewayCall) {
    found.blame("early", || {
        let wait = humantime::format_duration(call.retry_after.unwrap_or_default());
        let expected = format!("{} is not charged again within {wait} of {}", seen.order(order), call.received);
        let mut witnesses = seen.course(order);
        witnesses.extend(calls([call, next].into_iter()));
        (expected, format!("the next attempt came at {}", next.received), witnesses)
    });
}

/// Blames an order that came to a bad end though nothing but patience was asked for.
fn given_up(found: &mut Found, seen: &Seen<'_>, order: Order, life: &Life) {
    let only_patience = life.attempts(seen.facts).all(|call| !call.is_decline() && !call.is_failure());
    let declined = life.create(seen.facts).is_none_or(|create| create.declined);
    let last = life.last(seen.facts).map(|last| last.state);
    let heard = life.attempts(seen.facts).map(|call| call.at).max().is_some_and(|last| !seen.is_disturbed_before(last));
    let (kind, text) = match last {
        _ if declined || !only_patience || seen.facts.audited().is_none() => return,
        Some(State::Failed) => ("failed", "it is FAILED"),
        Some(_) if life.is_dead(seen.facts) && heard => ("buried", "it was given up as a dead letter"),
        _ => return,
    };
    found.blame(kind, || {
        let expected = format!("{}, for which the gateway only asked for patience, is tried on", seen.order(order));
        let mut witnesses = seen.course(order);
        witnesses.extend(calls(life.attempts(seen.facts)));
        witnesses.extend(life.letters(seen.facts).filter_map(|letter| seen.letter(letter)));
        witnesses.extend(seen.last_row(order));
        (expected, text.to_owned(), witnesses)
    });
}
