//! The chunked transfer coding of HTTP/1.1 (RFC 9112, section 7.1): where it ends.

use super::Unreadable;

/// The longest line of a chunk's size or of a trailer.
const LINE_MAX: usize = 16 << 10;

/// Follows one chunked body.
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In the size of a chunk: its value so far, and how many digits it has.
    Size {
        value: u64,
        digits: u8,
    },
    /// After the size, up to the end of the line: extensions.
    Extension {
        value: u64,
        length: usize,
    },
    /// In a chunk's bytes.
    Data {
        left: u64,
    },
    /// In the end of line after a chunk's bytes.
    DataEnd,
    /// In a line of the trailer.
    Trailer {
        length: usize,
        blank: bool,
    },
    Done,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Self { state: State::Size { value: 0, digits: 0 } }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// How many of `bytes` belong to the body.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<usize, Unreadable> {
        let mut at = 0;
        while at < bytes.len() && !self.is_done() {
            if let State::Data { left } = self.state {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += here;
                let left = left - here as u64;
                self.state = if left == 0 { State::DataEnd } else { State::Data { left } };
                continue;
            }
            self.state = self.state.after(bytes[at])?;
            at += 1;
        }
        Ok(at)
    }
}

impl State {
    /// The state after one byte that is not in a chunk's data.
    fn after(self, byte: u8) -> Result<Self, Unreadable> {
        Ok(match (self, byte) {
            (Self::Size { value, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                if digits == 15 {
                    return Err(Unreadable("a chunk of a body has a size of more than 15 digits"));
                }
                let digit = (byte as char).to_digit(16).map_or(0, u64::from);
                Self::Size { value: value << 4 | digit, digits: digits + 1 }
            }
            (Self::Size { digits: 0, .. }, _) => return Err(Unreadable("a chunk of a body has no size")),
            (Self::Size { value, .. } | Self::Extension { value, .. }, b'\n') => {
                if value == 0 {
                    Self::Trailer { length: 0, blank: true }
                } else {
                    Self::Data { left: value }
                }
            }
            (Self::Size { value, .. }, b'\r' | b';' | b' ' | b'\t') => Self::Extension { value, length: 1 },
            (Self::Size { .. }, _) => return Err(Unreadable("the size of a chunk of a body is no number")),
            (Self::Extension { value, length }, _) if length < LINE_MAX => {
                Self::Extension { value, length: length + 1 }
            }
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size { value: 0, digits: 0 },
            (Self::DataEnd, _) => return Err(Unreadable("a chunk of a body is longer than its size")),
            (Self::Trailer { blank: true, .. }, b'\n') => Self::Done,
            (Self::Trailer { .. }, b'\n') => Self::Trailer { length: 0, blank: true },
            (Self::Trailer { length, blank }, _) if length < LINE_MAX => {
                Self::Trailer { length: length + 1, blank: blank && byte == b'\r' }
            }
            (Self::Extension { .. } | Self::Trailer { .. }, _) => {
                return Err(Unreadable("a line of a chunked body is longer than 16 KiB"));
            }
            (state @ (Self::Data { .. } | Self::Done), _) => state,
        })
    }
}
