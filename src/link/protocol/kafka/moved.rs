//! Messages of Kafka on their way from one form to another.

use super::fields::Fields;

/// A message on its way from `fields` to `out`. Every method moves what it is named after; the rest of `fields` is not
/// moved unless somebody does it.
pub(super) struct Moved<'a> {
    pub(super) fields: Fields<'a>,
    pub(super) out: Vec<u8>,
}

impl<'a> Moved<'a> {
    pub(super) fn new(message: &'a [u8], flexible: bool) -> Self {
        let fields = Fields { rest: message, flexible };
        Self { fields, out: Vec::with_capacity(message.len() + 64) }
    }

    /// Moves what `take` takes, as it is.
    pub(super) fn moved<T>(&mut self, take: impl FnOnce(&mut Fields<'a>) -> Option<T>) -> Option<T> {
        let before = self.fields.rest;
        let taken = take(&mut self.fields)?;
        self.out.extend_from_slice(&before[..before.len() - self.fields.rest.len()]);
        Some(taken)
    }

    pub(super) fn fixed(&mut self, len: usize) -> Option<()> {
        self.moved(|fields| fields.take(len)).map(drop)
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        self.moved(Fields::varint)
    }

    pub(super) fn count(&mut self) -> Option<u64> {
        self.moved(Fields::count)
    }

    pub(super) fn text(&mut self) -> Option<()> {
        self.moved(Fields::text).map(drop)
    }

    pub(super) fn sized(&mut self) -> Option<()> {
        self.moved(Fields::sized).map(drop)
    }

    pub(super) fn tags(&mut self) -> Option<()> {
        self.moved(Fields::tags)
    }

    pub(super) fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    pub(super) fn put_text(&mut self, text: Option<&[u8]>) {
        if self.fields.flexible {
            self.put_varint(text.map_or(0, |text| text.len() as u64 + 1));
        } else {
            self.out.extend_from_slice(&text.map_or(-1, |text| text.len() as i16).to_be_bytes());
        }
        self.out.extend_from_slice(text.unwrap_or_default());
    }
}
