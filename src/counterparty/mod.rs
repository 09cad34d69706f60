//! Services that the harness plays: the outside world of a target, whose record is ground truth.
//!
//! A counterparty listens on an address of its own for each instance, behind that instance's link, so that it knows who
//! calls. Each call is written into the history at the moment at which it takes effect. What it does wrong is a fault of
//! the plan; without one it behaves as its contract says.

mod gateway;

pub use gateway::{Gateway, Misbehaviour};
