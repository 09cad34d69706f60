//! Queries that stand in for others, and errors in the place of results.
//!
//! A stand-in is a simple query, also for a batch of the extended protocol: both are answered with one ReadyForQuery, whose
//! status is the server's own and stays. A client that had prepared something in the batch hears of an error and not that
//! it was prepared.

use super::frame::Frame;
use crate::fault::ErrorReply;
use crate::link::protocol::stand_in::{FOREIGN, UNCERTAIN};
use crate::link::protocol::{Answer, Code, MadeUp, Reply, StandIn, Unfit};

/// Fails wherever it is asked, so that an open transaction is aborted.
const FAILS: &[u8] = b"SELECT 1/0\0";

/// A transaction whose COMMIT has failed is over.
const ROLLBACK: &[u8] = b"ROLLBACK\0";

/// `query_canceled`: what a timeout of a statement says.
const UNLESS_TOLD: &str = "57014";

/// `statement_completion_unknown`.
const IN_DOUBT: &str = "40003";

pub(super) fn stand_in(label: &str, answer: &Answer) -> Result<StandIn, Unfit> {
    let Answer::Error(error) = answer else { return Err(UNCERTAIN) };
    let sql = match label {
        "COMMIT" => ROLLBACK,
        "ROLLBACK" | "terminate" => return Err(Unfit("it never fails")),
        // One that fails has become a ROLLBACK.
        _ if label.to_ascii_lowercase().starts_with("prepare transaction") => ROLLBACK,
        _ => FAILS,
    };
    let code = state(error.as_ref(), UNLESS_TOLD)?.to_owned();
    Ok(StandIn { request: Some(framed(b'Q', sql)), reply: Reply::Failed(Some(ErrorReply::Postgres(code))) })
}

/// An error in the place of everything that the reply says about its request. What the server says in passing stays:
/// parameters that have changed, notifications, and the status at the end.
pub(super) fn fail(mut reply: &[u8], error: Option<&ErrorReply>) -> Result<MadeUp, Unfit> {
    let code = state(error, IN_DOUBT)?;
    let mut bytes = error_response(code);
    while let Ok(Some(frame)) = Frame::first(reply) {
        let (whole, rest) = reply.split_at_checked(frame.len).ok_or(Unfit("its answer broke off"))?;
        if matches!(frame.kind, b'S' | b'A' | b'Z') {
            bytes.extend_from_slice(whole);
        }
        reply = rest;
    }
    Ok(MadeUp { bytes, code: Code::new(code.as_bytes()) })
}

fn state<'a>(error: Option<&'a ErrorReply>, unless_told: &'a str) -> Result<&'a str, Unfit> {
    match error {
        None => Ok(unless_told),
        Some(ErrorReply::Postgres(code)) => Ok(code),
        Some(_) => Err(FOREIGN),
    }
}

fn error_response(code: &str) -> Vec<u8> {
    let fields = [b"SERROR\0VERROR\0C", code.as_bytes(), b"\0M", message(code).as_bytes(), b"\0\0"];
    framed(b'E', &fields.concat())
}

/// What Postgres says with the codes that services look for.
fn message(code: &str) -> &'static str {
    match code {
        "25006" => "cannot execute statement in a read-only transaction",
        "40001" => "could not serialize access due to concurrent update",
        "40003" => "statement completion unknown",
        "40P01" => "deadlock detected",
        "53100" => "could not extend file: No space left on device",
        "53200" => "out of memory",
        "55P03" => "canceling statement due to lock timeout",
        UNLESS_TOLD => "canceling statement due to statement timeout",
        "58030" => "could not write file: Input/output error",
        _ => "the statement failed",
    }
}

/// A message of a few bytes.
fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = (body.len() + 4) as u32;
    [&[kind][..], &len.to_be_bytes(), body].concat()
}
