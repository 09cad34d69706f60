//! What the readings show: orders and dead letters, as differences from one reading to the next.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde_json::{Map, Value};

use super::reader::{index, name};
use super::{EventId, Facts, KEYS, Money, Order};
use crate::history::{IntentId, Moment, Phase};
use crate::profile::orders::state::State;

/// A reading of all orders, or of all dead letters.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Index of the event in the history.
    pub event: u32,
    /// When it was asked for.
    pub sent: Moment,
    /// When it had come.
    pub at: Moment,
    /// In which phase.
    pub phase: Phase,
    /// How many of the rows that were there then could not be read.
    pub unreadable: u64,
}

impl Reading {
    /// Whether it says all that there was at the end.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.phase == Phase::Audit && self.unreadable == 0
    }
}

/// How an order was seen, from one reading on and until it is seen otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// The order.
    pub order: Order,
    /// Which reading, by index.
    pub reading: u32,
    /// Which of the rows that the reading added, or, if it is gone, of those that it removed.
    pub place: u32,
    /// Where it stands.
    pub state: State,
    /// Its version.
    pub version: i64,
    /// What is to be paid.
    pub money: Option<Money>,
    /// The intent that its key was made for, if it shows the key.
    pub intent: Option<IntentId>,
    /// Whether this reading no longer has it.
    pub gone: bool,
}

/// A dead letter, as it was last seen.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The last reading that said something of it, by index.
    pub reading: u32,
    /// Which of the rows that the reading added, or, if it is gone, of those that it removed.
    pub place: u32,
    /// When it had first been read.
    pub first_read: Moment,
    /// The event that it holds, if it says which.
    pub event: Option<EventId>,
    /// The order that it is about, if it says which.
    pub order: Option<Order>,
    /// Why it is here.
    pub reason: Option<Arc<str>>,
    /// The record's value.
    pub payload: Option<Arc<str>>,
    /// Whether it was put back to work.
    pub replayed: bool,
    /// Whether the last reading no longer has it.
    pub gone: bool,
}

/// Reads rows into facts.
#[derive(Debug, Default)]
pub(super) struct Rows {
    letters: HashMap<String, u32, RandomState>,
    unreadable_orders: u64,
    unreadable_letters: u64,
}

/// The name of a column that is missing, or is not of its type.
type Column = &'static str;

impl Rows {
    /// Takes in a reading of the orders.
    pub(super) fn orders(&mut self, facts: &mut Facts, mut reading: Reading, added: &[Value], removed: &[Value]) {
        let number = index(facts.readings.len());
        let first = facts.sightings.len();
        for (place, row) in (0..).zip(added) {
            match order(facts, row, number, place) {
                Ok(sighting) => facts.sightings.push(sighting),
                Err(column) => self.unreadable_orders += unreadable(facts, row, column),
            }
        }
        let end = facts.sightings.len();
        for (place, row) in (0..).zip(removed) {
            let Ok(sighting) = order(facts, row, number, place) else {
                self.unreadable_orders = self.unreadable_orders.saturating_sub(1);
                continue;
            };
            if !facts.sightings[first..end].iter().any(|added| added.order == sighting.order) {
                facts.sightings.push(Sighting { gone: true, ..sighting });
            }
        }
        reading.unreadable = self.unreadable_orders;
        facts.readings.push(reading);
    }

    /// Takes in a reading of the dead letters.
    pub(super) fn letters(&mut self, facts: &mut Facts, mut reading: Reading, added: &[Value], removed: &[Value]) {
        let number = index(facts.letter_readings.len());
        for (place, row) in (0..).zip(removed) {
            let Some(id) = row.as_object().and_then(|fields| name(fields, "id")) else {
                self.unreadable_letters = self.unreadable_letters.saturating_sub(1);
                continue;
            };
            if let Some(letter) = self.letters.get(id.as_ref()).and_then(|it| facts.letters.get_mut(*it as usize)) {
                (letter.reading, letter.place, letter.gone) = (number, place, true);
            }
        }
        for (place, row) in (0..).zip(added) {
            let none = Map::new();
            let fields = row.as_object().unwrap_or(&none);
            let Some(id) = name(fields, "id") else {
                self.unreadable_letters += unreadable(facts, row, "id");
                continue;
            };
            let slot = *self.letters.entry(id.into_owned()).or_insert(index(facts.letters.len())) as usize;
            let first_read = facts.letters.get(slot).map_or(reading.at, |known| known.first_read);
            let letter = letter(facts, fields, Letter { first_read, ..blank(number, place) });
            match facts.letters.get_mut(slot) {
                Some(known) => *known = letter,
                None => facts.letters.push(letter),
            }
        }
        reading.unreadable = self.unreadable_letters;
        facts.letter_readings.push(reading);
    }
}

fn order(facts: &mut Facts, row: &Value, reading: u32, place: u32) -> Result<Sighting, Column> {
    let none = Map::new();
    let fields = row.as_object().unwrap_or(&none);
    let id = name(fields, "id").ok_or("id")?;
    let state = fields.get("state").and_then(Value::as_str).ok_or("state")?;
    let version = fields.get("version").and_then(Value::as_i64).ok_or("version")?;
    Ok(Sighting {
        order: Order(facts.orders.intern(&id)),
        reading,
        place,
        state: State::of(state),
        version,
        money: facts.money(fields),
        intent: fields.get("key").and_then(Value::as_str).and_then(|key| KEYS.number(key)).map(IntentId),
        gone: false,
    })
}

fn letter(facts: &mut Facts, fields: &Map<String, Value>, blank: Letter) -> Letter {
    let text = |field| match fields.get(field)? {
        Value::String(text) if !text.is_empty() => Some(Arc::from(text.as_str())),
        // A payload that is stored as JSON.
        value @ (Value::Object(_) | Value::Array(_)) => Some(Arc::from(value.to_string())),
        _ => None,
    };
    Letter {
        event: name(fields, "event").map(|event| EventId(facts.event_ids.intern(&event))),
        order: name(fields, "order").map(|order| Order(facts.orders.intern(&order))),
        reason: text("reason"),
        payload: text("payload"),
        replayed: fields.get("replayed").and_then(Value::as_bool).unwrap_or_default(),
        ..blank
    }
}

fn blank(reading: u32, place: u32) -> Letter {
    let (event, order, reason, payload) = (None, None, None, None);
    Letter { reading, place, first_read: Moment(0), event, order, reason, payload, replayed: false, gone: false }
}

/// Counts a row that cannot be read, and says why if it is the first.
fn unreadable(facts: &mut Facts, row: &Value, column: Column) -> u64 {
    facts.unreadable_row.get_or_insert_with(|| match row.get(column) {
        None => format!("row without `{column}`"),
        Some(_) => format!("row whose `{column}` cannot be read"),
    });
    1
}
