//! `orders.correlated`: the caller's correlation id is in every event of the order, in every charge, and in what the API
//! and the workers print.
//!
//! What an instance had to print when it was killed may be lost; so logs are only held against roles none of whose
//! instances ended.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::story::{calls, deliveries};
use super::{Found, Seen};
use crate::history::Phase;
use crate::judgement::Witness;
use crate::profile::orders::books::Life;
use crate::profile::orders::facts::{Correlation, Order};
use crate::profile::orders::{API, WORKER};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let logs = logs(seen);
    let (mut told, mut charged, mut logged) = (0, 0, 0);
    for (order, life) in seen.books.orders() {
        let Some(id) = life.create(seen.facts).and_then(|create| create.correlation) else { continue };
        told += events(&mut found, seen, order, life, id);
        charged += charges(&mut found, seen, order, life, id);
        logged += lines(&mut found, seen, order, id, &logs);
    }
    found.saw("events with their caller's correlation id", told, seen.share_of_load(2, 100));
    found.saw("charges with their caller's correlation id", charged, seen.share_of_load(4, 50));
    found.saw("correlation ids found in what the API and the workers print", logged, seen.share_of_load(10, 5));
    found
}

/// What was found in all logs of each role, if nothing of them can be missing.
fn logs(seen: &Seen<'_>) -> BTreeMap<&'static str, HashSet<Arc<str>>> {
    let mut logs: BTreeMap<_, HashSet<_>> = BTreeMap::new();
    let audit = seen.facts.began(Phase::Audit);
    for role in [API, WORKER] {
        let is_of_role = |name: &str| name.rsplit_once('-').is_some_and(|(of, _)| of == role);
        let mut ends = seen.facts.processes.iter().filter(|it| !it.started && audit.is_none_or(|audit| it.at < audit));
        if ends.any(|it| is_of_role(&it.name)) {
            continue;
        }
        for words in &seen.facts.words {
            if words.place.strip_prefix("log of ").is_some_and(is_of_role) {
                logs.entry(role).or_default().extend(words.found.iter().cloned());
            }
        }
    }
    logs
}

fn events(found: &mut Found, seen: &Seen<'_>, order: Order, life: &Life, id: Correlation) -> u64 {
    let right = life.deliveries(seen.facts).filter(|told| told.correlation == Some(id)).count();
    let wrong = || life.deliveries(seen.facts).filter(|told| told.correlation != Some(id));
    if let Some(first) = wrong().next() {
        let text = format!("the event of version {} carries {}", first.version, name(seen, first.correlation));
        blame(found, seen, order, id, "event", text, deliveries(wrong()).collect());
    }
    right as u64
}

fn charges(found: &mut Found, seen: &Seen<'_>, order: Order, life: &Life, id: Correlation) -> u64 {
    let right = life.attempts(seen.facts).filter(|call| call.correlation == Some(id)).count();
    let wrong = || life.attempts(seen.facts).filter(|call| call.correlation != Some(id));
    if let Some(first) = wrong().next() {
        let text = format!("a charge at {} carries {}", first.received, name(seen, first.correlation));
        blame(found, seen, order, id, "charge", text, calls(wrong()).collect());
    }
    right as u64
}

/// Holds the logs against an order that was worked on, if its id was looked for.
fn lines(
    found: &mut Found,
    seen: &Seen<'_>,
    order: Order,
    id: Correlation,
    logs: &BTreeMap<&'static str, HashSet<Arc<str>>>,
) -> u64 {
    let word = seen.facts.correlations.name(id.0);
    let life = seen.books.life(order);
    let worked_on = life.last(seen.facts).is_some_and(|last| last.state.is_terminal()) && life.acknowledged.is_some();
    if !worked_on || !seen.script.watch.iter().any(|watched| watched == word) {
        return 0;
    }
    let silent: Vec<_> = logs.iter().filter(|(_, words)| !words.contains(word)).map(|(role, _)| *role).collect();
    if silent.is_empty() {
        return u64::from(logs.len() == 2);
    }
    let role = silent.join(" or ");
    let places = seen.facts.words.iter().filter(|words| words.place.starts_with("log of "));
    let witnesses = places.map(|words| Witness::Event(words.event)).take(4).collect();
    blame(found, seen, order, id, "log", format!("no instance of {role} ever printed it"), witnesses);
    0
}

fn name(seen: &Seen<'_>, correlation: Option<Correlation>) -> String {
    correlation.map_or_else(|| "none".to_owned(), |id| format!("`{}`", seen.facts.correlations.name(id.0)))
}

fn blame(
    found: &mut Found,
    seen: &Seen<'_>,
    order: Order,
    id: Correlation,
    kind: &str,
    text: String,
    more: Vec<Witness>,
) {
    found.blame(kind, || {
        let word = seen.facts.correlations.name(id.0);
        let expected = format!("all that is done about {} carries its caller's id `{word}`", seen.order(order));
        let mut witnesses = seen.course(order);
        witnesses.extend(more);
        (expected, text, witnesses)
    });
}
