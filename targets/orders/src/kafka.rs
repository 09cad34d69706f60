//! What events of orders carry besides their value.

use rdkafka::message::{Header, OwnedHeaders};

/// The header that says on whose behalf an event happened.
pub(crate) const CORRELATION: &str = "correlation-id";

/// The headers of an event.
pub(crate) fn headers(correlation: Option<&str>) -> OwnedHeaders {
    let headers = OwnedHeaders::new();
    match correlation {
        Some(correlation) => headers.insert(Header { key: CORRELATION, value: Some(correlation) }),
        None => headers,
    }
}
