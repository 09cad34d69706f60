//! Manifests as specifications, and drivers against targets that behave badly.

mod containers;
mod driver;
mod events;
mod example;
mod manifest;
mod publish;
mod sql;
