//! Postgres's frames: a type of one byte, a length of four, and a body.

use crate::link::protocol::Unreadable;

/// Type and length.
pub(super) const HEAD: usize = 5;

/// The longest frame believed in; Postgres allocates no more at once.
const FRAME_MAX: usize = 1 << 30;

/// A frame, as far as it has arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    /// Of the whole frame, its head included.
    pub(super) len: usize,
    /// What has arrived of the body.
    pub(super) body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame that `bytes` begin with, once its head is there.
    pub(super) fn first(bytes: &'a [u8]) -> Result<Option<Self>, Unreadable> {
        let Some(&[kind, a, b, c, d]) = bytes.first_chunk() else { return Ok(None) };
        let len = usize::try_from(i32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX).saturating_add(1);
        if !(HEAD..=FRAME_MAX).contains(&len) {
            return Err(Unreadable("a message has an impossible length"));
        }
        Ok(Some(Self { kind, len, body: &bytes[HEAD..len.min(bytes.len())] }))
    }

    /// How many of its bytes have arrived.
    pub(super) fn arrived(&self) -> usize {
        HEAD + self.body.len()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.arrived() == self.len
    }
}

/// Takes a string that ends with a zero byte, or with what has arrived, from the front of `rest`.
pub(super) fn take_text<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = rest.iter().position(|byte| *byte == 0);
    let (text, after) = rest.split_at(end.unwrap_or(rest.len()));
    *rest = after.get(1..).unwrap_or_default();
    text
}
