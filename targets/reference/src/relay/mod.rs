//! The relay publishes the outbox: every event at least once, and per account in order.
//!
//! # Why the order holds
//! A relay reads the unsent events in the order of the outbox and hands them to one producer in that order. It never goes
//! past an event that was not acknowledged: after a failure it throws the producer away and begins again at the first
//! unsent event. So whoever delivers an event has delivered all earlier ones of that account itself, or has read that
//! they were acknowledged. Two relays at once, a relay that was frozen and wakes up, a reply that got lost: each adds a
//! stream that starts at or before the first missing event and has no gaps, and merging such streams repeats events but
//! does not bring one forward. Repeats are what the stable event id is for.
//!
//! That is why no transaction is held open while the broker is waited for, and why the [`lease`] needs no fencing: it only
//! saves two relays from doing the same work twice. Marking an event as sent states a fact, whoever states it.

mod batch;
mod lease;
mod publisher;

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use rdkafka::error::KafkaError;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::time::sleep;

use crate::config;
use crate::defects::{Defect, Defects};
use crate::shutdown;
use reference_common::store::{self, StoreError};

use lease::Lease;
use publisher::Publisher;

/// How long to wait before looking at an empty outbox again.
const POLL: Duration = Duration::from_millis(50);
/// How long to wait before trying again what failed. It does not grow: one relay is no load worth sparing anyone.
const RETRY: Duration = Duration::from_millis(200);
/// What a statement of the relay may take.
const STATEMENT_LIMIT: Duration = Duration::from_secs(1);

/// Something that the relay gets over by beginning again.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("broker: {0}")]
    Broker(#[from] KafkaError),
    #[error("the broker did not acknowledge in time")]
    NotAcknowledged,
}

/// Publishes until the process is told to end.
///
/// # Errors
/// When the configuration is wrong. Nothing that happens later ends the relay.
pub(crate) async fn run(config: config::Relay) -> Result<(), Box<dyn Error + Send + Sync>> {
    let options = store::options(&config.database_url, &config.instance)?;
    tracing::info!(instance = config.instance, defects = %config.defects, "relaying");
    tokio::select! {
        () = relay(&config, &options) => Ok(()),
        // What is in flight is not waited for: unsent means sent again, by whoever comes next.
        () = shutdown::requested(config.defects.clone()) => Ok(()),
    }
}

async fn relay(config: &config::Relay, options: &PgConnectOptions) {
    let mut lease = Lease::new(&config.instance);
    let mut publisher = Publisher::new(config);
    loop {
        let Err(error) = session(options, &mut lease, &mut publisher, &config.defects).await;
        tracing::warn!(%error, "beginning again");
        publisher.reset();
        if config.defects.has(Defect::RelayGivesUp) && !matches!(error, RelayError::Store(_)) {
            // Made by an error that ends the loop of a background task: the process lives on and looks healthy.
            std::future::pending::<()>().await;
        }
        sleep(RETRY).await;
    }
}

/// Relays over one database connection until something fails.
async fn session(
    options: &PgConnectOptions,
    lease: &mut Lease,
    publisher: &mut Publisher,
    defects: &Defects,
) -> Result<std::convert::Infallible, RelayError> {
    let mut connection = store::connect(options).await?;
    loop {
        let published =
            if lease.held(&mut connection).await? { pass(&mut connection, publisher, defects).await? } else { 0 };
        if published == 0 {
            sleep(POLL).await;
        }
    }
}

/// Publishes what is unsent, up to one batch. Returns how many events that were.
async fn pass(
    connection: &mut PgConnection,
    publisher: &mut Publisher,
    defects: &Defects,
) -> Result<usize, RelayError> {
    let events = batch::unsent(connection).await?;
    if events.is_empty() {
        return Ok(0);
    }
    let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
    let deliveries = publisher.hand_over(&events)?;
    if defects.has(Defect::MarkBeforeAcknowledge) {
        // Made by taking the return of "send" for the delivery. It has only filled a buffer of this process.
        batch::mark(connection, &positions).await?;
    }
    let (acknowledged, outcome) = Publisher::acknowledged(deliveries).await;
    batch::mark(connection, &positions[..acknowledged]).await?;
    match outcome {
        Err(error) if defects.has(Defect::RelaySkips) => {
            // Made so that one bad event cannot block the queue. Every event is bad while the broker is away.
            tracing::error!(%error, "skipping what was not published");
            batch::mark(connection, &positions).await?;
            publisher.reset();
            Ok(positions.len())
        }
        outcome => outcome.map(|()| acknowledged),
    }
}

/// Limits a statement: a connection that went silent must not hold the relay for ever.
async fn limited<T>(
    doing: &'static str,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    store::within(STATEMENT_LIMIT, doing, async { Ok(statement.await?) }).await
}
