//! From the generic events of a history to facts.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::rows::{self, Source};
use super::{Answer, Attempt, Delivery, Entity, Facts, FaultSeen, Intent, Place, Reading, Sequence};
use crate::history::{
    AttemptId, Call, End, Event, InstanceName, IntentId, Moment, Outcome, Phase, ProcessChange, Record, What,
};
use crate::profile::ordering::CONSUMER;
use crate::profile::ordering::contract::{ENTITIES, GAPS, LOG, PUBLISH};

/// Intents beyond this are not ours.
const INTENTS_MAX: u32 = 1 << 22;

/// Reads events one after the other.
#[derive(Debug)]
pub struct Reader {
    facts: Facts,
    phase: Phase,
    event: u32,
    /// Where faults put records, by topic.
    planted: HashSet<(String, Place)>,
    /// The topic of each record that was copied.
    copied: Vec<String>,
    /// The topic that the target tells in, once something came from there.
    told_in: Option<String>,
    /// Where each unreadable record was, and why it is that.
    unreadable: Vec<(Place, String)>,
}

impl Default for Reader {
    fn default() -> Self {
        let (planted, copied, unreadable) = (HashSet::new(), Vec::new(), Vec::new());
        Self { facts: Facts::default(), phase: Phase::Setup, event: 0, planted, copied, told_in: None, unreadable }
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
            What::Invoke { attempt, intent, call, .. } => self.invoke(*attempt, *intent, call, at),
            What::Return { attempt, outcome } => self.outcome(*attempt, at, outcome),
            What::Fault { step, change } => {
                self.facts.faults.push(FaultSeen { at, step: *step, change: change.into() });
            }
            What::Process { name, change: ProcessChange::Exited { .. } } if is_consumer(name) => {
                self.facts.ends.push((at, name.as_str().into()));
            }
            What::Rows { source, added, removed, .. } => {
                let source = match source.as_str() {
                    LOG => Some(Source::Log),
                    ENTITIES => Some(Source::Entities),
                    GAPS => Some(Source::Gaps),
                    _ => None,
                };
                if let Some(source) = source {
                    let reading = Reading { event: self.event, at, phase: self.phase, unreadable: 0 };
                    rows::read(&mut self.facts, source, reading, added, removed);
                }
            }
            What::Record(record) => self.record(at, record),
            What::Planted(planted) => {
                let place = Place { partition: planted.partition, offset: planted.offset };
                self.planted.insert((planted.topic.clone(), place));
                let foreign = planted.key.iter().map(|key| Entity(self.facts.entities.intern(key)));
                self.facts.foreign.extend(foreign);
            }
            What::Reproduced { topic, partition, offset, .. } => {
                let place = Place { partition: *partition, offset: *offset };
                self.planted.insert((topic.clone(), place));
                self.copied.push(topic.clone());
            }
            What::Eventless => self.facts.eventless = true,
            What::EventsRead => self.facts.events_read = self.phase == Phase::Audit,
            What::End { why } => self.facts.broken_off = *why != End::Completed,
            What::Process { .. }
            | What::Played(_)
            | What::Words { .. }
            | What::Exchange(_)
            | What::Rested
            | What::Blind { .. }
            | What::Unsettled { .. }
            | What::Note { .. } => {}
        }
        self.event = self.event.saturating_add(1);
    }

    /// What was read. What the harness put on the target's own topic is told apart from what the target did.
    #[must_use]
    pub fn finish(mut self) -> Facts {
        let told_in = self.told_in.unwrap_or_default();
        let ours: HashSet<Place> =
            self.planted.into_iter().filter(|(topic, _)| *topic == told_in).map(|(_, place)| place).collect();
        self.unreadable.retain(|(place, _)| !ours.contains(place));
        let facts = &mut self.facts;
        facts.copies = self.copied.iter().filter(|topic| **topic != told_in).count() as u64;
        facts.deliveries.retain(|delivery| !ours.contains(&delivery.place));
        facts.unreadable_records = self.unreadable.len() as u64;
        facts.unreadable_record = self.unreadable.first().map(|(_, why)| why.clone());
        facts.log.sort_by_key(|applied| applied.position);
        self.facts
    }

    fn invoke(&mut self, attempt: AttemptId, intent: IntentId, call: &Call, at: Moment) {
        let facts = &mut self.facts;
        // Attempts are dense and in order of invocation; anything else is not a history of ours.
        if intent.0 > INTENTS_MAX || attempt.0 as usize != facts.attempts.len() {
            return;
        }
        let slot = intent.0 as usize;
        if facts.intents.len() <= slot {
            facts.intents.resize(slot + 1, None);
        }
        if facts.intents[slot].is_none() {
            facts.intents[slot] = asked(facts, call, self.phase);
        }
        if let Some(known) = &mut facts.intents[slot] {
            known.attempts.push(attempt);
        }
        facts.attempts.push(Attempt { intent, invoked: at, returned: None, answer: Answer::Doubtful });
    }

    fn outcome(&mut self, id: AttemptId, at: Moment, outcome: &Outcome) {
        let attempts = &mut self.facts.attempts;
        let Some(attempt) = attempts.get_mut(id.0 as usize).filter(|attempt| attempt.returned.is_none()) else {
            return;
        };
        attempt.returned = Some(at);
        attempt.answer = match outcome {
            Outcome::Ok { reply, .. } => {
                let number = |name| reply.get(name).and_then(Value::as_i64);
                let partition = number("partition").and_then(|partition| i32::try_from(partition).ok());
                let place = partition.zip(number("offset"));
                Answer::Published(place.map(|(partition, offset)| Place { partition, offset }))
            }
            Outcome::Refused { .. } => Answer::Not,
            Outcome::Unknown(_) => Answer::Doubtful,
        };
    }

    fn record(&mut self, at: Moment, record: &Record) {
        let facts = &mut self.facts;
        let place = Place { partition: record.partition, offset: record.offset };
        self.told_in.get_or_insert_with(|| record.topic.clone());
        let text = |field| record.fields.get(field).and_then(Value::as_str);
        let sequence = record.fields.get("sequence").and_then(Value::as_i64);
        let (Some(key), Some(entity), Some(sequence)) = (text("event"), text("entity"), sequence) else {
            let why = text("unreadable").unwrap_or("a field is missing or cannot be read");
            return self.unreadable.push((place, format!("record: {why}")));
        };
        facts.deliveries.push(Delivery {
            event: self.event,
            at,
            place,
            key: Arc::from(key),
            entity: Entity(facts.entities.intern(entity)),
            sequence: Sequence(sequence),
        });
    }
}

fn asked(facts: &mut Facts, call: &Call, phase: Phase) -> Option<Intent> {
    let fields: &Map<String, Value> = &call.fields;
    let text = |field| fields.get(field).and_then(Value::as_str);
    let number = |field| fields.get(field).and_then(Value::as_i64);
    if call.operation != PUBLISH {
        return None;
    }
    Some(Intent {
        entity: Entity(facts.entities.intern(text("entity")?)),
        sequence: Sequence(number("sequence")?),
        amount: number("amount")?,
        at: Arc::from(text("at")?),
        phase,
        attempts: Vec::new(),
    })
}

fn is_consumer(name: &str) -> bool {
    InstanceName::try_from(name.to_owned()).is_ok_and(|name| name.role == CONSUMER)
}
