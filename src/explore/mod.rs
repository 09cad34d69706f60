//! From a finding to something small that can be kept: running a stored case again, counting how often it shows what it
//! showed, making it smaller, and keeping it as a regression.
//!
//! **Invariant:** what is tried next, and what is made of the answers, is decided by pure code; running is the runner's.

mod differences;
pub mod load;
pub mod regression;
pub mod replay;
pub mod shrink;
mod signature;

pub use differences::differences;
pub use signature::Signature;
