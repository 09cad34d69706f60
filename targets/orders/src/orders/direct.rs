//! Publishing without an outbox, and asking for the broker, for the defects that do. The correct service never comes here.

use std::time::Duration;

use rdkafka::error::KafkaResult;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tokio::sync::OnceCell;

use super::Event;
use crate::config;
use crate::domain::{Correlation, OrderId};
use crate::kafka;

/// What publishing may take of a request's time.
const LIMIT: Duration = Duration::from_secs(1);
/// What asking for the broker may take.
const ASK_LIMIT: Duration = Duration::from_millis(300);

/// A producer that is made when it is first needed.
pub(super) struct Publisher {
    brokers: String,
    topic: String,
    instance: String,
    producer: OnceCell<FutureProducer>,
}

impl Publisher {
    pub(super) fn new(config: &config::Common) -> Self {
        let (brokers, topic, instance) = (config.kafka_brokers.clone(), config.topic.clone(), config.instance.clone());
        Self { brokers, topic, instance, producer: OnceCell::new() }
    }

    /// Whether the broker answers.
    pub(super) async fn reaches_broker(&self) -> bool {
        let Ok(producer) = self.producer().await else { return false };
        let (producer, topic) = (producer.clone(), self.topic.clone());
        // The client's own call blocks its thread.
        let asked =
            tokio::task::spawn_blocking(move || producer.client().fetch_metadata(Some(&topic), ASK_LIMIT).is_ok());
        asked.await.unwrap_or(false)
    }

    async fn producer(&self) -> KafkaResult<&FutureProducer> {
        self.producer
            .get_or_try_init(|| async { reference_common::kafka::producer(&self.brokers, &self.instance) })
            .await
    }

    /// Publishes an event. An error is logged: the change must not fail for it.
    pub(super) async fn publish(&self, event: &Event) {
        let correlation = event.correlation.as_ref().map(Correlation::as_str);
        self.send(&event.order, &event.payload().to_string(), correlation).await;
    }

    /// Publishes what was published before.
    pub(super) async fn publish_again(&self, order: &OrderId, payload: &str) {
        self.send(order, payload, None).await;
    }

    async fn send(&self, order: &OrderId, payload: &str, correlation: Option<&str>) {
        let producer = match self.producer().await {
            Ok(producer) => producer,
            Err(error) => return tracing::error!(%error, "no producer: the event is lost"),
        };
        let record =
            FutureRecord::to(&self.topic).key(order.as_str()).payload(payload).headers(kafka::headers(correlation));
        match tokio::time::timeout(LIMIT, producer.send(record, LIMIT)).await {
            Ok(Ok(_)) => {}
            Ok(Err((error, _))) => tracing::warn!(%error, %order, "not published"),
            Err(_) => tracing::warn!(%order, "not acknowledged in time"),
        }
    }
}
