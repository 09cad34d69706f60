//! Does the suite see? The reference target can make real mistakes on request; each has to be caught
//! by the requirement that names it, and must not be blamed on one that has nothing to do with it.
//!
//! Pure: reading files and running cases is the caller's work.

mod catalogue;
mod hunt;
mod matrix;
mod page;

pub use catalogue::{Catalogue, CatalogueError, Defect, Timing};
pub use hunt::{Conditions, Hunt, Way, with_hunts};
pub use matrix::{Matrix, Row, Sight};
pub use page::page;

/// The environment variable that switches the reference target's defects on.
pub const SWITCH: &str = "REFERENCE_DEFECTS";
