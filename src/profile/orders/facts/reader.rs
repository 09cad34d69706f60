//! From the generic events of a history to facts.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde_json::{Map, Value};

use super::rows::Rows;
use super::{
    Answer, Ask, Attempt, Correlation, Create, Delivery, EventId, Facts, FaultSeen, Instance, Intent, Money, Order,
    Poison, ProcessSeen, Reading, Words,
};
use crate::history::{
    AttemptId, Call, Doubt, End, Event, InstanceName, IntentId, Moment, Outcome, Phase, Planted, ProcessChange, Record,
    What,
};
use crate::profile::orders::contract::{CORRELATION_HEADER, LETTERS, ORDERS};
use crate::profile::orders::state::State;

/// Intents beyond this are not ours.
const INTENTS_MAX: u32 = 1 << 22;

/// Cards that begin so are declined.
const DECLINED: &str = "4000";

/// Reads events one after the other.
#[derive(Debug)]
pub struct Reader {
    facts: Facts,
    rows: Rows,
    phase: Phase,
    event: u32,
    /// Whether each place at which the harness put a record has a copy: by partition and offset.
    planted: HashMap<(i32, i64), bool, RandomState>,
    /// Where each unreadable record was, and why it is that.
    unreadable: Vec<(i32, i64, String)>,
}

impl Default for Reader {
    fn default() -> Self {
        let (facts, rows) = (Facts::default(), Rows::default());
        Self { facts, rows, phase: Phase::Setup, event: 0, planted: HashMap::default(), unreadable: Vec::new() }
    }
}

impl Reader {
    /// Takes in the next event.
    pub fn see(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            What::Phase { phase } => {
                self.phase = *phase;
                self.facts.phases[*phase as usize].get_or_insert(at);
            }
            What::Invoke { attempt, intent, to, call, .. } => self.invoke(*attempt, *intent, to, call, at),
            What::Return { attempt, outcome } => self.outcome(*attempt, at, outcome),
            What::Fault { step, change } => {
                self.facts.faults.push(FaultSeen { at, step: *step, change: change.into() });
            }
            What::Process { name, change } => {
                let started = !matches!(change, ProcessChange::Exited { .. });
                self.facts.processes.push(ProcessSeen { at, name: name.as_str().into(), started });
            }
            What::Rows { sent, source, added, removed } => {
                let reading = Reading { event: self.event, sent: *sent, at, phase: self.phase, unreadable: 0 };
                match source.as_str() {
                    ORDERS => self.rows.orders(&mut self.facts, reading, added, removed),
                    LETTERS => self.rows.letters(&mut self.facts, reading, added, removed),
                    _ => {}
                }
            }
            What::Record(record) => self.record(at, record),
            What::Planted(planted) => self.planted(at, planted),
            What::Reproduced { partition, offset, .. } => _ = self.planted.insert((*partition, *offset), true),
            What::Played(played) => {
                let from = self.instance(&played.from);
                self.facts.call(self.event, at, played, from);
            }
            What::Words { place, found } => {
                let found = found.iter().map(|word| word.as_str().into()).collect();
                self.facts.words.push(Words { event: self.event, place: place.as_str().into(), found });
            }
            What::Eventless => self.facts.eventless = true,
            What::EventsRead => self.facts.events_read = self.phase == Phase::Audit,
            What::End { why } => self.facts.broken_off = *why != End::Completed,
            What::Exchange(_) | What::Rested | What::Blind { .. } | What::Unsettled { .. } | What::Note { .. } => {}
        }
        self.event = self.event.saturating_add(1);
    }

    /// What was read. What the harness put on the topic is told apart from what the target did.
    #[must_use]
    pub fn finish(mut self) -> Facts {
        let planted = &self.planted;
        let at = |delivery: &Delivery| planted.get(&(delivery.partition, delivery.offset)).copied();
        let facts = &mut self.facts;
        facts.copies = facts.deliveries.iter().filter(|delivery| at(delivery) == Some(true)).copied().collect();
        facts.deliveries.retain(|delivery| at(delivery).is_none());
        self.unreadable.retain(|(partition, offset, _)| !planted.contains_key(&(*partition, *offset)));
        facts.unreadable_records = self.unreadable.len() as u64;
        facts.unreadable_record = self.unreadable.first().map(|(.., why)| why.clone());
        self.facts
    }

    fn instance(&mut self, name: &InstanceName) -> Instance {
        let known = self.facts.instances.iter().position(|known| known == name);
        let index = known.unwrap_or_else(|| {
            self.facts.instances.push(name.clone());
            self.facts.instances.len() - 1
        });
        Instance(u16::try_from(index).unwrap_or(u16::MAX))
    }

    fn invoke(&mut self, attempt: AttemptId, intent: IntentId, to: &InstanceName, call: &Call, at: Moment) {
        let to = self.instance(to);
        let facts = &mut self.facts;
        // Attempts are dense and in order of invocation; anything else is not a history of ours.
        if intent.0 > INTENTS_MAX || attempt.0 as usize != facts.attempts.len() {
            return;
        }
        let slot = intent.0 as usize;
        if facts.intents.len() <= slot {
            let unsent = Intent { ask: Ask::Unsent, phase: Phase::Setup, attempts: Vec::new() };
            facts.intents.resize(slot + 1, unsent);
        }
        if facts.intents[slot].attempts.is_empty() {
            facts.intents[slot].ask = facts.ask(call);
            facts.intents[slot].phase = self.phase;
        }
        facts.intents[slot].attempts.push(attempt);
        facts.attempts.push(Attempt { intent, to, invoked: at, returned: None, answer: Answer::Lost });
    }

    fn outcome(&mut self, id: AttemptId, at: Moment, outcome: &Outcome) {
        let facts = &mut self.facts;
        let Some(attempt) = facts.attempts.get_mut(id.0 as usize).filter(|attempt| attempt.returned.is_none()) else {
            return;
        };
        attempt.returned = Some(at);
        attempt.answer = match outcome {
            Outcome::Ok { reply, .. } => {
                let state = reply.get("state").and_then(Value::as_str).map(State::of);
                let order = name(reply, "order").map(|order| Order(facts.orders.intern(&order)));
                Answer::Ok { order, shown: state.zip(reply.get("version").and_then(Value::as_i64)) }
            }
            Outcome::Refused { status, .. } => Answer::Refused(*status),
            Outcome::Unknown(Doubt::Status { status, .. }) => Answer::Doubtful(*status),
            Outcome::Unknown(Doubt::Timeout) => Answer::Silent,
            Outcome::Unknown(Doubt::Reset(_) | Doubt::Unreadable(_) | Doubt::Abandoned) => Answer::Lost,
        };
    }

    fn record(&mut self, at: Moment, record: &Record) {
        let facts = &mut self.facts;
        let fields = &record.fields;
        let text = |field| fields.get(field).and_then(Value::as_str);
        let (event, order) = (name(fields, "event"), name(fields, "order"));
        let version = fields.get("version").and_then(Value::as_i64);
        let (Some(event), Some(order), Some(version), Some(state)) = (event, order, version, text("state")) else {
            let why = text("unreadable").unwrap_or("a field is missing or cannot be read").to_owned();
            return self.unreadable.push((record.partition, record.offset, format!("record: {why}")));
        };
        let header = record.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(CORRELATION_HEADER));
        facts.deliveries.push(Delivery {
            event: self.event,
            at,
            partition: record.partition,
            offset: record.offset,
            id: EventId(facts.event_ids.intern(&event)),
            order: Order(facts.orders.intern(&order)),
            version,
            state: State::of(state),
            correlation: header.map(|(_, id)| Correlation(facts.correlations.intern(id))),
        });
    }

    fn planted(&mut self, at: Moment, planted: &Planted) {
        let Planted { partition, offset, ref payload, readable, .. } = *planted;
        self.planted.insert((partition, offset), readable);
        if !readable {
            let payload = Arc::from(payload.as_str());
            self.facts.poison.push(Poison { event: self.event, at, partition, offset, payload });
        }
    }
}

impl Facts {
    fn ask(&mut self, call: &Call) -> Ask {
        let fields = &call.fields;
        let text = |field| fields.get(field).and_then(Value::as_str);
        let order = text("order").map(|order| Order(self.orders.intern(order)));
        match (call.operation.as_str(), order) {
            ("create", _) => {
                let correlation = text("correlation").map(|id| Correlation(self.correlations.intern(id)));
                let declined = text("card").is_some_and(|card| card.starts_with(DECLINED));
                let money = self.money(fields);
                money.map_or(Ask::Other, |money| Ask::Create(Create { money, correlation, declined }))
            }
            ("order", Some(order)) => Ask::Look(order),
            ("replay", Some(order)) => Ask::Replay(order),
            _ => Ask::Other,
        }
    }

    pub(super) fn money(&mut self, fields: &Map<String, Value>) -> Option<Money> {
        let amount = fields.get("amount").and_then(Value::as_i64)?;
        let currency = fields.get("currency").and_then(Value::as_str)?;
        Some(Money { amount, currency: self.currencies.intern(currency) })
    }
}

/// An id that the target may write as text or as a number.
pub(super) fn name<'a>(fields: &'a Map<String, Value>, field: &str) -> Option<Cow<'a, str>> {
    match fields.get(field)? {
        Value::String(text) if !text.is_empty() => Some(Cow::Borrowed(text)),
        Value::Number(number) if !number.is_f64() => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

pub(super) fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
