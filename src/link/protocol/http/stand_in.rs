//! Errors of HTTP in the place of replies.

use super::{FIELDS_MAX, framing};
use crate::fault::ErrorReply;
use crate::link::protocol::stand_in::{FOREIGN, UNCERTAIN};
use crate::link::protocol::{Answer, Code, MadeUp, Reply, StandIn, Unfit};

/// HTTP has no request that every server answers and that does nothing. The link itself answers, and the connection ends.
pub(super) fn stand_in(answer: &Answer) -> Result<StandIn, Unfit> {
    let Answer::Error(error) = answer else { return Err(UNCERTAIN) };
    let made = error_reply(error.as_ref(), 503, true)?;
    Ok(StandIn { request: None, reply: Reply::Own(made) })
}

/// Whether its client waits for a word before it sends the body.
pub(super) fn expects_word(head: &[u8]) -> bool {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(head).is_err() || request.headers.iter().any(|field| field.name.eq_ignore_ascii_case("expect"))
}

/// An error in the place of a reply. The connection goes on if it would have.
pub(super) fn fail(reply: &[u8], error: Option<&ErrorReply>) -> Result<MadeUp, Unfit> {
    error_reply(error, 504, ends_connection(reply))
}

fn ends_connection(reply: &[u8]) -> bool {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    if !matches!(response.parse(reply), Ok(httparse::Status::Complete(_))) || response.version != Some(1) {
        return true;
    }
    let closes =
        |value: &[u8]| value.to_ascii_lowercase().split(|byte| *byte == b',').any(|word| word.trim_ascii() == b"close");
    let says_so =
        response.headers.iter().any(|field| field.name.eq_ignore_ascii_case("connection") && closes(field.value));
    // Without a length its body ends with the connection, unless its status has none.
    let open_end = !matches!(response.code, Some(204 | 304)) && !matches!(framing(response.headers), Ok(Some(_)));
    says_so || open_end
}

fn error_reply(error: Option<&ErrorReply>, unless_told: u16, ends: bool) -> Result<MadeUp, Unfit> {
    let status = match error {
        None => unless_told,
        Some(ErrorReply::Http(status)) => *status,
        Some(_) => return Err(FOREIGN),
    };
    let connection = if ends { "Connection: close\r\n" } else { "" };
    let head = format!("HTTP/1.1 {status} {}\r\n{connection}Content-Length: 0\r\n\r\n", reason(status));
    Ok(MadeUp { bytes: head.into_bytes(), code: Code::new(status.to_string().as_bytes()) })
}

/// For people; what counts is the number.
fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        409 => "Conflict",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Error",
    }
}
