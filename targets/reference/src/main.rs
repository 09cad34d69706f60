//! The reference ledger: what fireassay demands of a service that moves money, done in the plainest way that is correct.
//!
//! Read it in this order: `migrations/`, [`ledger`] (what happens to a request), [`relay`] (how an event leaves), [`store`]
//! (how a database connection is trusted no further than it deserves), [`cache`] (why losing Redis loses nothing).
//! [`defects`] lists the mistakes that can be switched on, each at the place where people make it.

mod api;
mod cache;
mod config;
mod defects;
mod domain;
mod kafka;
mod ledger;
mod relay;
mod shutdown;
mod store;

use std::process::ExitCode;

use clap::Parser;

use crate::config::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    // Two workers: the service is meant to run several times on a small machine.
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Setup(setup) => store::migrate(&setup.database_url).await.map_err(Box::from),
            Command::Api(config) => api::run(config).await,
            Command::Relay(config) => relay::run(config).await,
        }
    });
    // Background work (a closing producer, a request whose caller has gone) must not hold up the end.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "ended");
            ExitCode::FAILURE
        }
    }
}
