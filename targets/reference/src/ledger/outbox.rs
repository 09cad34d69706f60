//! The outbox: an event is written with the change it tells of, and published from there.

use serde_json::Value;

/// An event.
pub(crate) struct Event {
    /// Stays the same however often it is delivered, so that a reader can drop repeats.
    pub(crate) id: String,
    /// The debited account, which is the record's key: one account's events share a partition and its order.
    pub(crate) account: String,
    /// What readers get.
    pub(crate) payload: Value,
}
