//! A second reading of histories, straight from the events: how often each order was charged, how each stands, and how
//! many there are under each key. And ways to spoil a history that these counts have to notice.

use std::collections::{BTreeMap, BTreeSet};

use fireassay::history::{End, Event, History, Outcome, Phase, What};
use proptest::sample::Index;
use serde_json::{Value, json};

pub(crate) const REQUIREMENTS: [&str; 4] =
    ["orders.once-charged", "orders.paid-means-charged", "orders.not-lost", "orders.idempotent-create"];

/// How many ways there are to spoil a history.
pub(crate) const KINDS: usize = 7;

/// Spoils a history at some place.
pub(crate) fn spoil(history: &mut History, kind: usize, place: &Index) {
    let charge = |event: &Event| matches!(&event.what, What::Played(played) if played.effect.is_some());
    let charges: Vec<usize> = (0..history.events.len()).filter(|n| charge(&history.events[*n])).collect();
    if charges.is_empty() {
        return;
    }
    let at = *place.get(&charges);
    let mut copy = history.events[at].clone();
    let What::Played(played) = &mut copy.what else { return };
    match kind {
        // Charged once more, or declined once more.
        0 => {
            played.effect = played.effect.as_ref().map(|id| format!("{id}-more"));
            history.events.insert(at + 1, copy);
        }
        // Asked again, and answered with what had been done.
        1 => {
            played.same_as = played.effect.take();
            history.events.insert(at + 1, copy);
        }
        // Given back.
        2 => {
            played.operation = "refund".into();
            played.fields.insert("charge".into(), played.effect.clone().into());
            played.effect = Some("refund".into());
            history.events.insert(at + 1, copy);
        }
        // Never made.
        3 => drop(history.events.remove(at)),
        // Shown otherwise at the end.
        4 | 5 => {
            let state = if kind == 4 { "FAILED" } else { "PAYMENT_PENDING" };
            let order = played.fields["order"].clone();
            for event in &mut history.events {
                let What::Rows { added, removed, .. } = &mut event.what else { continue };
                let of_order = |row: &&mut Value| row["id"] == order && row["version"] == 3;
                for row in added.iter_mut().chain(removed).filter(of_order) {
                    row["state"] = state.into();
                }
            }
        }
        // Made twice.
        _ => {
            let order = played.fields["order"].clone();
            let find = |event: &Event| match &event.what {
                What::Rows { added, .. } => added.iter().find(|row| row["id"] == order).cloned(),
                _ => None,
            };
            let Some(mut row) = history.events.iter().find_map(find) else { return };
            row["id"] = json!(format!("{}-twin", order.as_str().unwrap()));
            (row["state"], row["version"]) = (json!("FAILED"), json!(3));
            let last = history.events.iter_mut().rev().find_map(|event| match &mut event.what {
                What::Rows { source, added, .. } if source == "orders" => Some(added),
                _ => None,
            });
            last.unwrap().push(row);
        }
    }
}

/// The requirements that are violated.
pub(crate) fn blamed(history: &History) -> BTreeSet<&'static str> {
    let mut blamed = BTreeSet::new();
    let completed = history.events.iter().any(|event| event.what == What::End { why: End::Completed });
    assert!(completed);
    let rows = last_rows(history);
    let cards = cards(history);
    for (order, row) in &rows {
        let declined = cards.get(row["key"].as_str().unwrap()).is_some_and(|card| card.starts_with("4000"));
        let charges = if declined { 0 } else { charges(history, order) };
        let state = row["state"].as_str().unwrap();
        if charges > 1 {
            blamed.insert("orders.once-charged");
        }
        if (state == "PAID" && charges == 0) || (state == "FAILED" && charges > 0) {
            blamed.insert("orders.paid-means-charged");
        }
        if !matches!(state, "PAID" | "FAILED") && is_known_before_settling(history, order) {
            blamed.insert("orders.not-lost");
        }
        if rows.values().filter(|other| other["key"] == row["key"]).count() > 1 {
            blamed.insert("orders.idempotent-create");
        }
    }
    blamed
}

/// Charges of an order that were not given back.
fn charges(history: &History, order: &str) -> usize {
    let played = || {
        history.events.iter().filter_map(|event| match &event.what {
            What::Played(played) => Some(played),
            _ => None,
        })
    };
    let is_refunded =
        |id: &String| played().any(|call| call.operation == "refund" && call.fields["charge"] == id.as_str());
    let made = played().filter(|call| call.operation == "charge" && call.fields["order"] == order);
    made.filter(|call| call.effect.as_ref().is_some_and(|id| !is_refunded(id))).count()
}

fn last_rows(history: &History) -> BTreeMap<String, Value> {
    let mut rows = BTreeMap::new();
    for event in &history.events {
        let What::Rows { source, added, .. } = &event.what else { continue };
        for row in added.iter().filter(|_| source == "orders") {
            rows.insert(row["id"].as_str().unwrap().to_owned(), row.clone());
        }
    }
    rows
}

fn cards(history: &History) -> BTreeMap<&str, &str> {
    let calls = history.events.iter().filter_map(|event| match &event.what {
        What::Invoke { call, .. } if call.operation == "create" => Some(&call.fields),
        _ => None,
    });
    calls.map(|fields| (fields["key"].as_str().unwrap(), fields["card"].as_str().unwrap())).collect()
}

fn is_known_before_settling(history: &History, order: &str) -> bool {
    let settling = |event: &&Event| event.what != What::Phase { phase: Phase::Settle };
    history.events.iter().take_while(settling).any(|event| match &event.what {
        What::Rows { source, added, .. } => source == "orders" && added.iter().any(|row| row["id"] == order),
        What::Return { outcome: Outcome::Ok { reply, .. }, .. } => reply.get("order").is_some_and(|id| id == order),
        _ => false,
    })
}
