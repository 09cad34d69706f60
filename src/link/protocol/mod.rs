//! Readers: where messages begin and end in a stream of bytes, and what they are called.
//!
//! A reader never changes what arrives in which order, and what it cannot read passes as bytes, unless that would let a
//! client past its link ([`Protocol::passes_unread`]).

mod chunked;
mod code;
mod http;
mod kafka;
mod postgres;
mod redis;
mod stand_in;

use std::net::SocketAddr;

use super::faults::Way;
use crate::fault::ErrorReply;
pub(super) use code::Code;
pub(super) use stand_in::{Answer, MadeUp, Reply, StandIn, Unfit};

/// What is spoken on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1. Exchanges are labelled `POST /transfers`, without the query.
    Http,
    /// Version 3 of the protocol. Exchanges are labelled with the shape of their SQL: `COMMIT`,
    /// `insert into postings (id, amount) values (?)`. A connection that becomes encrypted passes as bytes.
    Postgres,
    /// RESP2 and RESP3. Exchanges are labelled `SET`, `XGROUP CREATE`. A connection that becomes a monitor or a replica's,
    /// or on which replies are switched off, passes as bytes from then on.
    Redis,
    /// Exchanges are labelled `Fetch`, `Produce transfers`, `EndTxn commit`. Addresses in replies become the link's, so that clients stay on it; a connection
    /// with a reply that cannot be read is cut. The link leads to one broker.
    Kafka,
    /// Anything else. Bytes only, without exchanges: faults that act on bytes and connections work all the same.
    Bytes,
}

impl Protocol {
    /// Readers for the two directions of a new connection: requests, replies. `address` is the link's. Names that begin
    /// with `prefix` are told without it.
    pub(super) fn readers(self, address: SocketAddr, prefix: &str) -> (Box<dyn Reader>, Box<dyn Reader>) {
        match self {
            Self::Http => http::readers(),
            Self::Kafka => kafka::readers(address, prefix),
            Self::Postgres => postgres::readers(),
            Self::Redis => redis::readers(),
            Self::Bytes => (Box::new(Bytes), Box::new(Bytes)),
        }
    }

    /// Whether a reply that cannot be read may pass. One of Kafka's could name the broker's own address, and lead the
    /// client past the link for good.
    pub(super) fn passes_unread(self, way: Way) -> bool {
        (self, way) != (Self::Kafka, Way::Replies)
    }

    /// Whether a request means the same on another connection.
    pub(super) fn repeats(self) -> bool {
        self == Self::Http
    }
}

/// Follows one direction of a connection.
pub(super) trait Reader: Send {
    /// Says what the unread bytes of the stream begin with. The caller then drops as many as [`Piece::len`] says
    /// before it asks again. Without bytes there is at most an [`Piece::End`] to tell.
    fn read(&mut self, bytes: &[u8]) -> Result<Piece, Unreadable>;

    /// The stream has ended: whether that completes a message, as it does for some replies of HTTP/1.0.
    fn finish(&mut self) -> Option<End> {
        None
    }

    /// Of requests: why the one that has begun with `beginning`, or its reply, cannot be held back until it is complete.
    /// That is so where its client waits for something in between.
    fn holdable(&self, beginning: &[u8]) -> Result<(), Unfit> {
        let _ = beginning;
        Ok(())
    }

    /// Of requests: what goes to the upstream in the place of the one that ended last and has not been passed on. Its
    /// reply is expected from now on.
    fn stand_in(&mut self, request: &[u8], label: &Label, answer: &Answer) -> Result<StandIn, Unfit> {
        let _ = (request, label, answer);
        Err(Unfit("what is spoken here has no answers that can be made up"))
    }

    /// Of replies: the one that ended last as an error; without one, one that leaves doubt.
    fn fail(&self, reply: &[u8], error: Option<&ErrorReply>) -> Result<MadeUp, Unfit> {
        let _ = (reply, error);
        Err(Unfit("what is spoken here has no answers that can be made up"))
    }
}

/// What a stream goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// It takes more bytes to say.
    More,
    /// A message.
    Begin(Begin),
    /// This many bytes that belong to a message that has begun, or to none.
    Pass(usize),
    /// The message is complete.
    End(End),
}

/// The beginning of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Begin {
    /// The exchange it belongs to, counted from 1 on the connection.
    pub(super) exchange: u64,
    /// How many bytes it has.
    pub(super) len: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request(Label),
    Reply {
        /// To be passed on in place of the bytes of [`Begin`].
        rewritten: Option<Vec<u8>>,
    },
}

/// What an exchange is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// Printable and of limited length.
    pub(super) text: String,
    /// Whether it may change something, so that faults can pick it.
    pub(super) changes: bool,
}

/// The end of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The exchange it belongs to.
    pub(super) exchange: u64,
    /// What a reply said about the request. A request says nothing: [`Said::Unclear`].
    pub(super) said: Said,
    /// How a reply said it, for people.
    pub(super) code: Option<Code>,
    /// How many bytes the message had as it came.
    pub(super) bytes: u64,
}

/// What a reply says about what its request changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It worked, and what it changed stands.
    Applied,
    /// It worked inside a transaction that is still open.
    Pending,
    /// It failed: nothing of it stands.
    Refused,
    /// The protocol, or its reader, does not say.
    Unclear,
}

impl End {
    /// The end of a request.
    fn request(exchange: u64, bytes: u64) -> Self {
        Self { exchange, said: Said::Unclear, code: None, bytes }
    }
}

/// Why a stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreadable(pub(super) &'static str);

impl Piece {
    /// How many bytes it covers.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Begin(begin) => begin.len,
            Self::Pass(len) => *len,
            Self::More | Self::End(_) => 0,
        }
    }
}

/// Knows no messages.
#[derive(Debug)]
pub(super) struct Bytes;

impl Reader for Bytes {
    fn read(&mut self, bytes: &[u8]) -> Result<Piece, Unreadable> {
        Ok(if bytes.is_empty() { Piece::More } else { Piece::Pass(bytes.len()) })
    }
}

#[cfg(test)]
mod tests;
