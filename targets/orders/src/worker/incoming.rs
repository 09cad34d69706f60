//! What comes from the topic, read with suspicion.

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};
use serde::Deserialize;
use serde_json::Value;

use crate::domain::{Correlation, EventId, MinorUnits, OrderId, State, Version};
use crate::kafka;

/// The longest payload that is kept in a letter, in bytes. The broker takes none that is much longer.
const PAYLOAD_MAX: usize = 1024 * 1024;

/// A record of the topic.
pub(super) struct Incoming {
    /// Topic, partition and offset.
    pub(super) place: String,
    /// The value as text that the database takes.
    pub(super) payload: String,
    pub(super) correlation: Option<Correlation>,
    /// When it was published, by the clock of whoever did.
    pub(super) published_ms: Option<i64>,
    pub(super) content: Content,
}

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// An event.
    Event(Happened),
    /// Nothing that we understand.
    Unreadable {
        /// As far as it can be told.
        event: Option<EventId>,
        /// As far as it can be told.
        order: Option<OrderId>,
        reason: String,
    },
}

/// An event of an order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Happened {
    pub(super) event: EventId,
    pub(super) order: OrderId,
    pub(super) version: Version,
    pub(super) state: State,
}

#[derive(Deserialize)]
struct Fields {
    id: String,
    order: String,
    version: Version,
    state: State,
    // Not used here, where the database knows better; but an event without them is none.
    #[serde(rename = "amount")]
    _amount: MinorUnits,
    #[serde(rename = "currency")]
    _currency: String,
}

impl Incoming {
    /// Reads a record.
    pub(super) fn of(message: &BorrowedMessage<'_>) -> Self {
        let value = message.payload().unwrap_or_default();
        let header =
            message.headers().and_then(|headers| headers.iter().find(|header| header.key == kafka::CORRELATION));
        let correlation = header.and_then(|header| std::str::from_utf8(header.value?).ok());
        Self {
            place: format!("{}/{}/{}", message.topic(), message.partition(), message.offset()),
            payload: as_text(value),
            correlation: correlation.and_then(Correlation::new),
            published_ms: message.timestamp().to_millis(),
            content: content(value),
        }
    }
}

/// Bytes as the database can store them: without the zero byte, and in UTF-8.
fn as_text(value: &[u8]) -> String {
    let value = &value[..value.len().min(PAYLOAD_MAX)];
    String::from_utf8_lossy(value).replace('\0', "\u{fffd}")
}

fn content(value: &[u8]) -> Content {
    let unreadable = |event, order, reason: &str| Content::Unreadable { event, order, reason: reason.to_owned() };
    // The reader of fields would take a list of values for an object without names.
    if value.trim_ascii_start().starts_with(b"[") {
        return unreadable(None, None, "the record is no event of an order");
    }
    let fields: Fields = match serde_json::from_slice(value) {
        Ok(fields) => fields,
        // The parser's own words may quote the value.
        Err(error) if !error.is_data() => return unreadable(None, None, "the record is no JSON"),
        Err(_) => {
            let any: Value = serde_json::from_slice(value).unwrap_or_default();
            let event = any["id"].as_str().and_then(EventId::new);
            return unreadable(
                event,
                any["order"].as_str().and_then(OrderId::new),
                "the record is no event of an order",
            );
        }
    };
    match (EventId::new(&fields.id), OrderId::new(&fields.order)) {
        (Some(event), Some(order)) => {
            Content::Event(Happened { event, order, version: fields.version, state: fields.state })
        }
        (event, order) => unreadable(event, order, "the record's ids are none"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"id":"e-1","order":"o-1","version":1,"state":"CREATED","amount":5,"currency":"EUR"}"#;

    const LIST: &[u8] = br#"["e-1","o-1",1,"CREATED",5,"EUR"]"#;

    #[test]
    fn an_event_is_read() {
        let Content::Event(event) = content(GOOD.as_bytes()) else { panic!("it is one") };
        assert_eq!((event.event.as_str(), event.order.as_str(), event.version), ("e-1", "o-1", 1));
        assert_eq!(event.state, State::Created);
    }

    #[test]
    fn what_is_no_event_still_tells_what_it_can() {
        let nothing = |value: &[u8]| matches!(content(value), Content::Unreadable { event: None, order: None, .. });
        for value in [b"".as_slice(), b"{", b"\0\xff", b"null", b"[]", LIST, b"{\"id\":7,\"order\":\"o\\u0000\"}"] {
            assert!(nothing(value), "{value:?}");
        }
        for change in
            [("\"version\":1,", ""), ("CREATED", "SHIPPED"), ("\"amount\":5", "\"amount\":\"4000123412341234\"")]
        {
            let Content::Unreadable { event, order, reason } = content(GOOD.replace(change.0, change.1).as_bytes())
            else {
                panic!("{change:?} is none")
            };
            assert_eq!(event, EventId::new("e-1"));
            assert_eq!(order, OrderId::new("o-1"));
            assert!(!reason.contains("4000"), "{reason}");
        }
    }

    #[test]
    fn any_bytes_become_text_that_the_database_takes() {
        assert_eq!(as_text(b"a\0b\xffc"), "a\u{fffd}b\u{fffd}c");
        assert!(as_text(&vec![b'x'; 2 * PAYLOAD_MAX]).len() <= PAYLOAD_MAX);
    }
}
