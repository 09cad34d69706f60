//! From the topic to the table of payments. A record's offset is committed when the record has been dealt with for good:
//! written down, known before, or buried. If the commit gets lost, or is refused because the partition has a new owner,
//! the record comes again and finds its traces.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use tokio::time::sleep;

use super::Shop;
use super::incoming::{Content, Happened, Incoming};
use super::record::Recorded;
use crate::config;
use crate::defects::Defect;
use crate::domain::{Correlation, EventId, OrderId, State};
use crate::orders::letters::Letter;
use reference_common::store::StoreError;

/// How long to wait before doing again what the database could not do: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// How old an event may be for the defect `drops-old-events`.
const AGE_MAX_MS: i64 = 3_000;

/// Something that the intake gets over by beginning again.
#[derive(Debug, thiserror::Error)]
enum IntakeError {
    #[error("broker: {0}")]
    Broker(#[from] KafkaError),
    #[error("a record was dead-lettered")]
    Buried,
}

/// What was done with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dealt {
    Recorded(Recorded),
    NotOurs,
    Buried,
}

/// Takes records until it is dropped.
pub(super) async fn run(shop: &Shop, config: &config::Worker) {
    loop {
        if let Err(error) = session(shop, config).await {
            tracing::warn!(%error, "beginning again");
        }
        sleep(RETRY.1).await;
    }
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
async fn session(shop: &Shop, config: &config::Worker) -> Result<(), IntakeError> {
    let common = &config.common;
    let by_itself = common.defects.has(Defect::AutoCommit);
    let consumer =
        reference_common::kafka::consumer(&common.kafka_brokers, &common.instance, &config.group, by_itself)?;
    let member = Member(Some(consumer));
    let Some(consumer) = &member.0 else { return Ok(()) };
    consumer.subscribe(&[&common.topic])?;
    loop {
        match consumer.recv().await {
            Ok(message) => take(shop, consumer, &message).await?,
            Err(error @ KafkaError::MessageConsumptionFatal(_)) => return Err(error.into()),
            // The client goes on by itself.
            Err(error) => tracing::warn!(%error, "consuming"),
        }
    }
}

async fn take(shop: &Shop, consumer: &StreamConsumer, message: &BorrowedMessage<'_>) -> Result<(), IntakeError> {
    let defects = &shop.orders.defects;
    let incoming = Incoming::of(message);
    if defects.has(Defect::CommitBeforeProcessing) {
        // Made against duplicates: at most once is once, as long as nothing dies in between.
        tokio::task::block_in_place(|| consumer.commit_message(message, CommitMode::Sync))?;
    }
    let dealt = shop.deal_with(&incoming).await;
    if dealt == Dealt::Buried && defects.has(Defect::LetterWithoutCommit) {
        // Made by an error that is handled (the letter is written) and then thrown all the same: what restarts the
        // consumer knows nothing of letters, and the record is there again.
        return Err(IntakeError::Buried);
    }
    // Made by leaving on what is on by default. The offset is committed when the time has come, wherever we are.
    if !defects.has(Defect::AutoCommit) && !defects.has(Defect::CommitBeforeProcessing) {
        consumer.commit_message(message, CommitMode::Async)?;
    }
    Ok(())
}

impl Shop {
    /// Deals with a record, however long the database is away.
    async fn deal_with(&self, incoming: &Incoming) -> Dealt {
        let mut wait = RETRY.0;
        loop {
            match self.try_to_deal_with(incoming).await {
                // Made by "retry until it works". Some records never do, and nothing behind them is ever read.
                Ok(None) => tracing::warn!(place = incoming.place, "not processed; trying again"),
                Ok(Some(dealt)) => return dealt,
                Err(error) => tracing::warn!(%error, place = incoming.place, "trying again"),
            }
            sleep(wait).await;
            wait = (wait * 2).min(RETRY.1);
        }
    }

    async fn try_to_deal_with(&self, incoming: &Incoming) -> Result<Option<Dealt>, StoreError> {
        let happened = match &incoming.content {
            Content::Event(happened) if happened.state != State::Created => return Ok(Some(Dealt::NotOurs)),
            Content::Event(happened) => happened,
            Content::Unreadable { event, order, reason } => {
                return self.bury(incoming, event.as_ref(), order.as_ref(), reason).await;
            }
        };
        if self.orders.defects.has(Defect::DropsOldEvents) && is_old(incoming) {
            // Made so that a backlog is worked off quickly: whoever ordered so long ago will have given up. But the
            // order was accepted.
            return Ok(Some(Dealt::NotOurs));
        }
        let (order, correlation_id) = (&happened.order, incoming.correlation.as_ref().map(Correlation::as_str));
        let recorded = match self.record_or_charge(incoming, happened).await {
            Err(error) if error.is_refusal() => {
                tracing::warn!(%order, correlation_id, %error, "the database refuses the event");
                let reason = "the database refuses the event";
                return self.bury(incoming, Some(&happened.event), Some(order), reason).await;
            }
            recorded => recorded?,
        };
        tracing::info!(%order, correlation_id, ?recorded, "event");
        match recorded {
            Recorded::New => {
                if self.orders.defects.has(Defect::DedupeInMemory) {
                    self.seen().insert(happened.event.to_string());
                }
                self.work.notify_one();
            }
            Recorded::Repeated => {}
            Recorded::Unknown => {
                return self.bury(incoming, Some(&happened.event), Some(order), "there is no such order").await;
            }
        }
        Ok(Some(Dealt::Recorded(recorded)))
    }

    async fn record_or_charge(&self, incoming: &Incoming, happened: &Happened) -> Result<Recorded, StoreError> {
        if self.orders.defects.has(Defect::ChargeBeforeRecord) {
            return self.charge_first(incoming, happened).await;
        }
        self.record(incoming, happened, Duration::ZERO).await
    }

    async fn bury(
        &self,
        incoming: &Incoming,
        event: Option<&EventId>,
        order: Option<&OrderId>,
        reason: &str,
    ) -> Result<Option<Dealt>, StoreError> {
        if self.orders.defects.has(Defect::NoAttemptLimit) {
            return Ok(None);
        }
        let source = event.map_or_else(|| format!("record {}", incoming.place), Letter::of_event);
        let letter = Letter { source, event, order, reason, payload: &incoming.payload, attempts: 1 };
        self.orders.bury(&letter).await?;
        let correlation_id = incoming.correlation.as_ref().map(Correlation::as_str);
        let (event, order) = (event.map(EventId::as_str), order.map(OrderId::as_str));
        tracing::warn!(event, order, correlation_id, reason, place = incoming.place, "dead-lettered");
        Ok(Some(Dealt::Buried))
    }
}

fn is_old(incoming: &Incoming) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    incoming.published_ms.is_some_and(|published_ms| now_ms - published_ms > AGE_MAX_MS)
}
