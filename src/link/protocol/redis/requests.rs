//! What clients send to Redis.

use super::commands::{describe, words_to_know};
use super::element::{Rest, number};
use super::{Answer, Asked, Question, stand_in};
use crate::link::protocol::{self, Begin, End, Kind, Label, Piece, Reader, StandIn, Unfit, Unreadable};

/// The longest command that comes as a line; Redis takes no longer one.
const LINE_MAX: usize = 64 << 10;

/// The most arguments believed in.
const ARGS_MAX: i64 = 1 << 30;

/// The longest argument that is looked at.
const WORD_MAX: usize = 64;

pub(super) struct Requests {
    asked: Asked,
    /// The exchange that began last.
    exchange: u64,
    /// The command that has begun.
    open: Option<End>,
    /// What is left of it.
    rest: Rest,
    /// Commands are queued until the transaction ends.
    queues: bool,
}

/// The beginning of a command: the words that name it.
struct Beginning<'a> {
    words: Vec<&'a [u8]>,
    /// How many arguments it has besides its name.
    args: usize,
    len: usize,
    rest: Rest,
}

impl Requests {
    pub(super) fn new(asked: Asked) -> Self {
        Self { asked, exchange: 0, open: None, rest: Rest::default(), queues: false }
    }

    fn begin(&mut self, beginning: Beginning<'_>, bytes: &[u8]) -> Result<Piece, Unreadable> {
        let Beginning { words, args, len, rest } = beginning;
        if words.is_empty() {
            // Nothing was asked, and nothing is answered.
            return Ok(Piece::Pass(len));
        }
        let (label, answer) = describe(&words, args)?;
        self.asked.ask(Question { exchange: self.exchange + 1, answer })?;
        self.exchange += 1;
        match answer {
            Answer::Multi => self.queues = true,
            Answer::Exec | Answer::Discard | Answer::Reset => self.queues = false,
            _ => {}
        }
        self.rest = rest;
        let len = len + self.rest.advance(&bytes[len..]).unwrap_or(0);
        self.open = Some(End::request(self.exchange, len as u64));
        Ok(self.announce(len, label))
    }

    fn announce(&self, len: usize, label: Label) -> Piece {
        Piece::Begin(Begin { exchange: self.exchange, len, kind: Kind::Request(label) })
    }
}

impl Reader for Requests {
    fn read(&mut self, bytes: &[u8]) -> Result<Piece, Unreadable> {
        if self.rest.is_done()
            && let Some(end) = self.open.take()
        {
            return Ok(Piece::End(end));
        }
        let Some(&first) = bytes.first() else { return Ok(Piece::More) };
        if let Some(end) = &mut self.open {
            let len = self.rest.advance(bytes)?;
            end.bytes += len as u64;
            return Ok(if len == 0 { Piece::More } else { Piece::Pass(len) });
        }
        let beginning = if first == b'*' { array(bytes)? } else { line(bytes)? };
        match beginning {
            Some(beginning) => self.begin(beginning, bytes),
            None => Ok(Piece::More),
        }
    }

    fn stand_in(&mut self, request: &[u8], label: &Label, answer: &protocol::Answer) -> Result<StandIn, Unfit> {
        let stand_in = stand_in::stand_in(request, &label.text, answer, self.queues)?;
        if label.text == "MULTI" {
            self.queues = false;
        }
        Ok(stand_in)
    }
}

/// A command as clients write it: an array of texts.
fn array(bytes: &[u8]) -> Result<Option<Beginning<'_>>, Unreadable> {
    let Some((count, mut len)) = number(bytes)? else { return Ok(None) };
    if count > ARGS_MAX {
        return Err(Unreadable("an element has an impossible length"));
    }
    let count = usize::try_from(count).unwrap_or(0);
    let mut words = Vec::new();
    let mut rest = Rest::default();
    let mut known = count.min(1);
    while words.len() < known {
        match bytes.get(len) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(_) => return Err(Unreadable("a command is no list of texts")),
        }
        let Some((size, line)) = number(&bytes[len..])? else { return Ok(None) };
        let size = usize::try_from(size).map_err(|_| Unreadable("an element has an impossible length"))?;
        if size > WORD_MAX {
            // It names nothing.
            words.push(&b"a long word"[..]);
            len += line;
            rest = Rest::of(size as u64 + 2, (count - words.len()) as u64);
            return Ok(Some(Beginning { words, args: count - 1, len, rest }));
        }
        let from = len + line;
        let (Some(word), Some(_)) = (bytes.get(from..from + size), bytes.get(from + size + 1)) else { return Ok(None) };
        words.push(word);
        len = from + size + 2;
        known = count.min(words_to_know(words[0]));
        rest = Rest::of(0, (count - words.len()) as u64);
    }
    Ok(Some(Beginning { words, args: count.saturating_sub(1), len, rest }))
}

/// A command as people type it.
fn line(bytes: &[u8]) -> Result<Option<Beginning<'_>>, Unreadable> {
    let window = &bytes[..bytes.len().min(LINE_MAX)];
    let Some(end) = window.iter().position(|byte| *byte == b'\n') else {
        return if window.len() < LINE_MAX { Ok(None) } else { Err(Unreadable("a command is not Redis's")) };
    };
    let words = || window[..end].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let name = |word: &[u8]| {
        word.len() <= WORD_MAX && word.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
    };
    if !words().take(1).all(name) {
        return Err(Unreadable("a command is not Redis's"));
    }
    let args = words().count().saturating_sub(1);
    let words = words().take(3).map(|word| &word[..word.len().min(WORD_MAX)]).collect();
    Ok(Some(Beginning { words, args, len: end + 1, rest: Rest::default() }))
}
