//! Kafka's error codes, as its protocol guide has them.

use std::borrow::Cow;

/// Those that clients of topics and groups meet.
const ERRORS: [(i16, &str); 38] = [
    (-1, "UNKNOWN_SERVER_ERROR"),
    (2, "CORRUPT_MESSAGE"),
    (3, "UNKNOWN_TOPIC_OR_PARTITION"),
    (6, "NOT_LEADER_OR_FOLLOWER"),
    (7, "REQUEST_TIMED_OUT"),
    (10, "MESSAGE_TOO_LARGE"),
    (13, "NETWORK_EXCEPTION"),
    (14, "COORDINATOR_LOAD_IN_PROGRESS"),
    (15, "COORDINATOR_NOT_AVAILABLE"),
    (16, "NOT_COORDINATOR"),
    (17, "INVALID_TOPIC_EXCEPTION"),
    (18, "RECORD_LIST_TOO_LARGE"),
    (19, "NOT_ENOUGH_REPLICAS"),
    (20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND"),
    (21, "INVALID_REQUIRED_ACKS"),
    (22, "ILLEGAL_GENERATION"),
    (25, "UNKNOWN_MEMBER_ID"),
    (27, "REBALANCE_IN_PROGRESS"),
    (28, "INVALID_COMMIT_OFFSET_SIZE"),
    (29, "TOPIC_AUTHORIZATION_FAILED"),
    (30, "GROUP_AUTHORIZATION_FAILED"),
    (31, "CLUSTER_AUTHORIZATION_FAILED"),
    (45, "OUT_OF_ORDER_SEQUENCE_NUMBER"),
    (46, "DUPLICATE_SEQUENCE_NUMBER"),
    (47, "INVALID_PRODUCER_EPOCH"),
    (48, "INVALID_TXN_STATE"),
    (49, "INVALID_PRODUCER_ID_MAPPING"),
    (51, "CONCURRENT_TRANSACTIONS"),
    (53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"),
    (56, "KAFKA_STORAGE_ERROR"),
    (59, "UNKNOWN_PRODUCER_ID"),
    (82, "FENCED_INSTANCE_ID"),
    (87, "INVALID_RECORD"),
    (90, "PRODUCER_FENCED"),
    (100, "UNKNOWN_TOPIC_ID"),
    (110, "FENCED_MEMBER_EPOCH"),
    (113, "STALE_MEMBER_EPOCH"),
    (120, "TRANSACTION_ABORTABLE"),
];

/// What people call an error.
#[must_use]
pub fn name(code: i16) -> Cow<'static, str> {
    let known = ERRORS.iter().find(|(known, _)| *known == code);
    known.map_or_else(|| format!("error-{code}").into(), |(_, name)| (*name).into())
}

/// The error that is meant by a name or a number.
#[must_use]
pub fn code(text: &str) -> Option<i16> {
    let number = text.parse().ok();
    ERRORS.iter().find(|(code, name)| *name == text || Some(*code) == number).map(|(code, _)| *code)
}

/// Their names.
pub fn names() -> impl Iterator<Item = &'static str> {
    ERRORS.iter().map(|(_, name)| *name)
}
