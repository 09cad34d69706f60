//! Kafka's wire protocol: frames of a length, an api key, a version and a correlation id.
//!
//! A broker tells its clients where to connect to. To keep them on the link, the replies that name brokers are
//! rewritten ([`rewrite`]): Metadata, FindCoordinator, DescribeCluster and Produce. Other calls that
//! would name one are offered in ApiVersions only up to the last version that does not. Of calls that
//! change something the error codes are read ([`outcome`]). All other frames pass as they come, without being gathered in
//! memory.

mod call;
mod fields;
mod moved;
mod outcome;
mod request;
mod rewrite;
mod stand_in;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Answer, Begin, End, Kind, Label, MadeUp, Piece, Reader, Said, StandIn, Unfit, Unreadable};
use crate::fault::ErrorReply;
use call::Call;
use request::Success;

/// The longest frame believed in; brokers accept 100 MiB by default.
const FRAME_MAX: usize = 1 << 30;

/// The longest reply that is gathered to be rewritten.
const REWRITE_MAX: usize = 16 << 20;

/// The most requests remembered until their replies come. Those that are never answered are forgotten when a later one
/// is.
const PIPELINE_MAX: usize = 4_096;

/// Length, api key, version, correlation id.
const REQUEST_HEAD: usize = 12;

/// Length, correlation id.
const REPLY_HEAD: usize = 8;

/// Readers for a new connection through the link with this address. Topics in `prefix` are told without it.
pub(super) fn readers(address: SocketAddr, prefix: &str) -> (Box<dyn Reader>, Box<dyn Reader>) {
    let asked = Asked::default();
    let requests = Requests { asked: asked.clone(), exchange: 0, left: None, prefix: prefix.to_owned() };
    let replies = Replies { asked, address, left: None, call: None };
    (Box::new(requests), Box::new(replies))
}

/// The requests that wait for their replies, which come in the same order.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<Mutex<VecDeque<Question>>>);

#[derive(Clone, Copy, Debug)]
struct Question {
    exchange: u64,
    correlation: [u8; 4],
    call: Call,
    success: Success,
}

impl Asked {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Question>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rest of a frame that has begun.
#[derive(Clone, Debug)]
struct Left {
    bytes: usize,
    end: End,
}

impl Left {
    /// The next piece of a frame of which the rest is `left`.
    fn next(left: &mut Option<Self>, available: usize) -> Option<Piece> {
        let frame = left.as_mut()?;
        if frame.bytes == 0 {
            return left.take().map(|left| Piece::End(left.end));
        }
        let here = frame.bytes.min(available);
        frame.bytes -= here;
        Some(if here == 0 { Piece::More } else { Piece::Pass(here) })
    }
}

struct Requests {
    asked: Asked,
    prefix: String,
    exchange: u64,
    left: Option<Left>,
}

impl Reader for Requests {
    fn read(&mut self, bytes: &[u8]) -> Result<Piece, Unreadable> {
        if let Some(piece) = Left::next(&mut self.left, bytes.len()) {
            return Ok(piece);
        }
        let Some(len) = frame_len(bytes, REQUEST_HEAD)? else { return Ok(Piece::More) };
        let Some(&[_, _, _, _, k0, k1, v0, v1, c0, c1, c2, c3]) = bytes.first_chunk() else { return Ok(Piece::More) };
        let call = Call { key: i16::from_be_bytes([k0, k1]), version: i16::from_be_bytes([v0, v1]) };
        if !(0..=1_000).contains(&call.key) || !(0..=1_000).contains(&call.version) {
            return Err(Unreadable("a frame names an api that Kafka does not have"));
        }
        let look = request::look_len(call, len);
        if bytes.len() < look {
            return Ok(Piece::More);
        }
        let asks = request::read(call, bytes.get(REQUEST_HEAD..look).unwrap_or_default(), &self.prefix);
        self.exchange += 1;
        if asks.answered {
            let mut queue = self.asked.queue();
            if queue.len() == PIPELINE_MAX {
                queue.pop_front();
            }
            let correlation = [c0, c1, c2, c3];
            queue.push_back(Question { exchange: self.exchange, correlation, call, success: asks.success });
        }
        let here = look.max(REQUEST_HEAD);
        self.left = Some(Left { bytes: len - here, end: End::request(self.exchange, len as u64) });
        let text = asks.detail.iter().fold(call.name(), |name, detail| format!("{name} {detail}"));
        let label = Label { text, changes: call.changes() };
        Ok(Piece::Begin(Begin { exchange: self.exchange, len: here, kind: Kind::Request(label) }))
    }

    fn stand_in(&mut self, request: &[u8], _label: &Label, answer: &Answer) -> Result<StandIn, Unfit> {
        let mut queue = self.asked.queue();
        let question = queue.back_mut().filter(|question| question.exchange == self.exchange);
        let question = question.ok_or(Unfit("it wants no answer"))?;
        let stand_in = stand_in::stand_in(question.call, request, answer)?;
        (question.call, question.success) = (stand_in::CALL, Success::Unclear);
        Ok(stand_in)
    }
}

struct Replies {
    asked: Asked,
    address: SocketAddr,
    left: Option<Left>,
    /// What the reply that began last answers.
    call: Option<Call>,
}

impl Reader for Replies {
    fn read(&mut self, bytes: &[u8]) -> Result<Piece, Unreadable> {
        if let Some(piece) = Left::next(&mut self.left, bytes.len()) {
            return Ok(piece);
        }
        let Some(len) = frame_len(bytes, REPLY_HEAD)? else { return Ok(Piece::More) };
        let Some(&[_, _, _, _, c0, c1, c2, c3]) = bytes.first_chunk() else { return Ok(Piece::More) };
        let mut queue = self.asked.queue();
        let place = queue.iter().position(|question| question.correlation == [c0, c1, c2, c3]);
        let Some(question) = place.and_then(|place| queue.get(place).copied()) else {
            return Err(Unreadable("a reply came that no request had asked for"));
        };
        let Question { exchange, call, success, .. } = question;
        let mut end = End { exchange, said: Said::Unclear, code: None, bytes: len as u64 };
        let mut rewritten = None;
        let mut here = REPLY_HEAD;
        let rewrites = rewrite::concerns(call);
        if rewrites && len > REWRITE_MAX {
            return Err(Unreadable("a reply that names brokers is longer than 16 MiB"));
        }
        if rewrites || outcome::concerns(call, len) {
            let Some(frame) = bytes.get(..len) else { return Ok(Piece::More) };
            let body = &frame[REPLY_HEAD..];
            here = len;
            if outcome::concerns(call, len) {
                (end.said, end.code) = outcome::read(call, body, success);
            }
            if rewrites {
                let body = rewrite::rewrite(call, body, self.address)
                    .ok_or(Unreadable("a reply that names brokers has a form that is not known"))?;
                rewritten = Some(framed([c0, c1, c2, c3], &body));
            }
        }
        // Those before it will not be answered any more.
        queue.drain(..=place.unwrap_or_default());
        self.left = Some(Left { bytes: len - here, end });
        self.call = Some(call);
        Ok(Piece::Begin(Begin { exchange, len: here, kind: Kind::Reply { rewritten } }))
    }

    fn fail(&self, reply: &[u8], error: Option<&ErrorReply>) -> Result<MadeUp, Unfit> {
        stand_in::fail(self.call.ok_or(stand_in::UNKNOWN)?, reply, error)
    }
}

/// The length of the frame at the start of `bytes`, its own four bytes included.
fn frame_len(bytes: &[u8], head: usize) -> Result<Option<usize>, Unreadable> {
    let Some(prefix) = bytes.first_chunk() else { return Ok(None) };
    let len = usize::try_from(i32::from_be_bytes(*prefix)).unwrap_or(usize::MAX).saturating_add(4);
    if (head..=FRAME_MAX).contains(&len) { Ok(Some(len)) } else { Err(Unreadable("a frame has an impossible length")) }
}

fn framed(correlation: [u8; 4], body: &[u8]) -> Vec<u8> {
    // At most REWRITE_MAX and a few bytes for each address: far below the limit of an i32.
    let len = (body.len() + correlation.len()) as u32;
    [&len.to_be_bytes()[..], &correlation, body].concat()
}
