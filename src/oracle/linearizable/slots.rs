//! What is under way, each thing in a slot of its own, so that sets of them are bits.

use super::UNDER_WAY_MAX;

/// Up to [`UNDER_WAY_MAX`] things under way.
#[derive(Debug)]
pub(super) struct Slots<T> {
    taken: u64,
    content: [T; UNDER_WAY_MAX as usize],
}

impl<T: Copy> Slots<T> {
    /// All free; `nothing` stands in for content.
    pub(super) fn new(nothing: T) -> Self {
        Self { taken: 0, content: [nothing; UNDER_WAY_MAX as usize] }
    }

    /// The slots that are taken, as bits.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes a slot; `None` if there is none left.
    pub(super) fn take(&mut self, content: T) -> Option<u32> {
        let slot = (!self.taken).trailing_zeros();
        *self.content.get_mut(slot as usize)? = content;
        self.taken |= 1 << slot;
        Some(slot)
    }

    /// Frees these slots.
    pub(super) fn free(&mut self, bits: u64) {
        self.taken &= !bits;
    }

    /// What is in the slots of `bits`, each with its bit.
    pub(super) fn of(&self, bits: u64) -> impl Iterator<Item = (T, u64)> {
        let mut left = bits;
        std::iter::from_fn(move || {
            let slot = left.trailing_zeros();
            let content = *self.content.get(slot as usize)?;
            left &= left - 1;
            Some((content, 1 << slot))
        })
    }
}
