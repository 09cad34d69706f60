//! From generic events to [`Facts`], one event at a time.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde_json::{Map, Value};

use super::call::{ask, text};
use super::{
    Account, Answer, Ask, Attempt, Currency, Delivery, EventId, Facts, FaultSeen, Instance, Intent, KEYS, Key, Names,
    ProcessKind, ProcessSeen, Reading, Removal, Row, Transfer, View, Why,
};
use crate::history::{AttemptId, Doubt, Event, InstanceName, Moment, Outcome, Phase, ProcessChange, Record, What};
use crate::oracle::effects::Heard;

/// Ids above this are not of a run of ours: the stored history was tampered with, and they are left out.
const IDS_MAX: u32 = 1 << 24;

/// The only reading of the profile.
const JOURNAL: &str = "journal";

/// The contract's word and status for a transfer that the debited account cannot pay.
const INSUFFICIENT_FUNDS: &str = "insufficient_funds";
const PAYMENT_REQUIRED: u16 = 402;

/// Reads events in their order.
#[derive(Debug)]
pub struct Reader {
    facts: Facts,
    phase: Phase,
    event: u32,
    /// Rows of the newest reading that cannot be read.
    unreadable_rows: u64,
    /// Rows of the newest reading by content; filled when the first row disappears.
    live: Option<HashMap<RowContent, Vec<u32>, RandomState>>,
}

type RowContent = (i64, i64, Transfer, Account, Currency, Option<Key>, Option<Transfer>);

/// The name of a column that is missing, or is not of its type.
type Column = &'static str;

impl Default for Reader {
    fn default() -> Self {
        let facts = Facts { accounts: Names::numbered(super::ACCOUNTS), ..Facts::default() };
        Self { facts, phase: Phase::Setup, event: 0, unreadable_rows: 0, live: None }
    }
}

impl Reader {
    /// Takes in the next event.
    pub fn see(&mut self, event: &Event) {
        match &event.what {
            What::Phase { phase } => {
                self.phase = *phase;
                self.facts.phases[*phase as usize].get_or_insert(event.at);
            }
            What::Invoke { attempt, intent, client, to, call } => {
                let to = self.instance(to);
                let sent = Attempt {
                    intent: *intent,
                    before: None,
                    client: *client,
                    to,
                    invoked: event.at,
                    returned: None,
                    answer: Answer::Unknown(Why::Abandoned),
                };
                self.invoke(*attempt, sent, |facts| (ask(facts, call), key(&call.fields)));
            }
            What::Return { attempt, outcome } => self.outcome(*attempt, event.at, outcome),
            What::Fault { step, change } => {
                self.facts.faults.push(FaultSeen { at: event.at, step: *step, change: change.into() });
            }
            What::Process { name, change } => {
                let change = match change {
                    ProcessChange::Started { .. } | ProcessChange::Ready => ProcessKind::Up,
                    ProcessChange::Exited { status, expected } => {
                        ProcessKind::Exited { status: status.clone(), expected: *expected }
                    }
                };
                let seen = ProcessSeen { event: self.event, at: event.at, name: name.clone(), change };
                self.facts.processes.push(seen);
            }
            What::Rows { sent, source, added, removed } if source == JOURNAL => {
                self.reading(*sent, event.at, added, removed);
            }
            What::Record(record) => self.record(event.at, record),
            What::Eventless => self.facts.eventless = true,
            What::EventsRead => self.facts.events_read = self.phase == Phase::Audit,
            What::Rows { .. }
            | What::Planted(_)
            | What::Played(_)
            | What::Words { .. }
            | What::Exchange(_)
            | What::Reproduced { .. }
            | What::Rested
            | What::Blind { .. }
            | What::Unsettled { .. }
            | What::Note { .. }
            | What::End { .. } => {}
        }
        self.event = self.event.saturating_add(1);
    }

    /// What was read.
    #[must_use]
    pub fn finish(mut self) -> Facts {
        // An attempt that never ended may still have happened.
        for attempt in self.facts.attempts.iter().filter(|attempt| attempt.returned.is_none()) {
            if let Some(intent) = self.facts.intents.get_mut(attempt.intent.0 as usize) {
                intent.heard.unknown = true;
            }
        }
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

    fn invoke(&mut self, id: AttemptId, mut sent: Attempt, read: impl FnOnce(&mut Facts) -> (Ask, Option<Key>)) {
        let facts = &mut self.facts;
        let index = sent.intent.0 as usize;
        // Attempts are dense and in order of invocation; anything else is not a history of ours.
        if sent.intent.0 > IDS_MAX || id.0 as usize != facts.attempts.len() {
            return;
        }
        if facts.intents.len() <= index {
            facts.intents.resize(index + 1, UNSENT);
        }
        if facts.intents[index].last.is_none() {
            let (ask, key) = read(facts);
            facts.intents[index] = Intent { ask, key, phase: self.phase, ..UNSENT };
        }
        let intent = &mut facts.intents[index];
        sent.before = intent.last.replace(id);
        intent.sent += 1;
        facts.attempts.push(sent);
    }

    fn outcome(&mut self, id: AttemptId, at: Moment, outcome: &Outcome) {
        let facts = &mut self.facts;
        let Some(attempt) = facts.attempts.get_mut(id.0 as usize).filter(|attempt| attempt.returned.is_none()) else {
            return;
        };
        let Some(intent) = facts.intents.get_mut(attempt.intent.0 as usize) else { return };
        attempt.returned = Some(at);
        let transfers = &mut facts.transfers;
        let mut named = |reply| name(reply, "transfer").map(|name| Transfer(transfers.intern(&name)));
        attempt.answer = match outcome {
            Outcome::Ok { reply, .. } => {
                intent.heard.ok = true;
                intent.first_ok.get_or_insert(at);
                if let Ask::Balance(account) | Ask::Entries(account) = intent.ask {
                    let balance = reply.get("balance").and_then(Value::as_i64);
                    let entries = reply.get("entries").and_then(summed);
                    facts.views.push(View { attempt: id, account, balance, entries });
                    Answer::Ok { transfer: None }
                } else {
                    Answer::Ok { transfer: named(reply) }
                }
            }
            Outcome::Refused { status, reply, .. } => {
                intent.heard.refused = true;
                Answer::Refused { status: *status, transfer: named(reply), short: is_short(*status, reply) }
            }
            Outcome::Unknown(doubt) => {
                intent.heard.unknown = true;
                Answer::Unknown(match doubt {
                    Doubt::Timeout => Why::Timeout,
                    Doubt::Reset(_) => Why::Reset,
                    Doubt::Status { status, .. } => Why::Status(*status),
                    Doubt::Unreadable(_) => Why::Unreadable,
                    Doubt::Abandoned => Why::Abandoned,
                })
            }
        };
    }

    fn reading(&mut self, sent: Moment, at: Moment, added: &[Value], removed: &[Value]) {
        let number = index(self.facts.readings.len());
        let removed = self.rows(removed, number);
        let were_unreadable = removed.iter().filter(|row| row.is_err()).count() as u64;
        self.unreadable_rows = self.unreadable_rows.saturating_sub(were_unreadable);
        let values = added;
        let added = self.rows(values, number);
        for (value, row) in values.iter().zip(&added) {
            let Err(column) = row else { continue };
            self.unreadable_rows += 1;
            self.facts.unreadable_row.get_or_insert_with(|| lack("row", value.get(column), column));
        }
        let (removed, added) = (removed.into_iter().flatten().collect(), added.into_iter().flatten().collect());
        let (removed, added) = without_unchanged(removed, added);
        let first_removal = index(self.facts.removals.len());
        for row in &removed {
            self.remove(row);
        }
        let first_row = index(self.facts.rows.len());
        for row in added {
            self.add(row);
        }
        let reading = Reading {
            event: self.event,
            sent,
            at,
            phase: self.phase,
            added: first_row..index(self.facts.rows.len()),
            removed: first_removal..index(self.facts.removals.len()),
            unreadable: self.unreadable_rows,
        };
        self.facts.readings.push(reading);
    }

    fn rows(&mut self, values: &[Value], reading: u32) -> Vec<Result<Row, Column>> {
        (0..).zip(values).map(|(place, value)| self.row(value, reading, place)).collect()
    }

    fn row(&mut self, value: &Value, reading: u32, place: u32) -> Result<Row, Column> {
        let none = Map::new();
        let fields = value.as_object().unwrap_or(&none);
        let facts = &mut self.facts;
        let whole = |column| fields.get(column).and_then(Value::as_i64).ok_or(column);
        let named = |column| name(fields, column).ok_or(column);
        Ok(Row {
            sequence: whole("sequence")?,
            amount: whole("amount")?,
            transfer: Transfer(facts.transfers.intern(&named("transfer")?)),
            account: Account(facts.accounts.intern(&named("account")?)),
            currency: Currency(facts.currencies.intern(text(fields, "currency").ok_or("currency")?)),
            key: key(fields),
            reverses: name(fields, "reverses").map(|name| Transfer(facts.transfers.intern(&name))),
            reading,
            place,
            gone: None,
        })
    }

    fn add(&mut self, row: Row) {
        if let Some(live) = &mut self.live {
            live.entry(row.content()).or_default().push(index(self.facts.rows.len()));
        }
        self.facts.rows.push(row);
    }

    fn remove(&mut self, row: &Row) {
        let rows = &mut self.facts.rows;
        let live = self.live.get_or_insert_with(|| {
            let mut live = HashMap::<_, Vec<u32>, _>::default();
            for (number, row) in (0..).zip(rows.iter()) {
                live.entry(row.content()).or_default().push(number);
            }
            live
        });
        if let Some(number) = live.get_mut(&row.content()).and_then(Vec::pop) {
            rows[number as usize].gone = Some(row.reading);
            self.facts.removals.push(Removal { row: number, place: row.place });
        }
    }

    fn record(&mut self, at: Moment, record: &Record) {
        let facts = &mut self.facts;
        let named = |field| name(&record.fields, field).ok_or(field);
        let (id, transfer) = match (named("event"), named("transfer")) {
            (Ok(id), Ok(transfer)) => (id, transfer),
            (Err(field), _) | (_, Err(field)) => {
                facts.unreadable_records += 1;
                facts.unreadable_record.get_or_insert_with(|| match record.fields.get("unreadable") {
                    Some(Value::String(why)) => format!("record: {why}"),
                    _ => lack("record", record.fields.get(field), field),
                });
                return;
            }
        };
        facts.deliveries.push(Delivery {
            event: self.event,
            at,
            partition: record.partition,
            offset: record.offset,
            id: EventId(facts.event_ids.intern(&id)),
            transfer: Transfer(facts.transfers.intern(&transfer)),
        });
    }
}

const UNSENT: Intent = Intent {
    ask: Ask::Unsent,
    key: None,
    phase: Phase::Setup,
    last: None,
    sent: 0,
    heard: Heard { ok: false, refused: false, unknown: false },
    first_ok: None,
};

/// Why something cannot be read, for people.
fn lack(what: &str, value: Option<&Value>, column: &str) -> String {
    match value {
        None => format!("{what} without `{column}`"),
        Some(_) => format!("{what} whose `{column}` cannot be read"),
    }
}

/// Takes out what is both removed and added: the reader compares whole rows, and a column that is none of the ledger's
/// has changed.
fn without_unchanged(removed: Vec<Row>, mut added: Vec<Row>) -> (Vec<Row>, Vec<Row>) {
    if removed.is_empty() || added.is_empty() {
        return (removed, added);
    }
    let mut again: HashMap<RowContent, u32, RandomState> = HashMap::default();
    for row in &added {
        *again.entry(row.content()).or_default() += 1;
    }
    let mut unchanged: HashMap<RowContent, u32, RandomState> = HashMap::default();
    let is_gone = |row: &Row| {
        let Some(left) = again.get_mut(&row.content()).filter(|left| **left > 0) else { return true };
        *left -= 1;
        *unchanged.entry(row.content()).or_default() += 1;
        false
    };
    let removed = removed.into_iter().filter(is_gone).collect();
    added.retain(|row| {
        let Some(left) = unchanged.get_mut(&row.content()).filter(|left| **left > 0) else { return true };
        *left -= 1;
        false
    });
    (removed, added)
}

/// Whether a refusal is one for lack of funds: by its own word, or by its status if it has none.
fn is_short(status: Option<u16>, reply: &Map<String, Value>) -> bool {
    match reply.get("error") {
        Some(word) => word == INSUFFICIENT_FUNDS,
        None => status == Some(PAYMENT_REQUIRED),
    }
}

/// An id that the target may write as text or as a number.
fn name<'a>(fields: &'a Map<String, Value>, field: &str) -> Option<Cow<'a, str>> {
    match fields.get(field)? {
        Value::String(text) if !text.is_empty() => Some(Cow::Borrowed(text)),
        Value::Number(number) if !number.is_f64() => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

fn key(fields: &Map<String, Value>) -> Option<Key> {
    KEYS.number(text(fields, "key")?).filter(|number| *number <= IDS_MAX).map(Key)
}

/// Number and sum of an account's entries; `None` if one of them cannot be read.
fn summed(entries: &Value) -> Option<(u32, i128)> {
    entries.as_array()?.iter().try_fold((0, 0), |(count, sum), entry| {
        let amount = entry.get("amount")?.as_i64()?;
        Some((count + 1, sum + i128::from(amount)))
    })
}

fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
