//! Algorithms that several profiles share. Pure: no I/O, no clock, nothing of any one profile.

pub mod effects;
pub mod linearizable;
pub mod order;
