//! The requirements in their plainest form, straight over the generic events, without any thought of speed; and small
//! changes to a history that make it wrong in ways that nobody planned.

use std::collections::{BTreeMap, BTreeSet};

use fireassay::history::{Event, History, Moment, Outcome, Phase, Record, What};
use fireassay::profile::Script;
use proptest::sample::Index;
use serde_json::{Value, json};

/// The requirements that are written out here.
pub(crate) const REQUIREMENTS: [&str; 11] = [
    "ledger.once",
    "ledger.acked",
    "ledger.refused",
    "ledger.atomic",
    "ledger.conserved",
    "ledger.overdraft",
    "ledger.same-answer",
    "ledger.append-only",
    "ledger.reverse-once",
    "ledger.event",
    "ledger.event-order",
];

/// The number of ways to spoil a history.
pub(crate) const KINDS: u8 = 12;

/// Changes one thing in a history.
pub(crate) fn spoil(history: &mut History, kind: u8, place: &Index) {
    let events = &mut history.events;
    let row = |event: &Event| matches!(&event.what, What::Rows { added, .. } if !added.is_empty());
    let answer = |event: &Event| matches!(&event.what, What::Return { outcome: Outcome::Ok { reply, .. }, .. } if reply.contains_key("transfer"));
    let record = |event: &Event| matches!(&event.what, What::Record(_));
    let of = |events: &[Event], fits: &dyn Fn(&Event) -> bool| -> Option<usize> {
        let fitting: Vec<_> = (0..events.len()).filter(|n| fits(&events[*n])).collect();
        (!fitting.is_empty()).then(|| fitting[place.index(fitting.len())])
    };
    match kind {
        // A row is not there, is there changed, or its transfer is there twice.
        0..=2 => {
            let Some(at) = of(events, &row) else { return };
            let What::Rows { added, .. } = &mut events[at].what else { return };
            let number = place.index(added.len());
            match kind {
                0 => _ = added.remove(number),
                1 => added[number]["amount"] = json!(added[number]["amount"].as_i64().unwrap() + 7),
                _ => {
                    let twin = added[number]["transfer"].clone();
                    let rows: Vec<_> = added.iter().filter(|row| row["transfer"] == twin).cloned().collect();
                    for (leg, mut row) in rows.into_iter().enumerate() {
                        row["transfer"] = json!(format!("twin of {}", twin));
                        row["sequence"] = json!(1_000_000 + leg);
                        added.push(row);
                    }
                }
            }
        }
        // A whole transfer is not there, is there with another amount, or is there one reading later.
        9..=11 => {
            let Some(at) = of(events, &row) else { return };
            let next = (at + 1..events.len()).find(|n| matches!(events[*n].what, What::Rows { .. }));
            let What::Rows { added, .. } = &mut events[at].what else { return };
            let id = added[place.index(added.len())]["transfer"].clone();
            let (mut of_it, others): (Vec<_>, Vec<_>) = added.drain(..).partition(|row| row["transfer"] == id);
            *added = others;
            for row in of_it.iter_mut().filter(|_| kind == 10) {
                let amount = row["amount"].as_i64().unwrap();
                row["amount"] = json!(amount + 7 * amount.signum());
            }
            match (kind, next.map(|next| &mut events[next].what)) {
                (11, Some(What::Rows { added, .. })) => added.append(&mut of_it),
                (9, _) => {}
                _ => {
                    let What::Rows { added, .. } = &mut events[at].what else { return };
                    added.append(&mut of_it);
                }
            }
        }
        // A row disappears from the last reading.
        3 => {
            let rows: Vec<Value> = readings(history).last().map(|reading| reading.rows.clone()).unwrap_or_default();
            if rows.is_empty() {
                return;
            }
            let gone = rows[place.index(rows.len())].clone();
            let last = history.events.iter_mut().rev().find_map(|event| match &mut event.what {
                What::Rows { removed, added, .. } if added.is_empty() => Some(removed),
                _ => None,
            });
            last.into_iter().for_each(|removed| removed.push(gone.clone()));
        }
        // An acknowledgement was a refusal, or named another transfer.
        4 | 5 => {
            let Some(at) = of(events, &answer) else { return };
            let What::Return { outcome, .. } = &mut events[at].what else { return };
            let Outcome::Ok { reply, .. } = outcome else { return };
            if kind == 4 {
                *outcome = Outcome::Refused { status: Some(402), why: "spoilt".into(), reply: reply.clone() };
            } else {
                reply.insert("transfer".into(), json!("elsewhere"));
            }
        }
        // An event is lost, has another id, or comes in another partition.
        _ => {
            let Some(at) = of(events, &record) else { return };
            let What::Record(record) = &mut events[at].what else { return };
            match kind {
                6 => _ = events.remove(at),
                7 => _ = record.fields.insert("event".into(), json!("spoilt")),
                _ => record.partition = (record.partition + 1) % 4,
            }
        }
    }
}

struct Reading {
    sent: Moment,
    at: Moment,
    rows: Vec<Value>,
}

fn readings(history: &History) -> Vec<Reading> {
    let mut rows: Vec<Value> = Vec::new();
    let mut readings = Vec::new();
    for event in &history.events {
        if let What::Rows { sent, added, removed, .. } = &event.what {
            for gone in removed {
                if let Some(at) = rows.iter().rposition(|row| row == gone) {
                    rows.remove(at);
                }
            }
            rows.extend(added.iter().cloned());
            readings.push(Reading { sent: *sent, at: event.at, rows: rows.clone() });
        }
    }
    readings
}

struct Intent<'a> {
    key: &'a str,
    call: Value,
    phase: Phase,
    sent: Moment,
    answers: Vec<(Moment, &'a Outcome)>,
}

impl Intent<'_> {
    fn acknowledged(&self) -> Option<Moment> {
        self.answers.iter().filter(|(_, o)| matches!(o, Outcome::Ok { .. })).map(|(at, _)| *at).min()
    }
}

/// Every transfer and reversal that was sent. All attempts of these histories return.
fn intents<'a>(script: &'a Script, history: &'a History) -> Vec<Intent<'a>> {
    let mut of_attempt = BTreeMap::new();
    let mut intents: BTreeMap<u32, Intent<'a>> = BTreeMap::new();
    let mut phase = Phase::Setup;
    for event in &history.events {
        match &event.what {
            What::Phase { phase: next } => phase = *next,
            What::Invoke { attempt, intent, call, .. } => {
                of_attempt.insert(attempt.0, intent.0);
                if let Some(key) = script.intents[intent.0 as usize].call.fields.get("key") {
                    let call = Value::Object(call.fields.clone());
                    let key = key.as_str().unwrap();
                    let new = Intent { key, call, phase, sent: event.at, answers: Vec::new() };
                    intents.entry(intent.0).or_insert(new);
                }
            }
            What::Return { attempt, outcome } => {
                if let Some(intent) = intents.get_mut(&of_attempt[&attempt.0]) {
                    intent.answers.push((event.at, outcome));
                }
            }
            _ => {}
        }
    }
    intents.into_values().collect()
}

/// From, to and amount, if it has two legs that cancel out.
fn body(rows: &[Value], transfer: &Value) -> Option<(String, String, i64)> {
    let legs: Vec<_> = rows.iter().filter(|row| row["transfer"] == *transfer).collect();
    let amount = |row: &Value| row["amount"].as_i64().unwrap();
    let debit = legs.iter().find(|row| amount(row) < 0)?;
    let credit = legs.iter().find(|row| amount(row) > 0)?;
    let account = |row: &Value| row["account"].as_str().unwrap().to_owned();
    (legs.len() == 2 && amount(debit) == -amount(credit)).then(|| (account(debit), account(credit), amount(credit)))
}

fn transfers(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().map(|row| row["transfer"].as_str().unwrap().to_owned()).collect()
}

/// The requirements that a history violates.
pub(crate) fn blamed(script: &Script, history: &History) -> BTreeSet<&'static str> {
    let readings = readings(history);
    let last = &readings.last().unwrap().rows;
    let intents = intents(script, history);
    let mut blamed = BTreeSet::new();
    let mut blame = |requirement: &'static str, wrong: bool| _ = wrong.then(|| blamed.insert(requirement));
    for intent in &intents {
        let of_key: Vec<_> = last.iter().filter(|row| row["key"] == intent.key).cloned().collect();
        let effects = transfers(&of_key);
        blame("ledger.once", effects.len() >= 2);
        let refused = intent.answers.iter().all(|(_, outcome)| matches!(outcome, Outcome::Refused { .. }));
        blame("ledger.refused", refused && !effects.is_empty());
        if let Some(heard) = intent.acknowledged() {
            blame("ledger.acked", effects.is_empty());
            if let (1, Some(id)) = (effects.len(), effects.first()) {
                let posted = body(last, &json!(id));
                let asked = match intent.call.get("amount") {
                    Some(amount) => {
                        let name = |field: &str| intent.call[field].as_str().unwrap().to_owned();
                        Some((name("from"), name("to"), amount.as_i64().unwrap()))
                    }
                    None => body(last, &intent.call["transfer"]).map(|(from, to, amount)| (to, from, amount)),
                };
                let altered = asked.is_some() && posted.is_some() && asked != posted;
                let has = |reading: &Reading| reading.rows.iter().any(|row| row["transfer"] == **id);
                let first = readings.iter().position(has).unwrap();
                blame("ledger.acked", altered || readings[..first].iter().any(|reading| reading.sent > heard));
            }
        }
        let definite = intent.answers.iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Ok { reply, .. } => Some((None, reply.get("transfer"))),
            Outcome::Refused { status: Some(status), reply, .. } => Some((Some(*status), reply.get("transfer"))),
            _ => None,
        });
        let definite: Vec<_> = definite.collect();
        for (kind, name) in &definite {
            let differs = |(other, named): &(Option<u16>, Option<&Value>)| {
                kind != other || matches!((name, named), (Some(one), Some(two)) if one != two)
            };
            blame("ledger.same-answer", definite.iter().any(differs));
        }
    }
    for reading in &readings {
        let sum: i64 = reading.rows.iter().map(|row| row["amount"].as_i64().unwrap()).sum();
        blame("ledger.conserved", sum != 0);
        for id in transfers(&reading.rows) {
            let legs: Vec<_> = reading.rows.iter().filter(|row| row["transfer"] == *id).collect();
            let sum: i64 = legs.iter().map(|row| row["amount"].as_i64().unwrap()).sum();
            blame("ledger.atomic", legs.len() != 2 || sum != 0);
        }
    }
    for pair in readings.windows(2) {
        blame("ledger.append-only", pair[0].rows.iter().any(|row| !pair[1].rows.contains(row)));
    }
    overdraft(script, last, &mut blame);
    let reversals: Vec<_> = last.iter().filter_map(|row| Some((row.get("reverses")?, &row["transfer"]))).collect();
    blame(
        "ledger.reverse-once",
        reversals.iter().any(|(of, one)| reversals.iter().any(|(also, two)| of == also && one != two)),
    );
    events(history, &readings, &intents, &mut blame);
    blamed
}

fn overdraft(script: &Script, rows: &[Value], blame: &mut dyn FnMut(&'static str, bool)) {
    for open in script.intents.iter().filter(|intent| intent.call.operation == "open") {
        let fields = &open.call.fields;
        let mut own: Vec<_> = rows
            .iter()
            .filter(|row| row["account"] == fields["account"])
            .map(|row| (row["sequence"].as_i64().unwrap(), -row["amount"].as_i64().unwrap()))
            .collect();
        own.sort_unstable();
        let mut balance = 0;
        for (_, debit) in own {
            balance -= debit;
            blame("ledger.overdraft", debit > 0 && balance < fields["limit"].as_i64().unwrap());
        }
    }
}

fn events(history: &History, readings: &[Reading], intents: &[Intent<'_>], blame: &mut dyn FnMut(&'static str, bool)) {
    let last = readings.last().unwrap();
    let records: Vec<(Moment, &Record)> = history
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Record(record) => Some((event.at, record)),
            _ => None,
        })
        .collect();
    let transfer = |record: &Record| record.fields["transfer"].clone();
    for (number, (at, record)) in records.iter().enumerate() {
        for (_, other) in &records {
            let same = (transfer(record) == transfer(other), record.fields["event"] == other.fields["event"]);
            blame("ledger.event", same.0 != same.1);
        }
        let known = readings.iter().any(|reading| reading.rows.iter().any(|row| row["transfer"] == transfer(record)));
        let first = records[..number].iter().all(|(_, other)| transfer(other) != transfer(record));
        blame("ledger.event", first && !known && *at < last.sent);
    }
    let probes: Vec<_> = intents.iter().filter(|intent| intent.phase == Phase::Settle).collect();
    let told = |id: &Value| records.iter().any(|(_, record)| transfer(record) == *id);
    let through = |probe: &&&Intent<'_>| {
        probe
            .answers
            .iter()
            .any(|(_, outcome)| matches!(outcome, Outcome::Ok { reply, .. } if told(&reply["transfer"])))
    };
    if probes.iter().filter(through).count() == probes.len() {
        let overtaken = probes.iter().map(|probe| probe.sent).min().unwrap();
        for id in transfers(&last.rows) {
            let row = last.rows.iter().find(|row| row["transfer"] == *id).unwrap();
            let has = |reading: &&Reading| reading.rows.iter().any(|row| row["transfer"] == *id);
            let read = readings.iter().find(has).map(|reading| reading.at);
            let acknowledged = intents.iter().find(|intent| row["key"] == intent.key).and_then(Intent::acknowledged);
            let known = [read, acknowledged].into_iter().flatten().min().unwrap();
            blame("ledger.event", !told(&json!(id)) && known < overtaken);
        }
    }
    order(&records, &last.rows, blame);
}

fn order(records: &[(Moment, &Record)], rows: &[Value], blame: &mut dyn FnMut(&'static str, bool)) {
    // Partition by partition where the offsets of some partition do not come in order, as they may after spoiling.
    let mut records: Vec<_> = records.iter().map(|(_, record)| *record).collect();
    let mut highest: BTreeMap<i32, i64> = BTreeMap::new();
    let rising = records
        .iter()
        .all(|record| highest.insert(record.partition, record.offset).is_none_or(|before| before <= record.offset));
    if !rising {
        records.sort_by_key(|record| (record.partition, record.offset));
    }
    let mut firsts: Vec<(&Record, String, i64)> = Vec::new();
    for record in records {
        let id = &record.fields["transfer"];
        let legs: Vec<_> = rows.iter().filter(|row| row["transfer"] == *id).collect();
        let debit = legs.iter().rev().find(|row| row["amount"].as_i64().unwrap() < 0);
        if let (2, Some(debit)) = (legs.len(), debit)
            && firsts.iter().all(|(other, ..)| other.fields["transfer"] != *id)
        {
            let account = debit["account"].as_str().unwrap().to_owned();
            firsts.push((record, account, debit["sequence"].as_i64().unwrap()));
        }
    }
    for (later, (two, account, high)) in firsts.iter().enumerate() {
        for (one, _, low) in firsts[..later].iter().filter(|(_, other, _)| other == account) {
            blame("ledger.event-order", one.partition != two.partition || low > high);
        }
    }
}
