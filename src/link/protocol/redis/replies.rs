//! What Redis answers.

use super::element::{NUMBER_MAX, Rest, number};
use super::{Answer, Asked, Question};
use crate::fault::ErrorReply;
use crate::link::protocol::{Begin, Code, End, Kind, MadeUp, Piece, Reader, Said, Unfit, Unreadable};

/// How much of an element is looked at to say what it is.
const LOOK_MAX: usize = 64;

pub(super) struct Replies {
    asked: Asked,
    version: u8,
    /// How many subscriptions the connection has, and how many to channels of a cluster's node.
    subscribed: i64,
    subscribed_shards: i64,
    /// The reply that has begun.
    current: Option<Current>,
    /// What is left of the element that has begun.
    rest: Rest,
    element: Element,
    /// To be told next.
    ended: Option<End>,
}

/// The reply that has begun.
struct Current {
    end: End,
    announced: bool,
}

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    /// It answers nothing.
    Push,
    /// The answer, or the last part of it.
    Last,
    /// A confirmation, of which more have to come or not. Its last element says how many subscriptions there are.
    Confirmation { shard: bool, last: bool },
}

impl Replies {
    pub(super) fn new(asked: Asked) -> Self {
        Self {
            asked,
            version: 2,
            subscribed: 0,
            subscribed_shards: 0,
            current: None,
            rest: Rest::default(),
            element: Element::Push,
            ended: None,
        }
    }

    /// Looks at the element that `bytes` begin with. `false` when it takes more bytes to say what it is.
    fn begin(&mut self, bytes: &[u8]) -> Result<bool, Unreadable> {
        let Some(look) = Look::at(bytes)? else { return Ok(false) };
        let front = self.asked.queue().front().copied();
        let subscribing = matches!(front, Some(Question { answer: Answer::Subscription(_), .. }));
        let may_push = match look.kind {
            b'|' => {
                self.element = Element::Push;
                return Ok(true);
            }
            b'>' => true,
            // Version 2 has no other form for pushes.
            b'*' => self.version == 2 && (subscribing || self.subscribed > 0 || self.subscribed_shards > 0),
            _ => false,
        };
        if may_push {
            let Some(said) = pushed(bytes)? else { return Ok(false) };
            let confirmation = is_confirmation(said);
            if confirmation || look.kind != b'*' || is_message(said) {
                self.element = Element::Push;
                if confirmation {
                    let shard = said.starts_with(b"ss") || said.starts_with(b"sun");
                    self.element = Element::Confirmation { shard, last: self.confirmed() };
                }
                return Ok(true);
            }
        }
        let Some(Question { exchange, answer }) = self.asked.queue().pop_front() else {
            return Err(Unreadable("a reply came that no request had asked for"));
        };
        self.element = Element::Last;
        let (said, code) = look.said(answer);
        match answer {
            Answer::Hello(version) if said == Said::Applied => self.version = version,
            Answer::Reset => (self.version, self.subscribed, self.subscribed_shards) = (2, 0, 0),
            _ => {}
        }
        self.current = Some(Current { end: End { exchange, said, code, bytes: 0 }, announced: false });
        Ok(true)
    }

    /// A confirmation has come: whether it is the last one that answers a command.
    fn confirmed(&mut self) -> bool {
        let mut queue = self.asked.queue();
        let Some(Question { exchange, answer: Answer::Subscription(left) }) = queue.front_mut() else { return false };
        let exchange = *exchange;
        *left -= 1;
        let last = *left == 0;
        if last {
            queue.pop_front();
        }
        let end = End { exchange, said: Said::Applied, code: None, bytes: 0 };
        self.current.get_or_insert(Current { end, announced: false });
        last
    }

    /// `len` bytes of the element that has begun have arrived.
    fn pass(&mut self, len: usize) -> Piece {
        if len == 0 {
            return Piece::More;
        }
        let mut piece = Piece::Pass(len);
        if self.element != Element::Push
            && let Some(current) = &mut self.current
        {
            current.end.bytes += len as u64;
            if !std::mem::replace(&mut current.announced, true) {
                let exchange = current.end.exchange;
                piece = Piece::Begin(Begin { exchange, len, kind: Kind::Reply { rewritten: None } });
            }
        }
        if self.rest.is_done() {
            self.complete();
        }
        piece
    }

    /// The element that has begun is complete.
    fn complete(&mut self) {
        let last = match self.element {
            Element::Push => false,
            Element::Last => true,
            Element::Confirmation { shard, last } => {
                *if shard { &mut self.subscribed_shards } else { &mut self.subscribed } = self.rest.last_number();
                last
            }
        };
        if last {
            self.ended = self.current.take().map(|current| current.end);
        }
    }
}

impl Reader for Replies {
    fn read(&mut self, bytes: &[u8]) -> Result<Piece, Unreadable> {
        if let Some(end) = self.ended.take() {
            return Ok(Piece::End(end));
        }
        if bytes.is_empty() {
            return Ok(Piece::More);
        }
        if self.rest.is_done() {
            if !self.begin(bytes)? {
                return Ok(Piece::More);
            }
            self.rest = if bytes[0] == b'|' { Rest::attributes(bytes)? } else { Rest::one() };
        }
        let len = self.rest.advance(bytes)?;
        Ok(self.pass(len))
    }

    fn fail(&self, _reply: &[u8], error: Option<&ErrorReply>) -> Result<MadeUp, Unfit> {
        super::stand_in::error(error, "ERR upstream failure")
    }
}

/// The beginning of an element.
struct Look<'a> {
    kind: u8,
    /// The first line after the type; only the first bytes of a long one.
    line: &'a [u8],
    /// The beginning of an error that comes as a text.
    text: &'a [u8],
}

impl<'a> Look<'a> {
    fn at(bytes: &'a [u8]) -> Result<Option<Self>, Unreadable> {
        let Some((&kind, after)) = bytes.split_first() else { return Ok(None) };
        let window = &after[..after.len().min(LOOK_MAX)];
        let end = window.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        if end.is_none() && window.len() < LOOK_MAX {
            return Ok(None);
        }
        let mut look = Self { kind, line: &window[..end.unwrap_or(window.len())], text: b"" };
        match kind {
            b'+' | b'-' | b',' | b'#' | b'_' | b'(' => {}
            b'!' => {
                let Some((size, len)) = number(bytes)? else { return Ok(None) };
                let size = usize::try_from(size).unwrap_or(0).min(LOOK_MAX);
                let Some(text) = bytes.get(len..len + size) else { return Ok(None) };
                look.text = text;
            }
            // The line is needed as a whole, to go on from there.
            b'$' | b'=' | b':' | b'*' | b'~' | b'>' | b'%' | b'|' => {
                if number(bytes)?.is_none() {
                    return Ok(None);
                }
            }
            _ => return Err(Unreadable("an element has a type that Redis does not have")),
        }
        Ok(Some(look))
    }

    fn said(&self, answer: Answer) -> (Said, Option<Code>) {
        let nothing = self.kind == b'_' || matches!((self.kind, self.line), (b'*' | b'$', b"-1"));
        match self.kind {
            b'-' => failed(self.line, answer),
            b'!' => failed(self.text, answer),
            b'+' if self.line == b"QUEUED" => (Said::Pending, Code::new(b"QUEUED")),
            _ if nothing && answer == Answer::Exec => (Said::Refused, Code::new(b"nil")),
            _ => (Said::Applied, None),
        }
    }
}

/// What an error says.
fn failed(text: &[u8], answer: Answer) -> (Said, Option<Code>) {
    let code = Code::new(text);
    let word = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    // These come before a script has begun. Any other may come in the midst of it, and what it did until then stands.
    let before = matches!(word, b"NOSCRIPT" | b"MOVED" | b"ASK" | b"LOADING" | b"NOAUTH" | b"EXECABORT");
    let said = if answer == Answer::Script && !before { Said::Unclear } else { Said::Refused };
    (said, code)
}

/// What a push says that it is: the first of its elements, if that is a short text.
fn pushed(bytes: &[u8]) -> Result<Option<&[u8]>, Unreadable> {
    let Some((_, from)) = number(bytes)? else { return Ok(None) };
    let inner = &bytes[from..];
    match inner.first() {
        None if bytes.starts_with(b"*0") || bytes.starts_with(b"*-") || bytes.starts_with(b">0") => Ok(Some(b"")),
        None => Ok(None),
        Some(b'$') => {
            let Some((size, line)) = number(inner)? else { return Ok(None) };
            match usize::try_from(size) {
                Ok(size) if size <= NUMBER_MAX => Ok(inner.get(line..line + size)),
                _ => Ok(Some(b"")),
            }
        }
        Some(_) => Ok(Some(b"")),
    }
}

fn is_confirmation(said: &[u8]) -> bool {
    let plain = said.strip_prefix(b"p").or(said.strip_prefix(b"s")).unwrap_or(said);
    let names: [&[u8]; 2] = [b"subscribe", b"unsubscribe"];
    names.contains(&plain) || names.contains(&said)
}

fn is_message(said: &[u8]) -> bool {
    matches!(said, b"message" | b"pmessage" | b"smessage")
}
