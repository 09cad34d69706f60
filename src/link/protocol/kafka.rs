//! Kafka's wire protocol: frames of a length, an api key, a version and a correlation id.
//!
//! A broker tells its clients where to connect to. To keep them on the link, the replies that name brokers are
//! rewritten ([`super::kafka_rewrite`]): Metadata, FindCoordinator, DescribeCluster and Produce. Other calls that
//! would name one are offered in ApiVersions only up to the last version that does not. All other frames pass as
//! they come, without being gathered in memory.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::kafka_rewrite::{self, Call};
use super::{Begin, End, Kind, Label, Piece, Reader, Said, Unreadable};

/// The longest frame believed in; brokers accept 100 MiB by default.
const FRAME_MAX: usize = 1 << 30;

/// The longest reply that is gathered to be rewritten.
const REWRITE_MAX: usize = 16 << 20;

/// The most requests remembered until their replies come. Those that are never answered (Produce with acks=0) are
/// forgotten when a later one is.
const PIPELINE_MAX: usize = 4_096;

/// Length, api key, version, correlation id.
const REQUEST_HEAD: usize = 12;

/// Length, correlation id.
const REPLY_HEAD: usize = 8;

/// Readers for a new connection through the link with this address.
pub(super) fn readers(address: SocketAddr) -> (Box<dyn Reader>, Box<dyn Reader>) {
    let asked = Asked::default();
    let requests = Requests { asked: asked.clone(), exchange: 0, left: None };
    let replies = Replies { asked, address, left: None };
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
}

impl Asked {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Question>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rest of a frame that has begun.
#[derive(Clone, Copy, Debug)]
struct Left {
    exchange: u64,
    bytes: usize,
    /// The length of the whole frame.
    len: usize,
}

impl Left {
    /// The next piece of a frame of which the rest is `left`.
    fn next(left: &mut Option<Self>, available: usize) -> Option<Piece> {
        let frame = left.as_mut()?;
        if frame.bytes == 0 {
            let end = End { exchange: frame.exchange, said: Said::Unclear, code: None, bytes: frame.len as u64 };
            *left = None;
            return Some(Piece::End(end));
        }
        let here = frame.bytes.min(available);
        frame.bytes -= here;
        Some(if here == 0 { Piece::More } else { Piece::Pass(here) })
    }
}

struct Requests {
    asked: Asked,
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
        self.exchange += 1;
        let mut queue = self.asked.queue();
        if queue.len() == PIPELINE_MAX {
            queue.pop_front();
        }
        queue.push_back(Question { exchange: self.exchange, correlation: [c0, c1, c2, c3], call });
        self.left = Some(Left { exchange: self.exchange, bytes: len - REQUEST_HEAD, len });
        let label = Label { text: label(call.key), changes: changes(call.key) };
        Ok(Piece::Begin(Begin { exchange: self.exchange, len: REQUEST_HEAD, kind: Kind::Request(label) }))
    }
}

struct Replies {
    asked: Asked,
    address: SocketAddr,
    left: Option<Left>,
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
        let Question { exchange, call, .. } = question;
        let mut rewritten = None;
        let mut here = REPLY_HEAD;
        if kafka_rewrite::concerns(call) {
            if len > REWRITE_MAX {
                return Err(Unreadable("a reply that names brokers is longer than 16 MiB"));
            }
            let Some(frame) = bytes.get(..len) else { return Ok(Piece::More) };
            let body = kafka_rewrite::rewrite(call, &frame[REPLY_HEAD..], self.address)
                .ok_or(Unreadable("a reply that names brokers has a form that is not known"))?;
            rewritten = Some(framed([c0, c1, c2, c3], &body));
            here = len;
        }
        // Those before it will not be answered any more.
        queue.drain(..=place.unwrap_or_default());
        self.left = Some(Left { exchange, bytes: len - here, len });
        Ok(Piece::Begin(Begin { exchange, len: here, kind: Kind::Reply { rewritten } }))
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

/// Whether a call may change what others see. Heartbeats and the handshakes of groups are left out: they come by
/// themselves, and would use up picks.
fn changes(key: i16) -> bool {
    matches!(key, 0 | 8 | 19 | 20 | 21 | 22 | 24 | 25 | 26 | 28 | 37)
}

fn label(key: i16) -> String {
    let name = match key {
        0 => "Produce",
        1 => "Fetch",
        2 => "ListOffsets",
        3 => "Metadata",
        8 => "OffsetCommit",
        9 => "OffsetFetch",
        10 => "FindCoordinator",
        11 => "JoinGroup",
        12 => "Heartbeat",
        13 => "LeaveGroup",
        14 => "SyncGroup",
        17 => "SaslHandshake",
        18 => "ApiVersions",
        19 => "CreateTopics",
        20 => "DeleteTopics",
        21 => "DeleteRecords",
        22 => "InitProducerId",
        24 => "AddPartitionsToTxn",
        25 => "AddOffsetsToTxn",
        26 => "EndTxn",
        28 => "TxnOffsetCommit",
        37 => "CreatePartitions",
        60 => "DescribeCluster",
        68 => "ConsumerGroupHeartbeat",
        _ => return format!("api {key}"),
    };
    name.to_owned()
}
