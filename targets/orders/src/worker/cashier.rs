//! Finds the payments that are due and sees that each is worked on, several at a time: one that waits for the gateway
//! must not keep the others waiting.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Shop;
use crate::config;
use crate::orders::payments;
use reference_common::store::{self, StoreError};

/// How many payments one worker has under way at most.
const PAYMENTS_MAX: usize = 16;
/// How long to wait before looking again whether something is due.
const POLL: Duration = Duration::from_millis(50);
/// How long to wait before trying again what the database could not do.
const RETRY: Duration = Duration::from_millis(200);
/// How long payments under way may take after the process was told to end. What does not is taken up by another worker.
const DRAIN_LIMIT: Duration = Duration::from_secs(4);

/// Makes payments until it is told to end, and finishes what it has begun.
pub(super) async fn run(shop: Arc<Shop>, config: config::Common, mut ending: watch::Receiver<bool>) {
    let mut under_way = JoinSet::new();
    let options = match store::options(&config.database_url, &config.instance) {
        Ok(options) => options,
        Err(error) => return tracing::error!(%error, "the database's URL is none"),
    };
    while let Err(error) = session(&shop, &options, &mut under_way, &mut ending).await {
        tracing::warn!(%error, "beginning again");
        if wait(RETRY, &mut ending).await {
            break;
        }
    }
    let drained = async { while under_way.join_next().await.is_some() {} };
    if timeout(DRAIN_LIMIT, drained).await.is_err() {
        tracing::warn!("some payments did not end in time");
    }
}

/// Waits so long, or until the process was told to end. Returns whether it was.
async fn wait(time: Duration, ending: &mut watch::Receiver<bool>) -> bool {
    timeout(time, ending.wait_for(|told| *told)).await.is_ok()
}

/// Claims payments over one database connection, until something fails or the process is told to end. That is looked at
/// between claims only: a claim that is cut short would have to run out before anybody could go on.
async fn session(
    shop: &Arc<Shop>,
    options: &PgConnectOptions,
    under_way: &mut JoinSet<()>,
    ending: &mut watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let mut connection: PgConnection = store::connect(options).await?;
    loop {
        while under_way.try_join_next().is_some() {}
        let free = PAYMENTS_MAX - under_way.len();
        let due = if free > 0 { payments::claim(&mut connection, free).await? } else { Vec::new() };
        let idle = due.is_empty();
        for payment in due {
            let shop = Arc::clone(shop);
            under_way.spawn(async move { shop.work_on(payment).await });
        }
        let told = tokio::select! {
            told = wait(if idle { POLL } else { Duration::ZERO }, ending) => told,
            () = shop.work.notified() => false,
        };
        if told {
            return Ok(());
        }
    }
}
