//! The worker: takes events from the topic, and charges for the orders that they tell of.
//!
//! Two loops that meet in the database only. [`intake`] turns events into payments; it must be quick, because a
//! partition waits for it. [`cashier`] makes the payments, whoever's intake they came from.

mod attempt;
mod cashier;
mod incoming;
mod intake;
mod record;

use std::collections::HashSet;
use std::error::Error;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::config;
use crate::gateway::Gateway;
use crate::orders::Orders;
use reference_common::shutdown;

/// What both loops have.
struct Shop {
    orders: Orders,
    gateway: Gateway,
    /// Told when there is a new payment, so that the cashier need not wait until it looks again.
    work: Notify,
    /// For the defect `dedupe-in-memory`: the events that this process has acted on.
    seen: Mutex<HashSet<String>>,
    /// For the defect `breaker-stays-open`: charges in a row that came to nothing.
    failures: AtomicU32,
}

impl Shop {
    fn seen(&self) -> MutexGuard<'_, HashSet<String>> {
        // A set is never half changed, so a panic elsewhere does not spoil it.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works until the process is told to end, and finishes what it has begun.
///
/// # Errors
/// When the configuration is wrong. Nothing that happens later ends the worker.
pub(crate) async fn run(config: config::Worker) -> Result<(), Box<dyn Error + Send + Sync>> {
    let shop = Arc::new(Shop {
        orders: Orders::new(&config.common)?,
        gateway: Gateway::new(&config.gateway_url)?,
        work: Notify::new(),
        seen: Mutex::default(),
        failures: AtomicU32::new(0),
    });
    tracing::info!(instance = config.common.instance, defects = %config.common.defects, "working");
    let (told, ending) = watch::channel(false);
    let cashier = tokio::spawn(cashier::run(Arc::clone(&shop), config.common.clone(), ending));
    tokio::select! {
        // What is in hand is not finished: its offset is not committed, so another worker gets it.
        () = intake::run(&shop, &config) => {}
        () = shutdown::requested() => {}
    }
    told.send_replace(true);
    Ok(cashier.await?)
}
