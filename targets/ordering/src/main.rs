//! The reference sequenced consumer: what fireassay demands of a service that applies events in the order of their
//! sequences, done in the plainest way that is correct.
//!
//! # How an event goes
//! A consumer takes it from the topic, locks its entity, and does one of three things in one transaction ([`entities`]):
//! the next one is applied, with all that waited for it; an earlier one was applied before, so nothing is done; a later
//! one is held back. Only then it commits the offset. A record that comes again, because of that order, because somebody
//! published it twice or because a zombie still has it, finds what it did: the entity's sequence is all the memory that
//! is needed.
//!
//! # What becomes of a gap
//! An entity that holds something back notes since when it has not come on. When that is longer than anybody has patience,
//! the first missing event is written down as a gap, for people to see ([`entities::watch`]). The entity goes on waiting:
//! to pass it over is a decision of people, not of a clock. Nobody else waits for it.
//!
//! # What is told
//! Each event that was applied is put into an outbox by the same transaction, and the [`relay`] publishes it.
//!
//! Read it in this order: `migrations/`, [`entities`], [`consumer`], [`relay`], [`api`]. [`defects`] lists the mistakes
//! that can be switched on, each at the place where people make it.

mod api;
mod config;
mod consumer;
mod defects;
mod entities;
mod event;
mod relay;

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
            Command::Consumer(config) => consumer::run(config).await,
            Command::Relay(config) => relay::run(config).await,
        }
    })
}
