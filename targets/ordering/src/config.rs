//! Configuration, by environment.

use std::net::IpAddr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::defects::Defects;

/// A correct sequenced consumer whose mistakes can be switched on.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// What to be.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to be.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create the tables, then end.
    Setup(Setup),
    /// Show log, entities and gaps over HTTP.
    Api(Api),
    /// Apply events in the order of their sequences.
    Consumer(Consumer),
    /// Tell of what was applied.
    Relay(Relay),
}

/// What `setup` needs.
#[derive(Debug, Args)]
pub(crate) struct Setup {
    /// The database, as a postgres:// URL.
    #[arg(long, env = "DATABASE_URL")]
    pub(crate) database_url: String,
}

/// What every process needs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// The database, as a postgres:// URL.
    #[arg(long, env = "DATABASE_URL")]
    pub(crate) database_url: String,
    /// The name of this process in its log.
    #[arg(long, env = "INSTANCE", default_value = "ordering")]
    pub(crate) instance: String,
    /// Mistakes to make, by name, separated by commas.
    #[arg(long, env = "REFERENCE_DEFECTS", default_value = "")]
    pub(crate) defects: Defects,
}

/// What `api` needs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Api {
    /// The address to listen on; in a container, all of them: 0.0.0.0.
    #[arg(long, env = "HOST", default_value_t = IpAddr::from([127, 0, 0, 1]))]
    pub(crate) host: IpAddr,
    /// The port to listen on.
    #[arg(long, env = "PORT")]
    pub(crate) port: u16,
    /// What every process needs.
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What `consumer` needs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Consumer {
    /// The broker, as host:port.
    #[arg(long, env = "KAFKA_BROKERS")]
    pub(crate) kafka_brokers: String,
    /// The topic of events to apply.
    #[arg(long, env = "SOURCE", default_value = "ordering.movements")]
    pub(crate) source: String,
    /// The consumer group that the instances share.
    #[arg(long, env = "GROUP", default_value = "ordering")]
    pub(crate) group: String,
    /// How long a missing event is waited for before somebody is told, in milliseconds.
    #[arg(long, env = "PATIENCE_MS", default_value = "30000", value_parser = milliseconds)]
    pub(crate) patience: Duration,
    /// What every process needs.
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What `relay` needs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Relay {
    /// The broker, as host:port.
    #[arg(long, env = "KAFKA_BROKERS")]
    pub(crate) kafka_brokers: String,
    /// The topic to tell in.
    #[arg(long, env = "TOPIC", default_value = "ordering.applied")]
    pub(crate) topic: String,
    /// What every process needs.
    #[command(flatten)]
    pub(crate) common: Common,
}

fn milliseconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}
