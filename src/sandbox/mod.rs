//! The world a run lives in: real Postgres, Redis and Kafka, ours or somebody else's, and the processes or containers of the target.
//!
//! [`Stack`] is shared by all runs of a harness process and is gone when that process ends, however it ends.
//! Invariant: only this module starts or stops anything. Nothing here prints; progress goes to the caller.

pub mod backend;
mod clocks;
pub mod config;
pub mod docker;
pub mod external;
mod ground;
mod instance;
pub mod kafka;
pub mod needs;
mod owner;
pub mod place;
pub mod port;
pub mod postgres;
pub mod process;
pub mod redis;
mod running;
mod server;
pub mod service;
pub mod stack;
mod world;

pub use backend::Backend;
pub use clocks::ClockError;
pub use config::{ConfigError, StackConfig};
pub use ground::Images;
pub use instance::{Instance, InstanceSpec, ReconnectError};
pub use kafka::Kafka;
pub use port::{Port, PortError};
pub use postgres::Postgres;
pub use process::{Process, ProcessSpec, Processes, SpawnError};
pub use redis::{Redis, RedisDatabase};
pub use service::{Killed, ServiceError, StartError};
pub use stack::{Stack, StackError};
pub use world::{Blueprint, Sandbox, SandboxError, target_env};
