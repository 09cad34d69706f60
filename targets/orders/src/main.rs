//! The reference order service: what fireassay demands of a service that takes orders and charges for them, done in the
//! plainest way that is correct.
//!
//! # How an order goes
//! The api writes the order and its event in one transaction ([`orders`]). The [`relay`] publishes the event. A worker
//! takes it from the topic and writes down that the order is to be charged: the order's next state, the event's id in the
//! inbox, and a row in `payments`, in one transaction; only then it commits the offset (`worker::intake`). That is all
//! that a partition waits for. Another loop picks the payments that are due, charges, and writes what came of it
//! (`worker::cashier`).
//!
//! So the topic only carries the news, and the database has the work. An order whose charge has to wait, because the
//! gateway said so or because it failed, holds up no other; a rebalance interrupts no payment; and how often something
//! was tried and when it may be tried again survive every process.
//!
//! # Why an order is charged once
//! Every charge of an order has the order's id as its key at the gateway. In case that the gateway forgets keys, an attempt
//! is written down before it begins, and after one whose end is not known the gateway is asked for the order's charges
//! before another one is sent. Whoever finds a charge, or a decline, may write it down, be it late or twice: the state
//! changes only from PAYMENT_PENDING and only at the expected version. What is no fact but a count (a failed attempt, a
//! pause, a dead letter) is written only by whoever holds the claim on the payment.
//!
//! # Whose fault it is
//! A database or a broker that is away is not the event's fault: it is waited for, without a limit and without counting.
//! So is a gateway to which no connection can be made. What the gateway fails to do with a charge counts, three times;
//! then a person has to look ([`orders::letters`]).
//!
//! Read it in this order: `migrations/`, [`orders`], [`relay`], [`worker`], [`gateway`], and how connections are trusted in `reference_common`. [`defects`] lists the
//! mistakes that can be switched on, each at the place where people make it.

mod api;
mod config;
mod defects;
mod domain;
mod gateway;
mod kafka;
mod orders;
mod relay;
mod worker;

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
            Command::Worker(config) => worker::run(config).await,
        }
    })
}
