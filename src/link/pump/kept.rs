//! Messages that do not simply pass.

use crate::link::exchange::{KEPT_MAX, Loss, Taker};
use crate::link::protocol::Label;

/// A message that a fault does something to, as it comes.
pub(super) enum Kept {
    /// A request that passes and is copied, to be delivered again; `None` once it is too long.
    Copied(Option<Vec<u8>>),
    /// A request that waits for its end, to be answered in the upstream's place.
    Withheld { exchange: u64, taker: Taker, label: Label, request: Vec<u8> },
    /// A reply that is swallowed.
    Lost(Loss),
    /// A reply that waits for its end, to be replaced.
    Replaced { loss: Loss, reply: Vec<u8> },
}

/// What becomes of bytes that belong to a message that is kept.
pub(super) enum Fate {
    /// They pass all the same.
    Pass,
    /// They go no further, at least for now.
    Stay,
    /// The message is too long to be kept: it passes after all.
    TooLong,
}

impl Kept {
    /// More of the message has come.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Fate {
        match self {
            Self::Copied(copy) => {
                copy.take_if(|copy| copy.len() + bytes.len() > KEPT_MAX);
                copy.iter_mut().for_each(|copy| copy.extend_from_slice(bytes));
                Fate::Pass
            }
            Self::Lost(_) => Fate::Stay,
            Self::Withheld { request: kept, .. } | Self::Replaced { reply: kept, .. } => {
                if kept.len() + bytes.len() > KEPT_MAX {
                    return Fate::TooLong;
                }
                kept.extend_from_slice(bytes);
                Fate::Stay
            }
        }
    }
}
