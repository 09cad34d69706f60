//! Targets: what `target.toml` says, and drivers that speak to what it describes.

mod driver;
mod manifest;

pub use driver::{Driver, DriverError};
pub use manifest::{Expected, ManifestError, Role, Target};
