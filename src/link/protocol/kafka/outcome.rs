//! What replies say: the error codes of Produce, OffsetCommit, TxnOffsetCommit and EndTxn.

use super::call::{Call, key};
use super::fields::Fields;
use super::request::Success;
use crate::fault::kafka_errors;
use crate::link::protocol::{Code, Said};

/// The longest reply that is gathered to be read.
const GATHERED_MAX: usize = 256 << 10;

/// Whether a reply of this length is read.
pub(super) fn concerns(call: Call, len: usize) -> bool {
    len <= GATHERED_MAX && matches!(call.key, key::PRODUCE | key::OFFSET_COMMIT | key::END_TXN | key::TXN_OFFSET_COMMIT)
}

/// Reads what follows the correlation id.
pub(super) fn read(call: Call, body: &[u8], success: Success) -> (Said, Option<Code>) {
    let mut errors = Errors::default();
    match collect(call, body, |_, error| errors.add(error)) {
        Some(()) => errors.said(success),
        None => (Said::Unclear, None),
    }
}

/// The reply with this error in the place of every success. `None` when it cannot be read.
pub(super) fn fail(call: Call, body: &[u8], error: i16) -> Option<Vec<u8>> {
    let mut failed = body.to_vec();
    collect(call, body, |at, before| {
        if before == 0 {
            failed[at..at + 2].copy_from_slice(&error.to_be_bytes());
        }
    })?;
    Some(failed)
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
            return (said, Code::new(kafka_errors::name(self.first).as_bytes()));
        }
        match success {
            Success::Stands if self.good => (Said::Applied, None),
            Success::InTransaction if self.good => (Said::Pending, None),
            Success::Undone if self.good => (Said::Refused, Code::new(b"abort")),
            _ => (Said::Unclear, None),
        }
    }
}

/// Tells where in a reply the error codes are, and which.
fn collect(call: Call, body: &[u8], mut tell: impl FnMut(usize, i16)) -> Option<()> {
    let Call { key, version } = call;
    let fields = &mut Fields { rest: body, flexible: call.is_flexible() };
    let mut error = |fields: &mut Fields<'_>| {
        let at = body.len() - fields.rest.len();
        fields.int16().map(|error| tell(at, error))
    };
    fields.tags()?;
    if matches!(key, key::END_TXN | key::TXN_OFFSET_COMMIT) || (key == key::OFFSET_COMMIT && version >= 3) {
        // How long the client is throttled.
        fields.take(4)?;
    }
    if key == key::END_TXN {
        return error(fields);
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
            error(fields)?;
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
        kafka_errors::name(error).as_ref(),
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
