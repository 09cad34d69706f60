//! From an HTTP reply to an outcome. When in doubt: unknown.

use serde_json::{Map, Value};

use super::exchange::Reply;
use super::mapping::{FieldPath, OperationMapping};
use super::printable::{excerpt, printable};
use crate::history::{Doubt, Outcome};

/// The longest reason for a refusal that is kept, in characters.
const WHY_CHARS_MAX: usize = 200;

enum Class {
    Ok,
    Refused,
    Unknown,
}

/// What a reply says about its attempt.
pub(super) fn outcome(mapping: &OperationMapping, reply: &Reply) -> Outcome {
    let status = reply.status;
    match class(mapping, status) {
        Class::Ok => match read(&mapping.reply, &reply.body) {
            Ok(reply) => Outcome::Ok { status, reply },
            Err(why) => Outcome::Unknown(Doubt::Unreadable(why)),
        },
        Class::Refused => refused(mapping, reply),
        Class::Unknown => Outcome::Unknown(Doubt::Status { status, body: excerpt(&reply.body) }),
    }
}

fn class(mapping: &OperationMapping, status: u16) -> Class {
    match status {
        _ if mapping.refused.contains(&status) => Class::Refused,
        _ if mapping.unknown.contains(&status) => Class::Unknown,
        200..=299 => Class::Ok,
        // Timeouts, "too early" and throttling come from anything on the way, and may come after the effect.
        408 | 425 | 429 => Class::Unknown,
        400..=499 => Class::Refused,
        // A redirect is neither: it is not followed, and nothing says what the target did before it sent it.
        _ => Class::Unknown,
    }
}

/// The status says no; what can be read of the body is kept.
fn refused(mapping: &OperationMapping, reply: &Reply) -> Outcome {
    let json = parse(&reply.body).unwrap_or_default();
    let mut fields = Map::new();
    for field in &mapping.refusal {
        if let Ok(Some(value)) = find(field, &json) {
            fields.insert(field.name.to_owned(), value.clone());
        }
    }
    let why = match fields.get("error") {
        Some(Value::String(word)) => printable(word, WHY_CHARS_MAX),
        Some(other) => printable(&other.to_string(), WHY_CHARS_MAX),
        None if reply.body.is_empty() => format!("status {}", reply.status),
        None => format!("status {}: {}", reply.status, excerpt(&reply.body)),
    };
    Outcome::Refused { status: Some(reply.status), why, reply: fields }
}

/// The fields in a body. A required one that is missing, or a body that is not JSON, is an error.
pub(super) fn read(fields: &[FieldPath], body: &[u8]) -> Result<Map<String, Value>, String> {
    // A reply without a body is readable where nothing has to be in it: 204.
    let json = if body.is_empty() { Value::Null } else { parse(body)? };
    let mut found = Map::new();
    for field in fields {
        match find(field, &json)? {
            Some(value) => {
                found.insert(field.name.to_owned(), value.clone());
            }
            None if field.required => {
                let body = if body.is_empty() { " an empty body".into() } else { format!(": {}", excerpt(body)) };
                return Err(format!("no `{}` at `{}` in{body}", field.name, field.path));
            }
            None => {}
        }
    }
    Ok(found)
}

/// The one value of a field; null counts as missing.
fn find<'a>(field: &FieldPath, json: &'a Value) -> Result<Option<&'a Value>, String> {
    match field.path.query(json).all().as_slice() {
        [] | [Value::Null] => Ok(None),
        [value] => Ok(Some(value)),
        several => Err(format!("`{}` at `{}`: {} values, one was expected", field.name, field.path, several.len())),
    }
}

/// Nesting deeper than serde_json's limit of 128 is an error like any other.
fn parse(body: &[u8]) -> Result<Value, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("not JSON ({why}): {}", excerpt(body));
    let text = std::str::from_utf8(body).map_err(|_| wrong(&"not UTF-8"))?;
    serde_json::from_str(text).map_err(|error| wrong(&error))
}
