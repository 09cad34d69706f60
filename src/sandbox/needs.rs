//! Placeholder for the part `stack`.

use super::StackConfig;

/// One thing the stack needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What it is, for example `java`.
    pub name: &'static str,
    /// Whether the stack can do without it.
    pub optional: bool,
    /// Where it is and which version, or what is wrong.
    pub state: Result<Found, String>,
    /// How to get it.
    pub how: String,
}

/// A need that is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub place: String,
    /// Its version; empty if there is none.
    pub version: String,
}

/// Checks everything.
#[must_use]
pub fn check(config: &StackConfig) -> Vec<Need> {
    let _ = config;
    Vec::new()
}
