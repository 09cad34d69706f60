//! The world a run lives in. (Placeholder for the part `stack`, which replaces this folder.)

mod config;
pub mod needs;

pub use config::StackConfig;
