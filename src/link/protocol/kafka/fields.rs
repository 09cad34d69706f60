//! The fields that Kafka's messages are made of, in their classic and their flexible form (KIP-482).

/// The unread rest of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    pub(super) rest: &'a [u8],
    /// Lengths are variable, and tagged fields may follow.
    pub(super) flexible: bool,
}

/// Every method takes what it is named after; `None` when that is not there.
impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    pub(super) fn int8(&mut self) -> Option<i8> {
        self.array().map(i8::from_be_bytes)
    }

    pub(super) fn int16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    fn array<const LEN: usize>(&mut self) -> Option<[u8; LEN]> {
        self.take(LEN)?.try_into().ok()
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// The number of entries of an array, or of bytes; what is missing has none. A number that cannot be true ends in
    /// `None` soon: every entry takes bytes.
    pub(super) fn count(&mut self) -> Option<u64> {
        if self.flexible {
            return Some(self.varint()?.saturating_sub(1));
        }
        Some(u64::try_from(i32::from_be_bytes(self.array()?)).unwrap_or(0))
    }

    /// A text, or `Some(None)` where it is missing on purpose.
    pub(super) fn text(&mut self) -> Option<Option<&'a [u8]>> {
        let len = if self.flexible { self.varint()?.checked_sub(1) } else { u64::try_from(self.int16()?).ok() };
        let Some(len) = len else { return Some(None) };
        Some(Some(self.take(usize::try_from(len).ok()?)?))
    }

    /// Bytes with their number before them, as in tagged fields.
    pub(super) fn sized(&mut self) -> Option<&'a [u8]> {
        let size = self.varint()?;
        self.take(usize::try_from(size).ok()?)
    }

    pub(super) fn tags(&mut self) -> Option<()> {
        if self.flexible {
            for _ in 0..self.varint()? {
                self.varint()?;
                self.sized()?;
            }
        }
        Some(())
    }
}
