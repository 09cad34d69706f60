//! What goes wrong, and when.
//!
//! A suite holds [`spec::FaultSpec`]s with ranges and roles; [`resolve`] draws from the seed and
//! yields a [`plan::Plan`] in which nothing is left open. The nemesis (in the runner) carries it out.

pub mod clock;
mod describe;
mod exchange;
mod gateway;
pub mod plan;
mod resolve;
pub mod spec;

pub use clock::{ClockChange, Rate, Shift};
pub use exchange::{Act, AtExchange, Pattern, Pick, Repeat};
pub use gateway::{Asked, AtGateway, Does};
pub use plan::{Direction, Edge, Fault, Heal, Node, Plan, RedisData, Step, Trigger};
pub use resolve::{ResolveError, resolve};
pub use spec::FaultSpec;
