//! Calls, outcomes, rows and records in a few words. Every word of a target goes through [`piece`].

use serde_json::{Map, Value};

use super::text::piece;
use crate::history::{Call, Doubt, Exchange, Outcome, Planted, Played, ProcessChange, RawBody, Record, Truth};

/// `transfer k-57 a-0003→a-0001 250 EUR`.
pub(super) fn call(call: &Call) -> String {
    let mut words = vec![piece(&call.operation)];
    words.extend(fields(&call.fields, Sign::Plain));
    words.extend(call.raw.as_ref().map(|raw| match raw {
        RawBody::Text(text) => format!("with the body `{}`", piece(text)),
        RawBody::Padded { bytes } => format!("with a body of {bytes} bytes"),
    }));
    words.join(" ")
}

/// What tells one call from another at a glance: its key, else what it is.
pub(super) fn call_name(call: &Call) -> String {
    call.fields.get("key").map_or_else(|| piece(&call.operation), value)
}

/// `201 transfer t-9`, `published partition 2 offset 17`, `no answer: connection reset`.
pub(super) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ok { status: 0, reply } => words(&["published".into()], reply),
        Outcome::Ok { status, reply } => words(&[status.to_string()], reply),
        Outcome::Refused { status: Some(status), why, reply } => {
            words(&[status.to_string(), "refused:".into(), piece(why)], &without(reply, "error"))
        }
        // Our own word, which says that it was not sent.
        Outcome::Refused { status: None, why, .. } => piece(why),
        Outcome::Unknown(doubt) => self::doubt(doubt),
    }
}

/// `#181 a-0003 −250 EUR transfer t-9`.
pub(super) fn row(row: &Value) -> String {
    match row {
        Value::Object(map) => fields(map, Sign::Always).join(" "),
        other => value(other),
    }
}

/// `event on ledger.transfers, partition 2, offset 17: e-12 transfer t-9`.
pub(super) fn record(record: &Record) -> String {
    let Record { topic, partition, offset, fields: map, .. } = record;
    let place = format!("event on {}, partition {partition}, offset {offset}:", piece(topic));
    words(&[place], map)
}

/// `put on orders.events, partition 2, offset 17, by the harness: `{"id":``.
pub(super) fn planted(planted: &Planted) -> String {
    let Planted { topic, partition, offset, payload, .. } = planted;
    let place = format!("put on {}, partition {partition}, offset {offset}, by the harness", piece(topic));
    format!("{place}: `{}`", piece(payload))
}

/// `gateway: charge by worker-1 under o-7, order o-7 amount 1999: 201, charge c-3`.
pub(super) fn played(played: &Played) -> String {
    let Played { of, from, operation, key, fields, effect, same_as, status, .. } = played;
    let under = key.as_ref().map(|key| format!("under {}", piece(key)));
    let asked = [Some(format!("{}: {} by {from}", piece(of), piece(operation))), under];
    let asked = words(&asked.into_iter().flatten().collect::<Vec<_>>(), fields);
    let status = status.map_or_else(|| "not answered".to_owned(), |status| status.to_string());
    let did = match (effect, same_as) {
        (Some(effect), _) => format!(", made {}", piece(effect)),
        (None, Some(earlier)) => format!(", the same as {}", piece(earlier)),
        (None, None) => String::new(),
    };
    format!("{asked}: {status}{did}")
}

/// `log of api-1: 2 of the texts that are looked for`.
pub(super) fn found(place: &str, found: &[String]) -> String {
    format!("{}: {} of the texts that are looked for", piece(place), found.len())
}

/// `api-1->postgres COMMIT: applied`, `client->api-1 POST /transfers: 201, applied`.
pub(super) fn exchange(exchange: &Exchange) -> String {
    let Exchange { edge, label, truth, code, .. } = exchange;
    let code = code.as_ref().map(|code| format!("{}, ", piece(code))).unwrap_or_default();
    format!("{} {}: {code}{}", piece(edge), piece(label), self::truth(*truth))
}

/// What is known of a request, in words.
pub(super) fn truth(truth: Truth) -> &'static str {
    match truth {
        Truth::NotSent => "never passed on",
        Truth::Sent => "passed on",
        Truth::Pending => "done, not committed",
        Truth::Refused => "refused",
        Truth::Applied => "applied",
    }
}

/// `started`, `gone: signal: 9 (SIGKILL)`.
pub(super) fn process(change: &ProcessChange) -> String {
    match change {
        ProcessChange::Started { pid } => format!("started (pid {pid})"),
        ProcessChange::Ready => "ready".into(),
        ProcessChange::Exited { status, expected: true } => format!("gone: {}", piece(status)),
        ProcessChange::Exited { status, expected: false } => format!("ended by itself: {}", piece(status)),
    }
}

fn doubt(doubt: &Doubt) -> String {
    match doubt {
        Doubt::Timeout => "no answer in time".into(),
        Doubt::Reset(why) => format!("no answer: {}", piece(why)),
        Doubt::Status { status, body } if body.is_empty() => status.to_string(),
        Doubt::Status { status, body } => format!("{status} `{}`", piece(body)),
        Doubt::Unreadable(why) => format!("an answer that cannot be read: {}", piece(why)),
        Doubt::Abandoned => "no answer before the run ended".into(),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Sign {
    Plain,
    Always,
}

/// Fields whose value says what they are, in the order in which people tell them; the rest as `name value`.
fn fields(map: &Map<String, Value>, sign: Sign) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(map.get("sequence").map(|sequence| format!("#{}", value(sequence))));
    words.extend(map.get("key").filter(|_| sign == Sign::Plain).map(value));
    words.extend(map.get("account").map(value));
    let way = [map.get("from").map(value), map.get("to").map(value)];
    match way {
        [Some(from), Some(to)] => words.push(format!("{from}→{to}")),
        [from, to] => {
            words.extend(from.map(|from| format!("from {from}")));
            words.extend(to.map(|to| format!("to {to}")));
        }
    }
    words.extend(map.get("amount").map(|amount| match (sign, amount.as_i64()) {
        (Sign::Always, Some(number)) if number < 0 => format!("−{}", number.unsigned_abs()),
        (Sign::Always, Some(number)) => format!("+{number}"),
        _ => value(amount),
    }));
    words.extend(map.get("currency").map(value));
    let told = |name: &str| {
        matches!(name, "sequence" | "account" | "from" | "to" | "amount" | "currency")
            || (name == "key" && sign == Sign::Plain)
    };
    let rest = map.iter().filter(|(name, value)| !told(name) && !value.is_null());
    words.extend(rest.map(|(name, field)| format!("{} {}", piece(name), value(field))));
    words
}

fn words(lead: &[String], map: &Map<String, Value>) -> String {
    let mut all = lead.to_vec();
    all.extend(fields(map, Sign::Plain));
    all.join(" ")
}

fn without(map: &Map<String, Value>, name: &str) -> Map<String, Value> {
    map.iter().filter(|(field, _)| *field != name).map(|(field, value)| (field.clone(), value.clone())).collect()
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) => piece(text),
        Value::Array(items) => format!("({} items)", items.len()),
        other => piece(&other.to_string()),
    }
}
