//! What the readers expect around them.

pub(crate) mod feed;
#[allow(dead_code, unreachable_pub, unused_imports, reason = "only the readers are used here")]
#[path = "../../src/link/protocol/mod.rs"]
pub(crate) mod protocol;

/// As in `src/link/faults.rs`.
#[allow(dead_code, reason = "as above")]
pub(crate) mod faults {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Way {
        Requests,
        Replies,
    }
}
