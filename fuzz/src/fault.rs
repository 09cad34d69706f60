//! What the readers know of faults.

#[allow(dead_code, unreachable_pub, reason = "only the readers use it here")]
#[path = "../../src/fault/kafka_errors.rs"]
pub(crate) mod kafka_errors;

/// As in `src/fault/error_reply.rs`.
#[allow(dead_code, reason = "as above")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ErrorReply {
    Http(u16),
    Postgres(String),
    Redis(String),
    Kafka(i16),
}
