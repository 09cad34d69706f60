//! Publishing without an outbox, for the defects that do. The correct service never comes here.

use std::time::Duration;

use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::sync::OnceCell;

use super::outbox::Event;
use crate::config;
use reference_common::kafka;

/// What publishing may take of a request's time.
const LIMIT: Duration = Duration::from_secs(1);

/// A producer that is made when it is first needed.
pub(super) struct Publisher {
    brokers: Option<String>,
    topic: String,
    instance: String,
    producer: OnceCell<FutureProducer>,
}

impl Publisher {
    pub(super) fn new(config: &config::Api) -> Self {
        let (brokers, topic, instance) = (config.kafka_brokers.clone(), config.topic.clone(), config.instance.clone());
        Self { brokers, topic, instance, producer: OnceCell::new() }
    }

    /// Publishes an event. An error is logged: the request must not fail for it.
    pub(super) async fn publish(&self, event: &Event) {
        let Some(brokers) = &self.brokers else {
            tracing::error!("KAFKA_BROKERS is not set: the event is lost");
            return;
        };
        let made = self.producer.get_or_try_init(|| async { kafka::producer(brokers, &self.instance) });
        let producer = match made.await {
            Ok(producer) => producer,
            Err(error) => return tracing::error!(%error, "no producer: the event is lost"),
        };
        let payload = event.payload.to_string();
        let record = FutureRecord::to(&self.topic).key(&event.account).payload(&payload);
        match tokio::time::timeout(LIMIT, producer.send(record, LIMIT)).await {
            Ok(Ok(_)) => {}
            Ok(Err((error, _))) => tracing::warn!(%error, event = event.id, "not published"),
            Err(_) => tracing::warn!(event = event.id, "not acknowledged in time"),
        }
    }
}
