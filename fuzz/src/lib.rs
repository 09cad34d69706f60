//! Fuzzing the readers of `src/link/protocol`, without the rest of fireassay: it would take minutes to build.
//!
//! The input has the form of the recordings in `tests/traffic`, which serve as a corpus: chunks in the order in which they
//! passed, each a byte for the direction (odd: a reply), four bytes for its length (big-endian), and its bytes.

mod fault;
mod link;

pub use link::feed::follow;
pub use link::protocol::Protocol;
