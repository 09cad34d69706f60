//! What goes wrong, and when.
//!
//! A suite holds [`spec::FaultSpec`]s with ranges and roles; [`resolve`] draws from the seed and
//! yields a [`plan::Plan`] in which nothing is left open; so does [`draw_storm`], from a [`StormSpec`]. The nemesis (in the runner) carries it out.

pub mod answer_spec;
pub mod clock;
mod describe;
mod error_reply;
mod exchange;
mod gateway;
pub mod kafka_errors;
pub mod plan;
mod resolve;
pub mod server;
pub mod spec;
mod storm;

pub use clock::{ClockChange, Rate, Shift};
pub use error_reply::ErrorReply;
pub use exchange::{Act, AtExchange, Pattern, Pick, Repeat};
pub use gateway::{Asked, AtGateway, Does};
pub use plan::{Direction, Edge, Fault, Heal, Node, Plan, RedisData, Step, Storm, Trigger};
pub use resolve::{ResolveError, resolve};
pub use server::{RewindTo, ServerFault, Share};
pub use spec::FaultSpec;
pub use storm::{Kind, StormSpec, Terrain, draw as draw_storm};
