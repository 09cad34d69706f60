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
use crate::kafka;

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
    pub(super) fn new(config: &config::Common) -> Self {
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
            None => reference_common::kafka::producer(&self.brokers, &self.name)?,
        };
        let handed = events.iter().map(|event| self.enqueue(&producer, event)).collect::<KafkaResult<_>>();
        // Kept even after an error, for `reset` to end it.
        self.producer = Some(producer);
        Ok(handed?)
    }

    fn enqueue(&self, producer: &FutureProducer, event: &Unsent) -> KafkaResult<DeliveryFuture> {
        // Made where the envelope is mapped onto the broker's record, field by field.
        let correlation = event.correlation.as_deref().filter(|_| !self.defects.has(Defect::CorrelationDropped));
        // Made to spread the load evenly. The events of one order then have no order.
        let random = self.defects.has(Defect::RandomPartitionKey).then(new_id);
        let key = random.as_ref().unwrap_or(&event.order_id);
        let record =
            FutureRecord::to(&self.topic).key(key).payload(&event.payload).headers(kafka::headers(correlation));
        producer.send_result(record).map_err(|(error, _)| error)
    }

    /// Waits for the broker and says how many events it has taken, counted up to the first that it has not.
    pub(super) async fn acknowledged(deliveries: Vec<DeliveryFuture>) -> (usize, Result<(), RelayError>) {
        let deadline = tokio::time::Instant::from_std(Instant::now() + reference_common::kafka::ACKNOWLEDGE_LIMIT);
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
            reference_common::kafka::discard(producer);
        }
    }
}
