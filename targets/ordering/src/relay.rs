//! The relay publishes the outbox: every event at least once, and per entity in order.
//!
//! It reads what is unsent in the order of the outbox, hands it to one producer in that order, and never goes past what was
//! not acknowledged: after a failure it throws the producer away and begins again at the first unsent one. Two relays at
//! once, as when one was frozen and replaced, each add such a stream, which repeats events and brings none forward. So it
//! needs no lease; readers know an event by its id.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};
use reference_common::store::StoreError;
use reference_common::{kafka, shutdown, store};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::time::{Instant, sleep, timeout_at};

use crate::config;
use crate::defects::Defect;

/// How many events are under way at most.
const BATCH_MAX: i64 = 200;
/// How long to wait before looking at an empty outbox again.
const POLL: Duration = Duration::from_millis(50);
/// How long to wait before trying again what failed.
const RETRY: Duration = Duration::from_millis(200);
/// What a statement may take.
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

#[derive(sqlx::FromRow)]
struct Unsent {
    position: i64,
    entity: String,
    payload: String,
}

/// Publishes until the process is told to end.
///
/// # Errors
/// When the configuration is wrong. Nothing that happens later ends the relay.
pub(crate) async fn run(config: config::Relay) -> Result<(), Box<dyn Error + Send + Sync>> {
    let options = store::options(&config.common.database_url, &config.common.instance)?;
    tracing::info!(instance = config.common.instance, defects = %config.common.defects, "relaying");
    let relaying = async {
        loop {
            let Err(error) = session(&config, &options).await;
            tracing::warn!(%error, "beginning again");
            sleep(RETRY).await;
        }
    };
    tokio::select! {
        () = relaying => Ok(()),
        // What is in flight is not waited for: unsent means sent again, by whoever comes next.
        () = shutdown::requested() => Ok(()),
    }
}

/// Ends its producer elsewhere when it is dropped, with all that is in it.
struct Publisher(Option<FutureProducer>);

impl Drop for Publisher {
    fn drop(&mut self) {
        if let Some(producer) = self.0.take() {
            kafka::discard(producer);
        }
    }
}

/// Relays over one database connection and one producer until something fails.
async fn session(config: &config::Relay, options: &PgConnectOptions) -> Result<Infallible, RelayError> {
    let mut connection = store::connect(options).await?;
    let publisher = Publisher(Some(kafka::producer(&config.kafka_brokers, &config.common.instance)?));
    let Some(producer) = &publisher.0 else { return Err(RelayError::NotAcknowledged) };
    loop {
        if pass(config, &mut connection, producer).await? == 0 {
            sleep(POLL).await;
        }
    }
}

/// Publishes what is unsent, up to one batch. Returns how many events that were.
async fn pass(
    config: &config::Relay,
    connection: &mut PgConnection,
    producer: &FutureProducer,
) -> Result<usize, RelayError> {
    let sql = "select position, entity, payload::text from outbox where sent_at is null order by position limit $1";
    let read = async { Ok(sqlx::query_as(sql).bind(BATCH_MAX).fetch_all(&mut *connection).await?) };
    let events: Vec<Unsent> = store::within(STATEMENT_LIMIT, "reading the outbox", read).await?;
    let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
    let mut sent = Vec::new();
    for event in &events {
        // Made to spread the load evenly. The events of one entity then have no order.
        let random = config.common.defects.has(Defect::RandomPartitionKey).then(|| event.position.to_string());
        let key = random.as_ref().unwrap_or(&event.entity);
        let record = FutureRecord::to(&config.topic).key(key).payload(&event.payload);
        sent.push(producer.send_result(record).map_err(|(error, _)| error)?);
    }
    if config.common.defects.has(Defect::MarkBeforeAcknowledge) {
        // Made by taking the return of "send" for the delivery. It has only filled a buffer of this process.
        mark(connection, &positions).await?;
    }
    let deadline = Instant::now() + kafka::ACKNOWLEDGE_LIMIT;
    let mut acknowledged = 0;
    let mut failure = None;
    for delivery in sent {
        match timeout_at(deadline, delivery).await {
            Ok(Ok(Ok(_))) => acknowledged += 1,
            Ok(Ok(Err((error, _)))) => failure = Some(error.into()),
            Ok(Err(_)) | Err(_) => failure = Some(RelayError::NotAcknowledged),
        }
        if failure.is_some() {
            break;
        }
    }
    mark(connection, &positions[..acknowledged]).await?;
    failure.map_or(Ok(acknowledged), Err)
}

/// Marks events as sent, so that they are not read again.
async fn mark(connection: &mut PgConnection, positions: &[i64]) -> Result<(), StoreError> {
    if positions.is_empty() {
        return Ok(());
    }
    let sql = "update outbox set sent_at = now() where position = any($1) and sent_at is null";
    let write = async { Ok(sqlx::query(sql).bind(positions).execute(connection).await.map(drop)?) };
    store::within(STATEMENT_LIMIT, "marking events as sent", write).await
}
