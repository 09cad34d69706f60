//! Manifests as specifications, and drivers against targets that behave badly.

mod driver;
mod events;
mod example;
mod manifest;
mod publish;
mod sql;
