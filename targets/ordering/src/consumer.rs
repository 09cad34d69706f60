//! From the topic to the entities. A record's offset is committed when the record has been dealt with for good. If the
//! commit gets lost, or is refused because the partition has a new owner, the record comes again and finds its traces.

use std::error::Error;
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use reference_common::store::StoreError;
use reference_common::{kafka, shutdown, store};
use tokio::time::sleep;

use crate::config;
use crate::defects::Defect;
use crate::entities::{Done, Entities, watch};
use crate::event::{Event, as_text};

/// How long to wait before doing again what could not be done: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Applies events until the process is told to end.
///
/// # Errors
/// When the configuration is wrong. Nothing that happens later ends the consumer.
pub(crate) async fn run(config: config::Consumer) -> Result<(), Box<dyn Error + Send + Sync>> {
    let common = &config.common;
    let options = store::options(&common.database_url, &common.instance)?;
    let entities = Entities::new(common)?;
    tracing::info!(instance = common.instance, defects = %common.defects, "consuming");
    let consuming = async {
        loop {
            if let Err(error) = session(&entities, &config).await {
                tracing::warn!(%error, "beginning again");
            }
            sleep(RETRY.1).await;
        }
    };
    tokio::select! {
        // What is in hand is not finished: its offset is not committed, so another instance gets it.
        () = consuming => {}
        () = watch::run(&entities, &config, &options) => {}
        () = shutdown::requested() => {}
    }
    Ok(())
}

/// Leaves its group when it is dropped, elsewhere: that may take a while.
struct Member(Option<StreamConsumer>);

impl Drop for Member {
    fn drop(&mut self) {
        let consumer = self.0.take();
        tokio::task::spawn_blocking(move || drop(consumer));
    }
}

/// Takes records as one member of the group, until something fails for good.
async fn session(entities: &Entities, config: &config::Consumer) -> Result<(), KafkaError> {
    let consumer = kafka::consumer(&config.kafka_brokers, &config.common.instance, &config.group, false)?;
    let member = Member(Some(consumer));
    let Some(consumer) = &member.0 else { return Ok(()) };
    consumer.subscribe(&[&config.source])?;
    loop {
        match consumer.recv().await {
            Ok(message) => take(entities, config, consumer, &message).await?,
            Err(error @ KafkaError::MessageConsumptionFatal(_)) => return Err(error),
            // The client goes on by itself.
            Err(error) => tracing::warn!(%error, "consuming"),
        }
    }
}

async fn take(
    entities: &Entities,
    config: &config::Consumer,
    consumer: &StreamConsumer,
    message: &BorrowedMessage<'_>,
) -> Result<(), KafkaError> {
    let early = config.common.defects.has(Defect::CommitBeforeStoring);
    if early {
        // Made against events that come twice: at most once is once, as long as nothing dies in between.
        tokio::task::block_in_place(|| consumer.commit_message(message, CommitMode::Sync))?;
    }
    deal_with(entities, message).await;
    if !early {
        consumer.commit_message(message, CommitMode::Async)?;
    }
    Ok(())
}

/// Deals with a record, however long the database is away.
async fn deal_with(entities: &Entities, message: &BorrowedMessage<'_>) {
    let place = format!("{}/{}/{}", message.topic(), message.partition(), message.offset());
    let mut wait = RETRY.0;
    loop {
        match try_to_deal_with(entities, message, &place).await {
            Ok(true) => return,
            Ok(false) => tracing::warn!(place, "not taken; trying again"),
            Err(error) if entities.defects.has(Defect::ConsumerEnds) => {
                // Made by a task that nobody watches. It has ended; its process says that all is well, and keeps the
                // partitions.
                tracing::error!(%error, place, "the consumer has ended");
                std::future::pending::<()>().await;
            }
            Err(error) => tracing::warn!(%error, place, "trying again"),
        }
        sleep(wait).await;
        wait = (wait * 2).min(RETRY.1);
    }
}

/// Whether it was dealt with for good.
async fn try_to_deal_with(entities: &Entities, message: &BorrowedMessage<'_>, place: &str) -> Result<bool, StoreError> {
    let value = message.payload().unwrap_or_default();
    let refusal = match Event::read(value) {
        Err(reason) => reason,
        Ok(event) => match entities.take(&event).await {
            Ok(Done::Nothing) => return Ok(false),
            Ok(done) => {
                tracing::debug!(entity = event.entity, sequence = event.sequence, ?done, "event");
                return Ok(true);
            }
            Err(error) if error.is_refusal() => {
                tracing::warn!(%error, place, "the database refuses the event");
                "the database refuses the event"
            }
            Err(error) => return Err(error),
        },
    };
    tracing::warn!(place, reason = refusal, "kept for people to look at");
    entities.bury(place, &as_text(value), refusal).await?;
    Ok(true)
}
