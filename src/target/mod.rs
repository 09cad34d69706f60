//! Targets: what `target.toml` says, and drivers that speak to what it describes.
//!
//! Everything that comes from a target is hostile here: replies and records have limits, and nothing in them is trusted to be text.

pub mod compose;
mod container;
mod driver;
mod events;
mod exchange;
mod manifest;
mod mapping;
mod parse;
mod printable;
mod program;
mod publish;
mod ready;
mod render;
mod reply;
mod request;
mod sql;
mod table;
mod template;
mod terrain;
#[cfg(test)]
mod tests;
mod watch;

pub use driver::{Driver, DriverError};
pub use events::{EventError, EventMapping, EventReader};
pub use manifest::{Command, Expected, InContainer, Lack, ManifestError, Ready, Role, Target, Topic, Volume};
pub use render::{Rendered, RenderedContainer, Variables};
pub use watch::Watch;
