//! What Postgres answers.

use super::frame::Frame;
use super::truth::Truth;
use super::{Asked, Question};
use crate::fault::ErrorReply;
use crate::link::protocol::{Begin, End, Kind, MadeUp, Piece, Reader, Unfit, Unreadable};

/// How much of an ErrorResponse is looked at; the code is among the first fields.
const ERROR_MAX: usize = 512;

/// The length of a ReadyForQuery.
const STATUS_LEN: usize = super::frame::HEAD + 1;

/// How much of a CommandComplete is looked at.
const TAG_MAX: usize = 64;

pub(super) struct Replies {
    asked: Asked,
    /// The first ReadyForQuery has come: the connection is open.
    open: bool,
    current: Option<Current>,
    /// To be told next.
    ended: Option<End>,
    /// What is left of a message that passes.
    left: usize,
}

/// The reply that has begun.
struct Current {
    exchange: u64,
    extended: bool,
    /// Its beginning has been told.
    announced: bool,
    truth: Truth,
    /// The status of its ReadyForQuery, once that has come.
    status: u8,
    /// Some of the exchange may stand even if it failed.
    commits_inside: bool,
    bytes: u64,
    /// The server has asked for data, and will not answer a Sync that came before.
    copies_in: bool,
}

/// What a message is to the reply that it belongs to.
enum Step {
    /// A part of it, or of none.
    On,
    /// It takes more bytes to say.
    More,
    /// The last part of it.
    Last(Current),
}

impl Replies {
    pub(super) fn new(asked: Asked) -> Self {
        Self { asked, open: false, current: None, ended: None, left: 0 }
    }

    /// The answer to a request for encryption, which is no message but a single byte.
    fn encryption(&mut self, answer: u8) -> Result<Option<Piece>, Unreadable> {
        if self.open {
            return Ok(None);
        }
        let mut waiting = self.asked.waiting();
        if waiting.encryption == 0 {
            return Ok(None);
        }
        waiting.encryption -= 1;
        match answer {
            b'N' => Ok(Some(Piece::Pass(1))),
            b'S' | b'G' => {
                waiting.encrypted = true;
                Err(Unreadable("the connection is encrypted"))
            }
            // An error, as old servers answer.
            _ => Ok(None),
        }
    }

    /// The reply that a message begins, if it does.
    fn begin(&self, kind: u8) -> Option<Current> {
        // Notices, notifications and changed parameters come at any time.
        if !self.open || matches!(kind, b'N' | b'A' | b'S') {
            return None;
        }
        match self.asked.waiting().questions.front() {
            Some(&Question::Exchange { exchange, extended, commits_inside }) => Some(Current {
                exchange,
                extended,
                announced: false,
                truth: Truth::default(),
                status: 0,
                commits_inside,
                bytes: 0,
                copies_in: false,
            }),
            Some(Question::SyncAfterCopy) | None => None,
        }
    }

    fn step(&mut self, frame: Frame<'_>) -> Result<Step, Unreadable> {
        let body = |max: usize| {
            let len = (frame.len - super::frame::HEAD).min(max);
            frame.body.get(..len)
        };
        match (frame.kind, &mut self.current) {
            (b'C', Some(current)) => {
                let Some(mut tag) = body(TAG_MAX) else { return Ok(Step::More) };
                current.truth.completed(super::frame::take_text(&mut tag));
            }
            (b'E', Some(current)) => {
                let Some(fields) = body(ERROR_MAX) else { return Ok(Step::More) };
                current.truth.failed(fields);
            }
            (b'G', Some(current)) => current.copies_in = true,
            (b'Z', _) if frame.len != STATUS_LEN => return Err(Unreadable("a status has an impossible length")),
            (b'Z', _) => {
                let Some(&[status]) = body(1) else { return Ok(Step::More) };
                if let Some(current) = self.ready(status)? {
                    return Ok(Step::Last(current));
                }
            }
            (kind, _) if !kind.is_ascii_alphanumeric() => {
                return Err(Unreadable("a message has a type that Postgres does not have"));
            }
            _ => {}
        }
        Ok(Step::On)
    }

    /// The reply that is complete with a ReadyForQuery, if one is.
    fn ready(&mut self, status: u8) -> Result<Option<Current>, Unreadable> {
        if !self.open {
            self.open = true;
            return Ok(None);
        }
        let mut waiting = self.asked.waiting();
        let Some(question) = waiting.questions.pop_front() else {
            return Err(Unreadable("a reply came that no request had asked for"));
        };
        let (Question::Exchange { commits_inside, .. }, Some(mut current)) = (question, self.current.take()) else {
            return Ok(None);
        };
        current.status = status;
        // As known now: more of the batch may have come since its reply began.
        current.commits_inside = commits_inside;
        let next = waiting.questions.front();
        if current.extended && current.copies_in && matches!(next, Some(Question::SyncAfterCopy)) {
            waiting.questions.pop_front();
        }
        Ok(Some(current))
    }
}

impl Replies {
    /// Goes through the messages that have arrived, up to the end of a reply.
    fn walk(&mut self, bytes: &[u8]) -> Result<Piece, Unreadable> {
        let mut at = 0;
        let stopped = loop {
            let frame = match Frame::first(&bytes[at..]) {
                Ok(Some(frame)) => frame,
                Ok(None) => break None,
                Err(why) => break Some(why),
            };
            if self.current.is_none()
                && let Some(current) = self.begin(frame.kind)
            {
                if at > 0 {
                    break None;
                }
                self.current = Some(current);
            }
            match self.step(frame) {
                Ok(Step::On) => {
                    at += frame.arrived();
                    self.left = frame.len - frame.arrived();
                    if self.left > 0 {
                        break None;
                    }
                }
                Ok(Step::Last(current)) => {
                    return Ok(self.end(current, at + frame.len));
                }
                Ok(Step::More) => break None,
                Err(why) => break Some(why),
            }
        };
        // What can be read goes before what cannot.
        match stopped {
            Some(why) if at == 0 => Err(why),
            _ => Ok(self.pass(at)),
        }
    }

    fn pass(&mut self, len: usize) -> Piece {
        if len == 0 {
            return Piece::More;
        }
        let Some(current) = &mut self.current else { return Piece::Pass(len) };
        current.bytes += len as u64;
        current.announce(len)
    }

    /// The last `len` bytes of a reply have arrived.
    fn end(&mut self, mut current: Current, len: usize) -> Piece {
        let bytes = current.bytes + len as u64;
        let piece = current.announce(len);
        let (said, code) = current.truth.ready(current.status, current.commits_inside);
        self.ended = Some(End { exchange: current.exchange, said, code, bytes });
        piece
    }
}

impl Current {
    fn announce(&mut self, len: usize) -> Piece {
        if std::mem::replace(&mut self.announced, true) {
            return Piece::Pass(len);
        }
        Piece::Begin(Begin { exchange: self.exchange, len, kind: Kind::Reply { rewritten: None } })
    }
}

impl Reader for Replies {
    fn read(&mut self, bytes: &[u8]) -> Result<Piece, Unreadable> {
        if let Some(end) = self.ended.take() {
            return Ok(Piece::End(end));
        }
        let Some(&first) = bytes.first() else { return Ok(Piece::More) };
        if self.left > 0 {
            let here = self.left.min(bytes.len());
            self.left -= here;
            return Ok(self.pass(here));
        }
        match self.encryption(first)? {
            Some(piece) => Ok(piece),
            None => self.walk(bytes),
        }
    }

    fn fail(&self, reply: &[u8], error: Option<&ErrorReply>) -> Result<MadeUp, Unfit> {
        super::stand_in::fail(reply, error)
    }
}
