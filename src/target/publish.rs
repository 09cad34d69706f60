//! From calls to records on the topic that a target consumes from.
//!
//! An attempt appends at most one record: the producer does not send again by itself what is in doubt, for that is the
//! callers' business. A record that nobody could deliver is dropped before its caller could try again and again, so that
//! little comes after it was given up; but what was given up may still come, as from any producer.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Map, json};

use super::driver::not_sent;
use super::mapping::PublicationMapping;
use super::template;
use crate::history::{Call, Doubt, Outcome};

/// How long a record may wait in the producer for a broker that is away.
const RECORD_TIMEOUT_MS: &str = "1500";

/// A producer for one topic.
pub(super) struct Publisher {
    producer: FutureProducer,
    topic: String,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Publisher {
    /// Connects in the background.
    pub(super) fn new(brokers: &str, topic: String) -> KafkaResult<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("acks", "all");
        config.set("message.send.max.retries", "0").set("message.timeout.ms", RECORD_TIMEOUT_MS);
        config.set("linger.ms", "0").set("socket.nagle.disable", "true");
        // Back at once after a restart.
        config.set("reconnect.backoff.ms", "10").set("reconnect.backoff.max.ms", "50");
        Ok(Self { producer: config.create()?, topic })
    }

    /// Appends the record of a call, and waits for the broker to say that it has it, `timeout` at most.
    pub(super) async fn publish(&self, mapping: &PublicationMapping, call: &Call, timeout: Duration) -> Outcome {
        let (key, headers, value) = match record(mapping, call) {
            Ok(record) => record,
            Err(why) => return not_sent(&why),
        };
        let record = FutureRecord::to(&self.topic).key(&key).headers(headers).payload(&value);
        match tokio::time::timeout(timeout, self.producer.send(record, Duration::ZERO)).await {
            Ok(Ok(at)) => {
                let reply = [("partition", json!(at.partition)), ("offset", json!(at.offset))];
                let reply = reply.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>();
                Outcome::Ok { status: 0, reply }
            }
            Ok(Err((error, _))) => failed(&error),
            Err(_) => Outcome::Unknown(Doubt::Timeout),
        }
    }
}

type Parts = (String, OwnedHeaders, Vec<u8>);

fn record(mapping: &PublicationMapping, call: &Call) -> Result<Parts, String> {
    let fields = template::context(&call.fields);
    let key = mapping.key.text(&fields)?.ok_or("the record's key needs a field that the call does not have")?;
    let mut headers = OwnedHeaders::new();
    for (name, value) in &mapping.headers {
        if let Some(value) = value.text(&fields)?.filter(|value| !value.is_empty()) {
            headers = headers.insert(Header { key: name, value: Some(&value) });
        }
    }
    let value = mapping.body.fill(&fields)?.unwrap_or_default();
    Ok((key, headers, serde_json::to_vec(&value).map_err(|error| error.to_string())?))
}

fn failed(error: &KafkaError) -> Outcome {
    use RDKafkaErrorCode::{InvalidTopic, MessageSizeTooLarge, MessageTimedOut, QueueFull, UnknownTopicOrPartition};
    match error.rdkafka_error_code() {
        Some(InvalidTopic | MessageSizeTooLarge | QueueFull | UnknownTopicOrPartition) => not_sent(&error.to_string()),
        Some(MessageTimedOut) => Outcome::Unknown(Doubt::Timeout),
        _ => Outcome::Unknown(Doubt::Reset(error.to_string())),
    }
}
