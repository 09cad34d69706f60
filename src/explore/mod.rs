//! Looking for faults that find something, and from a finding to something small that can be kept.
//!
//! [`sweep`] puts a fault at every message of a scenario. [`replay`] runs a stored case again and counts how often it shows what
//! it showed, [`shrink`] makes it smaller, and [`regression`] keeps it.
//!
//! **Invariant:** what is tried next, and what is made of the answers, is decided by pure code; running is the runner's.

mod differences;
pub mod load;
pub mod regression;
pub mod replay;
pub mod shrink;
mod signature;
pub mod sweep;

pub use differences::differences;
pub use signature::Signature;
