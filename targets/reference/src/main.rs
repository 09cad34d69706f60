//! The reference ledger: what fireassay demands of a service that moves money, done in the plainest way that is correct.
//!
//! Read it in this order: `migrations/`, [`ledger`] (what happens to a request), [`relay`] (how an event leaves), `reference_common::store`
//! (how a database connection is trusted no further than it deserves), [`cache`] (why losing Redis loses nothing).
//! [`defects`] lists the mistakes that can be switched on, each at the place where people make it.

mod api;
mod cache;
mod config;
mod defects;
mod domain;
mod ledger;
mod relay;
mod shutdown;

use std::process::ExitCode;

use clap::Parser;
use reference_common::{process, store};

use crate::config::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    process::run(async {
        match arguments.command {
            Command::Setup(setup) => {
                store::migrate(&setup.database_url, &sqlx::migrate!("./migrations")).await.map_err(Box::from)
            }
            Command::Api(config) => api::run(config).await,
            Command::Relay(config) => relay::run(config).await,
        }
    })
}
