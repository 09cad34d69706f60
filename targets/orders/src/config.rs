//! Configuration, by environment.

use std::net::IpAddr;

use clap::{Args, Parser, Subcommand};

use crate::defects::Defects;

/// A correct order service whose mistakes can be switched on.
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
    /// Take orders over HTTP.
    Api(Api),
    /// Publish the outbox to Kafka.
    Relay(Common),
    /// Charge for orders.
    Worker(Worker),
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
    /// The broker, as host:port. The correct api never talks to it: only the relay publishes.
    #[arg(long, env = "KAFKA_BROKERS")]
    pub(crate) kafka_brokers: String,
    /// The topic of orders.
    #[arg(long, env = "TOPIC", default_value = "orders.events")]
    pub(crate) topic: String,
    /// The name of this process in its log.
    #[arg(long, env = "INSTANCE", default_value = "orders")]
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

/// What `worker` needs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Worker {
    /// The consumer group that the workers share.
    #[arg(long, env = "GROUP", default_value = "orders.payments")]
    pub(crate) group: String,
    /// The payment gateway, as an http:// URL without a path.
    #[arg(long, env = "GATEWAY_URL")]
    pub(crate) gateway_url: String,
    /// What every process needs.
    #[command(flatten)]
    pub(crate) common: Common,
}
