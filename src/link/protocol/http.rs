//! HTTP/1.1 (RFC 9112): request lines, status lines and the ends of bodies, in both directions.

mod stand_in;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::chunked::Chunked;
use super::{Answer, Begin, Code, End, Kind, Label, MadeUp, Piece, Reader, Said, StandIn, Unfit, Unreadable};
use crate::fault::ErrorReply;

/// The longest head that is read; a longer one ends the reading.
const HEAD_MAX: usize = 64 << 10;

/// The most header fields of a head.
const FIELDS_MAX: usize = 128;

/// The most requests of a connection that may wait for their replies.
const PIPELINE_MAX: usize = 1_024;

/// The longest path in a label; the rest is left out.
const PATH_MAX: usize = 96;

const UPGRADED: Unreadable = Unreadable("the connection was upgraded to another protocol");

/// Readers for a new connection.
pub(super) fn readers() -> (Box<dyn Reader>, Box<dyn Reader>) {
    let asked = Asked::default();
    let requests = Requests { asked: asked.clone(), exchange: 0, current: None };
    let replies = Replies { asked, current: None };
    (Box::new(requests), Box::new(replies))
}

/// What the readers of the two directions know together.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    waiting: Mutex<Waiting>,
    /// The last exchange whose reply is complete.
    answered: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The requests that wait for their replies, which come in the same order.
    questions: VecDeque<Question>,
    /// The server has agreed to speak something else.
    upgraded: bool,
}

#[derive(Clone, Copy, Debug)]
struct Question {
    exchange: u64,
    /// A reply to HEAD has no body, whatever its header fields say.
    head: bool,
}

impl Asked {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is left of a body.
#[derive(Debug)]
enum Body {
    Fixed(u64),
    Chunked(Chunked),
    /// It ends with the connection.
    UntilClose,
}

impl Body {
    /// How many of `bytes` belong to it; `None` when it is complete.
    fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, Unreadable> {
        Ok(match self {
            Self::Fixed(0) => None,
            Self::Fixed(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= here as u64;
                Some(here)
            }
            Self::Chunked(chunked) if chunked.is_done() => None,
            Self::Chunked(chunked) => Some(chunked.advance(bytes)?),
            Self::UntilClose => Some(bytes.len()),
        })
    }
}

/// The next piece of the message that has begun, if one has.
fn rest(current: &mut Option<(End, Body)>, bytes: &[u8]) -> Result<Option<Piece>, Unreadable> {
    let Some((end, body)) = current else { return Ok(None) };
    if let Some(len) = body.advance(bytes)? {
        end.bytes += len as u64;
        return Ok(Some(if len == 0 { Piece::More } else { Piece::Pass(len) }));
    }
    Ok(current.take().map(|(end, _)| Piece::End(end)))
}

struct Requests {
    asked: Asked,
    /// The exchange that began last.
    exchange: u64,
    /// The request that has begun.
    current: Option<(End, Body)>,
}

impl Reader for Requests {
    fn read(&mut self, bytes: &[u8]) -> Result<Piece, Unreadable> {
        if let Some(piece) = rest(&mut self.current, bytes)? {
            return Ok(piece);
        }
        if self.asked.waiting().upgraded && !bytes.is_empty() {
            // Without this, what is half a head of HTTP would be held back for ever.
            return Err(UPGRADED);
        }
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        let len = match request.parse(bytes) {
            Ok(status) => match head_len(status, bytes)? {
                Some(len) => len,
                None => return Ok(Piece::More),
            },
            Err(_) => return Err(Unreadable("a request is not HTTP/1.1")),
        };
        let method = request.method.unwrap_or_default();
        if method == "CONNECT" {
            return Err(Unreadable("a tunnel was asked for"));
        }
        let body = framing(request.headers)?.unwrap_or(Body::Fixed(0));
        self.exchange += 1;
        self.current = Some((End::request(self.exchange, len as u64), body));
        let queue = &mut self.asked.waiting().questions;
        if queue.len() == PIPELINE_MAX {
            return Err(Unreadable("more than 1,024 requests wait for their replies"));
        }
        queue.push_back(Question { exchange: self.exchange, head: method == "HEAD" });
        let label = Label { text: label(method, request.path.unwrap_or_default()), changes: changes(method) };
        Ok(Piece::Begin(Begin { exchange: self.exchange, len, kind: Kind::Request(label) }))
    }

    fn holdable(&self, beginning: &[u8]) -> Result<(), Unfit> {
        if stand_in::expects_word(beginning) { Err(Unfit("its caller waits before it sends the body")) } else { Ok(()) }
    }

    fn stand_in(&mut self, _request: &[u8], _label: &Label, answer: &Answer) -> Result<StandIn, Unfit> {
        if self.asked.0.answered.load(Ordering::Acquire) + 1 != self.exchange {
            return Err(Unfit("an earlier request of its connection is not answered"));
        }
        stand_in::stand_in(answer)
    }
}

struct Replies {
    asked: Asked,
    /// The reply that has begun.
    current: Option<(End, Body)>,
}

impl Reader for Replies {
    fn read(&mut self, bytes: &[u8]) -> Result<Piece, Unreadable> {
        if let Some(piece) = rest(&mut self.current, bytes)? {
            if let Piece::End(end) = &piece {
                self.asked.0.answered.store(end.exchange, Ordering::Release);
            }
            return Ok(piece);
        }
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut response = httparse::Response::new(&mut fields);
        let len = match response.parse(bytes) {
            Ok(status) => match head_len(status, bytes)? {
                Some(len) => len,
                None => return Ok(Piece::More),
            },
            Err(_) => return Err(Unreadable("a reply is not HTTP/1.1")),
        };
        let status = response.code.unwrap_or_default();
        match status {
            101 => {
                self.asked.waiting().upgraded = true;
                return Err(UPGRADED);
            }
            // An interim reply; the final one is still to come.
            100..=199 => return Ok(Piece::Pass(len)),
            _ => {}
        }
        let Some(question) = self.asked.waiting().questions.pop_front() else {
            return Err(Unreadable("a reply came that no request had asked for"));
        };
        let body = match status {
            _ if question.head => Body::Fixed(0),
            204 | 304 => Body::Fixed(0),
            _ => framing(response.headers)?.unwrap_or(Body::UntilClose),
        };
        let code = Code::new(status.to_string().as_bytes());
        let end = End { exchange: question.exchange, said: said(status), code, bytes: len as u64 };
        self.current = Some((end, body));
        let kind = Kind::Reply { rewritten: None };
        Ok(Piece::Begin(Begin { exchange: question.exchange, len, kind }))
    }

    fn finish(&mut self) -> Option<End> {
        match self.current.take() {
            Some((end, Body::UntilClose)) => Some(end),
            _ => None,
        }
    }

    fn fail(&self, reply: &[u8], error: Option<&ErrorReply>) -> Result<MadeUp, Unfit> {
        stand_in::fail(reply, error)
    }
}

/// The length of a head, once it is complete. A head of a given length is read or not however it arrives.
fn head_len(parsed: httparse::Status<usize>, bytes: &[u8]) -> Result<Option<usize>, Unreadable> {
    let (len, complete) = match parsed {
        httparse::Status::Complete(len) => (len, Some(len)),
        httparse::Status::Partial => (bytes.len(), None),
    };
    if len > HEAD_MAX { Err(Unreadable("a head is longer than 64 KiB")) } else { Ok(complete) }
}

/// How the header fields say where the body ends; `None` when they do not.
fn framing(fields: &[httparse::Header<'_>]) -> Result<Option<Body>, Unreadable> {
    let mut length = None;
    let mut chunked = false;
    for field in fields {
        if field.name.eq_ignore_ascii_case("transfer-encoding") {
            let last = field.value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
            if !last.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err(Unreadable("a body has a transfer coding other than chunked"));
            }
            chunked = true;
        } else if field.name.eq_ignore_ascii_case("content-length") {
            let number = digits(field.value).ok_or(Unreadable("a content-length is no number"))?;
            if length.is_some_and(|before| before != number) {
                return Err(Unreadable("a head has two different content-lengths"));
            }
            length = Some(number);
        }
    }
    match (length, chunked) {
        // One of the two would be wrong, and which one counts differs from server to server.
        (Some(_), true) => Err(Unreadable("a body has both a content-length and a transfer coding")),
        (Some(length), false) => Ok(Some(Body::Fixed(length))),
        (None, true) => Ok(Some(Body::Chunked(Chunked::new()))),
        (None, false) => Ok(None),
    }
}

fn digits(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    let plain = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| plain)?.parse().ok()
}

/// What a status says. A server that fails may have done its work before.
fn said(status: u16) -> Said {
    match status {
        200..=399 => Said::Applied,
        400..=499 => Said::Refused,
        _ => Said::Unclear,
    }
}

/// Whether a method may change something (RFC 9110, section 9.2.1).
fn changes(method: &str) -> bool {
    !matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

/// `POST /transfers`: without the query, of limited length, and with nothing in it that a terminal would act on.
fn label(method: &str, target: &str) -> String {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let mut text: String = method.chars().take(16).chain([' ']).collect();
    text.extend(path.chars().take(PATH_MAX).flat_map(char::escape_default));
    if path.chars().nth(PATH_MAX).is_some() {
        text.push_str("...");
    }
    text
}
