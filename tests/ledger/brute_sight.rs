//! What a history shows, in its plainest form, for the plain restatements of the requirements.

use std::collections::BTreeMap;

use fireassay::history::{Call, History, InstanceName, Moment, Outcome, Phase, RawBody, Record, What};
use serde_json::Value;

/// Everything that the plain restatements look at.
#[derive(Debug, Default)]
pub(crate) struct Sight<'a> {
    pub(crate) attempts: Vec<Attempt<'a>>,
    pub(crate) intents: BTreeMap<u32, Intent<'a>>,
    pub(crate) readings: Vec<Reading>,
    pub(crate) records: Vec<(Moment, &'a Record)>,
    /// Whether the topic was read to its end in the audit.
    pub(crate) events_read: bool,
    /// When each phase began first.
    pub(crate) began: BTreeMap<Phase, Moment>,
    /// The legs of each transfer in the newest reading, as far as they can be read.
    pub(crate) transfers: BTreeMap<String, Vec<Value>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Attempt<'a> {
    pub(crate) intent: u32,
    pub(crate) to: &'a InstanceName,
    pub(crate) invoked: Moment,
    /// When and how it ended; `None` if it did not.
    pub(crate) ended: Option<(Moment, &'a Outcome)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Intent<'a> {
    pub(crate) call: &'a Call,
    pub(crate) phase: Phase,
    /// Indices of its attempts.
    pub(crate) attempts: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) sent: Moment,
    pub(crate) at: Moment,
    pub(crate) phase: Phase,
    pub(crate) rows: Vec<Value>,
}

impl<'a> Sight<'a> {
    pub(crate) fn new(history: &'a History) -> Self {
        let mut sight = Self::default();
        let mut phase = Phase::Setup;
        let mut rows: Vec<Value> = Vec::new();
        for event in &history.events {
            let at = event.at;
            match &event.what {
                What::Phase { phase: next } => {
                    phase = *next;
                    sight.began.entry(phase).or_insert(at);
                }
                What::Invoke { intent, to, call, .. } => {
                    let new = || Intent { call, phase, attempts: Vec::new() };
                    sight.intents.entry(intent.0).or_insert_with(new).attempts.push(sight.attempts.len());
                    sight.attempts.push(Attempt { intent: intent.0, to, invoked: at, ended: None });
                }
                What::Return { attempt, outcome } => {
                    // What was not sent cannot be answered, and nothing is answered twice.
                    if let Some(attempt) = sight.attempts.get_mut(attempt.0 as usize) {
                        attempt.ended.get_or_insert((at, outcome));
                    }
                }
                What::Rows { sent, added, removed, .. } => {
                    for gone in removed {
                        if let Some(place) = rows.iter().rposition(|row| row == gone) {
                            rows.remove(place);
                        }
                    }
                    rows.extend(added.iter().cloned());
                    sight.readings.push(Reading { sent: *sent, at, phase, rows: rows.clone() });
                }
                What::Record(record) => sight.records.push((at, record)),
                What::EventsRead => sight.events_read = phase == Phase::Audit,
                _ => {}
            }
        }
        for row in rows.into_iter().filter(is_readable) {
            sight.transfers.entry(row["transfer"].as_str().unwrap().to_owned()).or_default().push(row);
        }
        sight
    }

    /// The attempts of an intent.
    pub(crate) fn of(&self, intent: u32) -> impl Iterator<Item = &Attempt<'a>> {
        self.intents.get(&intent).into_iter().flat_map(|intent| &intent.attempts).map(|&number| &self.attempts[number])
    }

    /// The newest reading, if it is one of the audit and every row of it can be read.
    pub(crate) fn audited(&self) -> Option<&Reading> {
        self.readings.last().filter(|last| last.phase == Phase::Audit && last.rows.iter().all(is_readable))
    }

    /// The transfers that an intent brought, in a journal that shows keys: those with its key, unless they are just
    /// what another body under this key asked for. What no body asked for counts for the first one.
    pub(crate) fn effects(&self, intent: u32) -> Vec<String> {
        let key = |intent: &Intent<'_>| intent.call.fields.get("key").and_then(Value::as_str).map(str::to_owned);
        let Some(own) = self.intents.get(&intent).and_then(key) else { return Vec::new() };
        let rivals: Vec<u32> =
            self.intents.iter().filter(|(_, other)| key(other).as_ref() == Some(&own)).map(|(id, _)| *id).collect();
        let mut effects = Vec::new();
        for (name, legs) in &self.transfers {
            if legs[0]["key"] == *own {
                let asked = rivals.iter().find(|rival| self.is_what_was_asked(**rival, legs));
                if *asked.unwrap_or(&rivals[0]) == intent {
                    effects.push(name.clone());
                }
            }
        }
        effects
    }

    fn is_what_was_asked(&self, intent: u32, legs: &[Value]) -> bool {
        let call = self.intents[&intent].call;
        match call.operation.as_str() {
            "reverse" => legs[0].get("reverses") == call.fields.get("transfer"),
            _ => legs[0].get("reverses").is_none() && moves(legs).is_some_and(|moves| Some(moves) == asks(call)),
        }
    }

    /// Currency of an account, if it was opened.
    fn opened(&self, account: &Value) -> Option<&Value> {
        let mut opens = self.intents.values().filter(|intent| intent.call.operation == "open");
        opens.find(|intent| intent.call.fields["account"] == *account).map(|intent| &intent.call.fields["currency"])
    }

    /// What is wrong with a transfer, if it was made to be refused.
    pub(crate) fn flaw(&self, call: &Call) -> Option<&'static str> {
        if call.operation != "transfer" {
            return None;
        }
        let (from, to) = (call.fields.get("from"), call.fields.get("to"));
        let amount = call.fields.get("amount");
        match (&call.raw, from, to, amount) {
            (Some(RawBody::Padded { .. }), ..) => Some("huge"),
            (Some(RawBody::Text(body)), ..) => Some(match (body.trim_end(), serde_json::from_str::<Value>(body)) {
                ("", _) => "empty",
                (_, Ok(Value::Array(_))) => "array",
                (_, Ok(Value::Null)) => "null",
                (_, Ok(_)) => "malformed",
                (_, Err(why)) if why.is_eof() => "cut off",
                _ => "no json",
            }),
            (.., None) => Some("no amount"),
            (_, None, ..) | (_, _, None, _) => Some("incomplete"),
            _ if !call.fields.contains_key("key") => Some("no key"),
            (.., Some(Value::String(_))) => Some("text"),
            (_, Some(from), Some(to), Some(amount)) => match amount.as_i64() {
                None if amount.as_f64().unwrap().fract() != 0.0 => Some("fraction"),
                None => Some("overflow"),
                Some(0) => Some("zero"),
                Some(..0) => Some("negative"),
                _ if from == to => Some("same account"),
                _ => match (self.opened(from), self.opened(to)) {
                    (Some(one), Some(two)) if [one, two].iter().all(|it| **it == call.fields["currency"]) => None,
                    (Some(_), Some(_)) => Some("other currency"),
                    _ => Some("unknown account"),
                },
            },
        }
    }

    /// Whether an intent asks for money to be moved in a way that can be granted.
    pub(crate) fn moves(&self, intent: u32) -> bool {
        let call = self.intents[&intent].call;
        call.operation == "reverse" || (call.operation == "transfer" && self.flaw(call).is_none())
    }
}

/// From, to, amount and currency.
pub(crate) type Body = (String, String, i64, String);

/// What a call asks to be moved, read carelessly: the way a service would that does not look closely.
pub(crate) fn asks(call: &Call) -> Option<Body> {
    let text = |field: &str| call.fields.get(field)?.as_str().map(str::to_owned);
    let amount = match call.fields.get("amount")? {
        Value::String(text) => text.parse().ok()?,
        number => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64))?,
    };
    let (from, to, currency) = (text("from")?, text("to")?, text("currency")?);
    Some(if amount < 0 { (to, from, amount.saturating_neg(), currency) } else { (from, to, amount, currency) })
}

/// What two legs that cancel out move.
pub(crate) fn moves(legs: &[Value]) -> Option<Body> {
    let [one, two] = legs else { return None };
    let (debit, credit) = if number(one) < 0 { (one, two) } else { (two, one) };
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let cancels = number(debit) == -number(credit) && debit["currency"] == credit["currency"];
    let body = (text(debit, "account"), text(credit, "account"), number(credit), text(debit, "currency"));
    cancels.then_some(body)
}

/// The amount of a readable row.
pub(crate) fn number(row: &Value) -> i64 {
    row["amount"].as_i64().unwrap()
}

fn is_readable(row: &Value) -> bool {
    ["sequence", "amount"].iter().all(|field| row[*field].is_i64())
        && ["transfer", "account", "currency"].iter().all(|field| row[*field].is_string())
}

/// Whether somebody answered yes or no.
pub(crate) fn is_definite(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Ok { .. } | Outcome::Refused { status: Some(_), .. })
}
