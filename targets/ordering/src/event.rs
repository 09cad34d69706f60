//! What comes from the topic, read with suspicion.

use serde::Deserialize;

/// The longest name of an event or an entity, in bytes.
const NAME_MAX: usize = 200;
/// The longest payload that is kept in a letter, in bytes.
const PAYLOAD_MAX: usize = 1024 * 1024;

/// An event of an entity.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) entity: String,
    pub(crate) sequence: i64,
    /// In minor units.
    pub(crate) amount: i64,
    /// When it happened, as its producer says: good to show, no good to decide by.
    pub(crate) at: String,
}

impl Event {
    /// Reads a record's value. The reason for a refusal does not quote it.
    pub(crate) fn read(value: &[u8]) -> Result<Self, &'static str> {
        // The reader of fields would take a list of values for an object without names.
        if value.trim_ascii_start().starts_with(b"[") {
            return Err("the record is no event");
        }
        let event: Self = serde_json::from_slice(value).map_err(|_| "the record is no event")?;
        let is_name = |text: &str| !text.is_empty() && text.len() <= NAME_MAX && !text.contains('\0');
        if !is_name(&event.id) || !is_name(&event.entity) || event.at.len() > NAME_MAX || event.at.contains('\0') {
            return Err("the event's names are none");
        }
        if event.sequence < 1 {
            return Err("the event's sequence is none");
        }
        Ok(event)
    }
}

/// Bytes as the database can store them: without the zero byte, and in UTF-8.
pub(crate) fn as_text(value: &[u8]) -> String {
    let value = &value[..value.len().min(PAYLOAD_MAX)];
    String::from_utf8_lossy(value).replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"id":"k-1","entity":"e-1","sequence":1,"amount":5,"at":"2026-01-01T00:00:00.000Z"}"#;

    #[test]
    fn an_event_is_read() {
        let event = Event::read(GOOD.as_bytes()).expect("it is one");
        assert_eq!((event.id.as_str(), event.entity.as_str(), event.sequence, event.amount), ("k-1", "e-1", 1, 5));
    }

    #[test]
    fn what_is_none_is_refused() {
        for (from, to) in
            [("\"sequence\":1", "\"sequence\":0"), ("k-1", ""), ("e-1", "\\u0000"), ("5", "0.5"), ("{", "")]
        {
            assert!(Event::read(GOOD.replacen(from, to, 1).as_bytes()).is_err(), "{from} as {to}");
        }
        assert!(Event::read(b"[\"k-1\",\"e-1\",1,5,\"x\"]").is_err());
        assert_eq!(as_text(b"a\0b\xffc"), "a\u{fffd}b\u{fffd}c");
    }
}
