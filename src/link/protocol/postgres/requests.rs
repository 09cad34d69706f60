//! What clients send to Postgres.

use super::batch::Batch;
use super::frame::{Frame, HEAD};
use super::statements::Statements;
use super::{Asked, Question, stand_in};
use crate::link::protocol::{Answer, Begin, End, Kind, Label, Piece, Reader, StandIn, Unfit, Unreadable};

/// The most of a batch that is held back until its end is there.
const HOLD_MAX: usize = 64 << 10;

/// The longest message that opens a connection; Postgres takes no longer one.
const STARTUP_MAX: usize = 10_000;

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

pub(super) struct Requests {
    asked: Asked,
    phase: Phase,
    statements: Statements,
    /// The exchange that began last.
    exchange: u64,
    /// The batch that has begun or is held back.
    batch: Batch,
    /// Its end, once it has begun.
    open: Option<End>,
    /// How many bytes of the batch that is held back are in it already.
    held: usize,
    /// What is left of a message that passes, and whether it is the last one of its exchange.
    left: usize,
    last: bool,
    copy: Copy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Startup,
    Messages,
    /// Nothing follows a request to cancel.
    Cancelled,
}

/// A client's copy of data by the extended protocol, outside of a batch: its Sync may come before the data as well as
/// after it, and only one is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copy {
    No,
    /// A batch ended with a copy.
    Asked,
    /// The data ended.
    Done,
}

impl Requests {
    pub(super) fn new(asked: Asked) -> Self {
        Self {
            asked,
            phase: Phase::Startup,
            statements: Statements::default(),
            exchange: 0,
            batch: Batch::default(),
            open: None,
            held: 0,
            left: 0,
            last: false,
            copy: Copy::No,
        }
    }

    fn startup(&mut self, bytes: &[u8]) -> Result<Piece, Unreadable> {
        let Some(&[l0, l1, l2, l3, c0, c1, c2, c3]) = bytes.first_chunk() else { return Ok(Piece::More) };
        let len = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        if !(8..=STARTUP_MAX).contains(&len) {
            return Err(Unreadable("a connection does not begin as Postgres's do"));
        }
        match u32::from_be_bytes([c0, c1, c2, c3]) {
            SSL | GSS if len == 8 => self.asked.waiting().ask_for_encryption()?,
            CANCEL => self.phase = Phase::Cancelled,
            code if code >> 16 == 3 => self.phase = Phase::Messages,
            _ => return Err(Unreadable("a connection does not begin as Postgres's do")),
        }
        Ok(self.pass(len, bytes.len(), false))
    }

    /// Passes as much of a message of `len` bytes as has arrived.
    fn pass(&mut self, len: usize, arrived: usize, last: bool) -> Piece {
        let here = len.min(arrived);
        self.left = len - here;
        self.last = last;
        if let Some(end) = &mut self.open {
            end.bytes += here as u64;
        }
        if here == 0 { Piece::More } else { Piece::Pass(here) }
    }

    /// Between batches, and in one that is held back.
    fn gather(&mut self, bytes: &[u8]) -> Result<Piece, Unreadable> {
        let window = &bytes[..bytes.len().min(HOLD_MAX)];
        loop {
            let at = self.held;
            let Some(frame) = Frame::first(&window[at..])? else {
                return self.wait_or_begin(window.len(), at);
            };
            match frame.kind {
                // Data, or a password: it belongs to no batch.
                b'd' | b'c' | b'f' | b'p' if at == 0 => {
                    if self.copy == Copy::Asked && frame.kind != b'd' {
                        self.copy = Copy::Done;
                    }
                    return Ok(self.pass(frame.len, frame.arrived(), false));
                }
                // Data in a batch: its client does not wait for an answer, and there may be more than can be held.
                b'd' | b'c' | b'f' => return self.begin(at, 0, false),
                b'p' => return Err(Unreadable("a password came in the middle of a batch")),
                b'Q' | b'F' if at > 0 => return Err(Unreadable("a query came in the middle of a batch")),
                b'S' if at == 0 && self.copy == Copy::Done => {
                    self.copy = Copy::No;
                    self.asked.waiting().ask(Question::SyncAfterCopy)?;
                    return Ok(self.pass(frame.len, frame.arrived(), false));
                }
                _ => {}
            }
            let last = is_last(frame.kind);
            if !frame.is_complete() {
                if window.len() < HOLD_MAX {
                    return Ok(Piece::More);
                }
                self.batch.add(frame, &mut self.statements)?;
                return self.begin(window.len(), at + frame.len - window.len(), last);
            }
            self.batch.add(frame, &mut self.statements)?;
            self.held = at + frame.len;
            if last {
                return self.end(self.held, frame.kind);
            }
            if frame.kind == b'H' {
                // The client waits for an answer. What only prepares is no exchange yet: what it prepares for is.
                if self.batch.executes() {
                    return self.begin(self.held, 0, false);
                }
                let len = std::mem::take(&mut self.held);
                return Ok(self.pass(len, len, false));
            }
        }
    }

    fn wait_or_begin(&mut self, arrived: usize, at: usize) -> Result<Piece, Unreadable> {
        if arrived < HOLD_MAX { Ok(Piece::More) } else { self.begin(at, 0, false) }
    }

    /// A batch begins that is complete.
    fn end(&mut self, len: usize, kind: u8) -> Result<Piece, Unreadable> {
        let mut label = self.batch.label(true);
        if kind == b'X' {
            if len == HEAD {
                label = Label { text: "terminate".to_owned(), changes: false };
            }
            return Ok(self.announce(len, label, 0, true));
        }
        self.ask(kind == b'S')?;
        Ok(self.announce(len, label, 0, true))
    }

    /// A batch begins of which `len` bytes have arrived, `left` bytes of the message at their end are missing, and
    /// perhaps more messages.
    fn begin(&mut self, len: usize, left: usize, last: bool) -> Result<Piece, Unreadable> {
        let label = self.batch.label(last);
        self.ask(!last)?;
        Ok(self.announce(len, label, left, last))
    }

    fn ask(&mut self, extended: bool) -> Result<(), Unreadable> {
        let exchange = self.exchange + 1;
        let commits_inside = self.batch.commits_inside();
        self.copy = if extended && self.batch.copies_in() { Copy::Asked } else { Copy::No };
        self.asked.waiting().ask(Question::Exchange { exchange, extended, commits_inside })
    }

    fn announce(&mut self, len: usize, label: Label, left: usize, last: bool) -> Piece {
        self.exchange += 1;
        self.held = 0;
        self.left = left;
        self.last = last;
        self.open = Some(End::request(self.exchange, len as u64));
        Piece::Begin(Begin { exchange: self.exchange, len, kind: Kind::Request(label) })
    }

    /// The next message of a batch that has begun before its end was there.
    fn follow(&mut self, bytes: &[u8]) -> Result<Piece, Unreadable> {
        let Some(frame) = Frame::first(bytes)? else { return Ok(Piece::More) };
        match frame.kind {
            b'P' | b'B' | b'C' | b'E' => {
                // The names in it are needed, and stand at its beginning.
                if frame.arrived() < frame.len.min(HOLD_MAX) {
                    return Ok(Piece::More);
                }
                let frame = Frame { body: &frame.body[..frame.body.len().min(HOLD_MAX - HEAD)], ..frame };
                self.batch.add(frame, &mut self.statements)?;
                self.correct();
            }
            b'D' | b'H' | b'S' | b'X' | b'd' | b'c' | b'f' => {}
            b'Q' | b'F' => return Err(Unreadable("a query came in the middle of a batch")),
            _ => return Err(Unreadable("a message has a type that Postgres does not have")),
        }
        Ok(self.pass(frame.len, frame.arrived(), is_last(frame.kind)))
    }

    /// The batch that began last does more than was known then.
    fn correct(&mut self) {
        if let Some(Question::Exchange { exchange, commits_inside, .. }) = self.asked.waiting().questions.back_mut()
            && *exchange == self.exchange
        {
            *commits_inside |= self.batch.commits_inside();
        }
    }
}

impl Reader for Requests {
    fn read(&mut self, bytes: &[u8]) -> Result<Piece, Unreadable> {
        if self.left == 0 && self.last {
            self.last = false;
            self.batch = Batch::default();
            if let Some(end) = self.open.take() {
                return Ok(Piece::End(end));
            }
        }
        if bytes.is_empty() {
            return Ok(Piece::More);
        }
        if self.left > 0 {
            return Ok(self.pass(self.left, bytes.len(), self.last));
        }
        match self.phase {
            Phase::Startup if self.asked.waiting().encrypted => Err(Unreadable("the connection is encrypted")),
            Phase::Startup => self.startup(bytes),
            Phase::Messages if self.open.is_some() => self.follow(bytes),
            Phase::Messages => self.gather(bytes),
            Phase::Cancelled => Ok(Piece::Pass(bytes.len())),
        }
    }

    fn holdable(&self, _beginning: &[u8]) -> Result<(), Unfit> {
        if self.left > 0 || !self.last {
            return Err(Unfit("longer than 64 KiB, or answered in parts"));
        }
        if self.batch.copies_in() { Err(Unfit("it goes on with a copy of data")) } else { Ok(()) }
    }

    fn stand_in(&mut self, _request: &[u8], label: &Label, answer: &Answer) -> Result<StandIn, Unfit> {
        // One ReadyForQuery answers it, as it would have answered what it stands for.
        stand_in::stand_in(&label.text, answer)
    }
}

/// Whether a message is the last one of its exchange.
fn is_last(kind: u8) -> bool {
    matches!(kind, b'Q' | b'F' | b'S' | b'X')
}
