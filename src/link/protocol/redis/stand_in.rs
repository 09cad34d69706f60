//! Commands that stand in for others.

use super::element::number;
use crate::fault::ErrorReply;
use crate::link::protocol::stand_in::{FOREIGN, UNCERTAIN};
use crate::link::protocol::{Answer, Code, MadeUp, Reply, StandIn, Unfit};

/// Fails before Redis looks at anything else: it lacks its argument. Inside MULTI it spoils the transaction, as any other
/// command does that fails when it is queued.
const FAILS: &[u8] = b"*1\r\n$3\r\nGET\r\n";

/// Ends a transaction without executing it, as a failing EXEC does.
const DISCARD: &[u8] = b"*1\r\n$7\r\nDISCARD\r\n";

/// Does nothing.
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const PONG: &[u8] = b"+PONG\r\n";

/// `queues`: whether a transaction was open when the command came.
pub(super) fn stand_in(request: &[u8], label: &str, answer: &Answer, queues: bool) -> Result<StandIn, Unfit> {
    match answer {
        Answer::Error(error) => {
            let request = match label {
                "EXEC" => DISCARD,
                "DISCARD" | "RESET" | "QUIT" => return Err(Unfit("it never fails")),
                _ => FAILS,
            };
            let made = error_or_loading(error.as_ref())?;
            Ok(StandIn { request: Some(request.to_vec()), reply: Reply::Made(made) })
        }
        Answer::Success if queues => Err(Unfit("it is queued in a transaction, whose answer would tell")),
        Answer::Success => {
            let bytes = success(label, &words(request).ok_or(UNCERTAIN)?).ok_or(UNCERTAIN)?;
            let reply = Reply::Instead { of: PONG, made: MadeUp { bytes, code: None } };
            Ok(StandIn { request: Some(PING.to_vec()), reply })
        }
    }
}

/// Redis says so of reads and writes alike, before it has done anything.
fn error_or_loading(error: Option<&ErrorReply>) -> Result<MadeUp, Unfit> {
    self::error(error, "LOADING Redis is loading the dataset in memory")
}

/// The error, or another line.
pub(super) fn error(error: Option<&ErrorReply>, unless_told: &str) -> Result<MadeUp, Unfit> {
    let line = match error {
        None => unless_told,
        Some(ErrorReply::Redis(line)) => line,
        Some(_) => return Err(FOREIGN),
    };
    Ok(MadeUp { bytes: format!("-{line}\r\n").into_bytes(), code: Code::new(line.as_bytes()) })
}

/// What Redis says when a command has worked, where that does not depend on what it found.
fn success(label: &str, words: &[&[u8]]) -> Option<Vec<u8>> {
    let options = words.get(3..).unwrap_or_default();
    let depends = |option: &&[u8]| ["NX", "XX", "GET"].iter().any(|on| option.eq_ignore_ascii_case(on.as_bytes()));
    match label {
        // Of a consumer that acknowledges what it was given, and once.
        "XACK" => Some(format!(":{}\r\n", words.len().checked_sub(3)?).into_bytes()),
        "SET" if words.len() >= 3 && !options.iter().any(depends) => Some(b"+OK\r\n".to_vec()),
        "SETEX" | "PSETEX" | "MSET" => Some(b"+OK\r\n".to_vec()),
        _ => None,
    }
}

/// The words of a command that came as an array.
fn words(mut request: &[u8]) -> Option<Vec<&[u8]>> {
    let mut words = Vec::new();
    let (count, len) = number(request.strip_prefix(b"*").map(|_| request)?).ok()??;
    request = &request[len..];
    for _ in 0..count {
        let (size, len) = number(request).ok()??;
        let word = request.get(len..)?.get(..usize::try_from(size).ok()?)?;
        words.push(word);
        request = request.get(len + word.len() + 2..)?;
    }
    Some(words)
}
