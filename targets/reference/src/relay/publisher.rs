//! Handing events to Kafka, and waiting for it to take them.

use std::time::Instant;

use rdkafka::error::KafkaResult;
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::time::timeout_at;

use super::RelayError;
use super::batch::Unsent;
use crate::config;
use crate::defects::{Defect, Defects};
use crate::domain::new_id;
use reference_common::kafka;

/// A producer, for as long as it is above suspicion.
pub(super) struct Publisher {
    brokers: String,
    topic: String,
    name: String,
    producer: Option<FutureProducer>,
    defects: Defects,
}

impl Publisher {
    /// Connects to nothing yet.
    pub(super) fn new(config: &config::Relay) -> Self {
        Self {
            brokers: config.kafka_brokers.clone(),
            topic: config.topic.clone(),
            name: config.instance.clone(),
            producer: None,
            defects: config.defects.clone(),
        }
    }

    /// Puts events into the producer's queue, in order.
    pub(super) fn hand_over(&mut self, events: &[Unsent]) -> Result<Vec<DeliveryFuture>, RelayError> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => kafka::producer(&self.brokers, &self.name)?,
        };
        let handed = events.iter().map(|event| self.enqueue(&producer, event)).collect::<KafkaResult<_>>();
        // Kept even after an error, for `reset` to end it.
        self.producer = Some(producer);
        Ok(handed?)
    }

    fn enqueue(&self, producer: &FutureProducer, event: &Unsent) -> KafkaResult<DeliveryFuture> {
        let mut payload = event.payload.clone();
        if self.defects.has(Defect::NewEventId)
            && let Ok(mut value) = serde_json::from_str::<serde_json::Value>(&payload)
        {
            // Made by filling in the envelope where the message is built, once per attempt.
            value["id"] = new_id().into();
            payload = value.to_string();
        }
        let mut record = FutureRecord::to(&self.topic).key(&event.account).payload(&payload);
        if self.defects.has(Defect::RandomPartition) {
            // Made to spread the load evenly. The events of one account then have no order.
            let partitions = 4;
            record = record.partition(i32::try_from(event.position % partitions).unwrap_or_default());
        }
        producer.send_result(record).map_err(|(error, _)| error)
    }

    /// Waits for the broker and says how many events it has taken, counted up to the first that it has not.
    pub(super) async fn acknowledged(deliveries: Vec<DeliveryFuture>) -> (usize, Result<(), RelayError>) {
        let deadline = tokio::time::Instant::from_std(Instant::now() + kafka::ACKNOWLEDGE_LIMIT);
        let mut count = 0;
        for delivery in deliveries {
            match timeout_at(deadline, delivery).await {
                Ok(Ok(Ok(_))) => count += 1,
                Ok(Ok(Err((error, _)))) => return (count, Err(error.into())),
                Ok(Err(_)) | Err(_) => return (count, Err(RelayError::NotAcknowledged)),
            }
        }
        (count, Ok(()))
    }

    /// Ends the producer with all that is in its queue. A new one takes its place when it is needed.
    pub(super) fn reset(&mut self) {
        if let Some(producer) = self.producer.take() {
            kafka::discard(producer);
        }
    }
}
