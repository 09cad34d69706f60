//! Configuration, by environment.

use std::net::IpAddr;

use clap::{Args, Parser, Subcommand};

use crate::defects::Defects;

/// A correct ledger service whose mistakes can be switched on.
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
    /// Take requests over HTTP.
    Api(Api),
    /// Publish the outbox to Kafka.
    Relay(Relay),
}

/// What `setup` needs.
#[derive(Debug, Args)]
pub(crate) struct Setup {
    /// The database, as a postgres:// URL.
    #[arg(long, env = "DATABASE_URL")]
    pub(crate) database_url: String,
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
    /// The database, as a postgres:// URL.
    #[arg(long, env = "DATABASE_URL")]
    pub(crate) database_url: String,
    /// The cache, as a redis:// URL.
    #[arg(long, env = "REDIS_URL")]
    pub(crate) redis_url: String,
    /// The broker, as host:port. The correct service never talks to it from here: only the relay publishes.
    #[arg(long, env = "KAFKA_BROKERS")]
    pub(crate) kafka_brokers: Option<String>,
    /// The topic of transfers.
    #[arg(long, env = "TOPIC", default_value = "ledger.transfers")]
    pub(crate) topic: String,
    /// The name of this process in its log.
    #[arg(long, env = "INSTANCE", default_value = "api")]
    pub(crate) instance: String,
    /// Mistakes to make, by name, separated by commas.
    #[arg(long, env = "REFERENCE_DEFECTS", default_value = "")]
    pub(crate) defects: Defects,
}

/// What `relay` needs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Relay {
    /// The database, as a postgres:// URL.
    #[arg(long, env = "DATABASE_URL")]
    pub(crate) database_url: String,
    /// The broker, as host:port.
    #[arg(long, env = "KAFKA_BROKERS")]
    pub(crate) kafka_brokers: String,
    /// The topic of transfers.
    #[arg(long, env = "TOPIC", default_value = "ledger.transfers")]
    pub(crate) topic: String,
    /// The name of this process in its log.
    #[arg(long, env = "INSTANCE", default_value = "relay")]
    pub(crate) instance: String,
    /// Mistakes to make, by name, separated by commas.
    #[arg(long, env = "REFERENCE_DEFECTS", default_value = "")]
    pub(crate) defects: Defects,
}
