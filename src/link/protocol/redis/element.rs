//! The elements that Redis's streams are made of, passed without being gathered.

use crate::link::protocol::Unreadable;

/// The longest line with a number in it, its end included.
pub(super) const NUMBER_MAX: usize = 32;

/// The most elements believed in.
const ELEMENTS_MAX: u64 = 1 << 32;

/// What is left of an element that has begun: other elements, bytes, or the rest of a line.
#[derive(Debug, Default)]
pub(super) struct Rest {
    elements: u64,
    bytes: u64,
    line: bool,
    /// The last number that was an element of its own.
    number: i64,
}

impl Rest {
    /// One element, of which nothing has been read yet.
    pub(super) fn one() -> Self {
        Self { elements: 1, ..Self::default() }
    }

    /// An element that has `bytes` more, and `elements` after it.
    pub(super) fn of(bytes: u64, elements: u64) -> Self {
        Self { elements, bytes, ..Self::default() }
    }

    /// Attributes alone, without the element after them: `bytes` begin with a complete line that says how many.
    pub(super) fn attributes(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (number, len) = number(bytes)?.unwrap_or_default();
        let elements = u64::try_from(number).unwrap_or(0).saturating_mul(2);
        if elements > ELEMENTS_MAX {
            return Err(Unreadable("an element has an impossible length"));
        }
        Ok(Self::of(len as u64, elements))
    }

    pub(super) fn is_done(&self) -> bool {
        self.elements == 0 && self.bytes == 0 && !self.line
    }

    /// The number of a confirmation is its last element.
    pub(super) fn last_number(&self) -> i64 {
        self.number
    }

    /// How many of `bytes` belong to it, as far as that can be said.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<usize, Unreadable> {
        let mut at = 0;
        loop {
            match self.step(&bytes[at..]) {
                Ok(Some(len)) => at += len,
                // What can be read goes before what cannot.
                Err(why) if at == 0 => return Err(why),
                Ok(None) | Err(_) => return Ok(at),
            }
        }
    }

    /// How many bytes the next part has; `None` when it is complete or more bytes have to come.
    fn step(&mut self, bytes: &[u8]) -> Result<Option<usize>, Unreadable> {
        let Some(&kind) = bytes.first() else { return Ok(None) };
        if self.bytes > 0 {
            let here = usize::try_from(self.bytes).unwrap_or(usize::MAX).min(bytes.len());
            self.bytes -= here as u64;
            return Ok(Some(here));
        }
        if self.line {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            self.line = end.is_none();
            return Ok(Some(end.map_or(bytes.len(), |end| end + 1)));
        }
        if self.elements == 0 {
            return Ok(None);
        }
        let (inner, counts_itself) = match kind {
            b'+' | b'-' | b',' | b'#' | b'_' | b'(' => {
                self.elements -= 1;
                self.line = true;
                return Ok(Some(1));
            }
            b'$' | b'=' | b'!' | b':' => {
                let Some((number, len)) = number(bytes)? else { return Ok(None) };
                self.elements -= 1;
                self.number = number;
                if let (true, Ok(bytes)) = (kind != b':', u64::try_from(number)) {
                    self.bytes = bytes.saturating_add(2);
                }
                return Ok(Some(len));
            }
            b'*' | b'~' | b'>' => (1, true),
            b'%' => (2, true),
            // Attributes, which another element follows.
            b'|' => (2, false),
            _ => return Err(Unreadable("an element has a type that Redis does not have")),
        };
        let Some((number, len)) = number(bytes)? else { return Ok(None) };
        let more = u64::try_from(number).unwrap_or(0).saturating_mul(inner);
        self.elements = (self.elements - u64::from(counts_itself)).saturating_add(more);
        if self.elements > ELEMENTS_MAX {
            return Err(Unreadable("an element has an impossible length"));
        }
        Ok(Some(len))
    }
}

/// The number in the line that `bytes` begin with, after its type, and the length of the line.
pub(super) fn number(bytes: &[u8]) -> Result<Option<(i64, usize)>, Unreadable> {
    let window = &bytes[..bytes.len().min(NUMBER_MAX)];
    let Some(end) = window.iter().position(|byte| *byte == b'\n') else {
        return if window.len() < NUMBER_MAX { Ok(None) } else { Err(Unreadable("a length is no number")) };
    };
    let digits = window.get(1..end).and_then(|line| line.strip_suffix(b"\r"));
    digits.and_then(parsed).map(|number| Some((number, end + 1))).ok_or(Unreadable("a length is no number"))
}

/// As `str::parse`, which would look at every byte twice. Every element has a number or two.
fn parsed(digits: &[u8]) -> Option<i64> {
    let (sign, digits) = match digits {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        rest => (1, rest),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i64, |number, digit| {
        let value = i64::from(digit.wrapping_sub(b'0'));
        if value > 9 { None } else { number.checked_mul(10)?.checked_add(sign * value) }
    })
}
