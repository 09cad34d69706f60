//! What replies say: the error codes of Produce, OffsetCommit, TxnOffsetCommit and EndTxn.

use super::call::{Call, key};
use super::fields::Fields;
use super::request::Success;
use crate::link::protocol::{Code, Said};

/// The longest reply that is gathered to be read.
const GATHERED_MAX: usize = 256 << 10;

/// Whether a reply of this length is read.
pub(super) fn concerns(call: Call, len: usize) -> bool {
    len <= GATHERED_MAX && matches!(call.key, key::PRODUCE | key::OFFSET_COMMIT | key::END_TXN | key::TXN_OFFSET_COMMIT)
}

/// Reads what follows the correlation id.
pub(super) fn read(call: Call, body: &[u8], success: Success) -> (Said, Option<Code>) {
    let mut fields = Fields { rest: body, flexible: call.is_flexible() };
    let mut errors = Errors::default();
    if collect(call, &mut fields, &mut errors).is_none() {
        return (Said::Unclear, None);
    }
    errors.said(success)
}

/// The error codes of a reply, one for each partition.
#[derive(Debug, Default)]
struct Errors {
    first: i16,
    good: bool,
    bad: bool,
    doubtful: bool,
}

impl Errors {
    fn add(&mut self, error: i16) {
        match error {
            0 => self.good = true,
            _ if self.bad => self.doubtful |= leaves_doubt(error),
            _ => (self.first, self.bad, self.doubtful) = (error, true, leaves_doubt(error)),
        }
    }

    fn said(&self, success: Success) -> (Said, Option<Code>) {
        if self.bad {
            let said = if self.good || self.doubtful { Said::Unclear } else { Said::Refused };
            return (said, Code::new(error_name(self.first).as_bytes()));
        }
        match success {
            Success::Stands if self.good => (Said::Applied, None),
            Success::InTransaction if self.good => (Said::Pending, None),
            Success::Undone if self.good => (Said::Refused, Code::new(b"abort")),
            _ => (Said::Unclear, None),
        }
    }
}

fn collect(call: Call, fields: &mut Fields<'_>, errors: &mut Errors) -> Option<()> {
    let Call { key, version } = call;
    fields.tags()?;
    if matches!(key, key::END_TXN | key::TXN_OFFSET_COMMIT) || (key == key::OFFSET_COMMIT && version >= 3) {
        // How long the client is throttled.
        fields.take(4)?;
    }
    if key == key::END_TXN {
        errors.add(fields.int16()?);
        return Some(());
    }
    let numbered = matches!((key, version), (key::PRODUCE, 13..) | (key::OFFSET_COMMIT, 10..));
    for _ in 0..fields.count()? {
        if numbered {
            fields.take(16)?;
        } else {
            fields.text()?;
        }
        for _ in 0..fields.count()? {
            fields.take(4)?;
            errors.add(fields.int16()?);
            if key == key::PRODUCE {
                produced(version, fields)?;
            }
            fields.tags()?;
        }
        fields.tags()?;
    }
    Some(())
}

/// What follows the error code of a partition that was produced to, up to its tagged fields.
fn produced(version: i16, fields: &mut Fields<'_>) -> Option<()> {
    let times = [0, 2, 5].iter().filter(|since| version >= **since).count();
    fields.take(8 * times)?;
    if version >= 8 {
        for _ in 0..fields.count()? {
            fields.take(4)?;
            fields.text()?;
            fields.tags()?;
        }
        fields.text()?;
    }
    Some(())
}

/// Whether it may have happened in spite of an error. A coordinator answers that it is not available, or none, also when
/// it has written something down of which it does not know whether the other replicas have it.
fn leaves_doubt(error: i16) -> bool {
    matches!(
        error_name(error).as_str(),
        "UNKNOWN_SERVER_ERROR"
            | "REQUEST_TIMED_OUT"
            | "NETWORK_EXCEPTION"
            | "COORDINATOR_NOT_AVAILABLE"
            | "NOT_COORDINATOR"
            | "NOT_ENOUGH_REPLICAS_AFTER_APPEND"
            | "DUPLICATE_SEQUENCE_NUMBER"
            | "CONCURRENT_TRANSACTIONS"
            | "KAFKA_STORAGE_ERROR"
    )
}

/// As Kafka's protocol guide has them.
fn error_name(error: i16) -> String {
    let name = match error {
        -1 => "UNKNOWN_SERVER_ERROR",
        2 => "CORRUPT_MESSAGE",
        3 => "UNKNOWN_TOPIC_OR_PARTITION",
        6 => "NOT_LEADER_OR_FOLLOWER",
        7 => "REQUEST_TIMED_OUT",
        10 => "MESSAGE_TOO_LARGE",
        13 => "NETWORK_EXCEPTION",
        14 => "COORDINATOR_LOAD_IN_PROGRESS",
        15 => "COORDINATOR_NOT_AVAILABLE",
        16 => "NOT_COORDINATOR",
        17 => "INVALID_TOPIC_EXCEPTION",
        18 => "RECORD_LIST_TOO_LARGE",
        19 => "NOT_ENOUGH_REPLICAS",
        20 => "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
        21 => "INVALID_REQUIRED_ACKS",
        22 => "ILLEGAL_GENERATION",
        25 => "UNKNOWN_MEMBER_ID",
        27 => "REBALANCE_IN_PROGRESS",
        28 => "INVALID_COMMIT_OFFSET_SIZE",
        29 => "TOPIC_AUTHORIZATION_FAILED",
        30 => "GROUP_AUTHORIZATION_FAILED",
        31 => "CLUSTER_AUTHORIZATION_FAILED",
        45 => "OUT_OF_ORDER_SEQUENCE_NUMBER",
        46 => "DUPLICATE_SEQUENCE_NUMBER",
        47 => "INVALID_PRODUCER_EPOCH",
        48 => "INVALID_TXN_STATE",
        49 => "INVALID_PRODUCER_ID_MAPPING",
        51 => "CONCURRENT_TRANSACTIONS",
        53 => "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        56 => "KAFKA_STORAGE_ERROR",
        59 => "UNKNOWN_PRODUCER_ID",
        82 => "FENCED_INSTANCE_ID",
        87 => "INVALID_RECORD",
        90 => "PRODUCER_FENCED",
        100 => "UNKNOWN_TOPIC_ID",
        110 => "FENCED_MEMBER_EPOCH",
        113 => "STALE_MEMBER_EPOCH",
        120 => "TRANSACTION_ABORTABLE",
        error => return format!("error-{error}"),
    };
    name.to_owned()
}
