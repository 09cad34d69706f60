//! Looking for faults that find something.

pub mod sweep;
