//! Records that are published once more: a producer's retry after a failover, a replayed topic, a mirror that begins again.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedMessage;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message as _, Offset, Timestamp, TopicPartitionList};

use super::{ANSWER_DEADLINE, Kafka, POLL, failure};
use crate::sandbox::ServiceError;

/// The largest record that is copied, in bytes.
const RECORD_BYTES_MAX: &str = "16777216";

/// Where a record went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The partition, of both.
    pub partition: i32,
    /// Where it was.
    pub of: i64,
    /// Where it is a second time.
    pub to: i64,
}

impl Kafka {
    /// Appends up to `count` records of a topic again, each to its own partition, in the order that they have there. The
    /// seed says which. Only committed records are taken: what was aborted was never published.
    ///
    /// # Errors
    /// When Kafka is not there or has no such topic, and nothing was appended.
    pub async fn reproduce(&self, topic: &str, count: usize, seed: u64) -> Result<Vec<Copied>, ServiceError> {
        let failed = |why: &dyn std::fmt::Display| failure(format!("append records of the topic `{topic}` again"), why);
        let (client, name) = (self.client(), topic.to_owned());
        let read = tokio::task::spawn_blocking(move || read(&client, &name, count, seed)).await;
        let records = read.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        let producer: FutureProducer = once(self.client()).create().map_err(|error| failed(&error))?;
        // All at once: they are queued in this order, and a wait for each answer may take a second.
        let sent = records.iter().map(|record| producer.send(again(record), ANSWER_DEADLINE));
        let sent = futures::future::join_all(sent).await;
        let mut copied = Vec::new();
        let mut refused = None;
        for (record, sent) in records.iter().zip(sent) {
            match sent {
                Ok(at) => copied.push(Copied { partition: at.partition, of: record.offset(), to: at.offset }),
                Err((error, _)) => refused = Some(error),
            }
        }
        // What was appended has to be told, whatever became of the rest.
        match refused {
            Some(error) if copied.is_empty() => Err(failed(&error)),
            _ => Ok(copied),
        }
    }
}

/// A producer that appends each record once: what is in doubt is not sent again.
pub(super) fn once(mut client: ClientConfig) -> ClientConfig {
    client.set("acks", "all").set("message.send.max.retries", "0").set("linger.ms", "0");
    client.set("message.max.bytes", RECORD_BYTES_MAX);
    client
}

/// A consumer of committed records that says where a partition ends.
pub(super) fn reader(client: &ClientConfig) -> ClientConfig {
    let mut client = client.clone();
    // librdkafka wants the name of a group, which is never joined.
    client.set("group.id", "fireassay-reproduce").set("enable.auto.commit", "false");
    client.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
    client.set("auto.offset.reset", "earliest").set("fetch.wait.max.ms", "10");
    client
}

fn again(record: &OwnedMessage) -> FutureRecord<'_, [u8], [u8]> {
    FutureRecord {
        topic: record.topic(),
        partition: Some(record.partition()),
        payload: record.payload(),
        key: record.key(),
        timestamp: match record.timestamp() {
            Timestamp::CreateTime(at) => Some(at),
            // The broker would not take ours.
            Timestamp::NotAvailable | Timestamp::LogAppendTime(_) => None,
        },
        headers: record.headers().cloned(),
    }
}

fn read(client: &ClientConfig, topic: &str, count: usize, seed: u64) -> Result<Vec<OwnedMessage>, KafkaError> {
    let end = Instant::now() + ANSWER_DEADLINE;
    let consumer: BaseConsumer = reader(client).create()?;
    let mut wanted = loop {
        match draw(&consumer, topic, count, seed) {
            Err(error) if is_passing(&error) && Instant::now() < end => std::thread::sleep(POLL),
            drawn => break drawn?,
        }
    };
    let mut assignment = TopicPartitionList::new();
    for (partition, offsets) in &wanted {
        let first = offsets.front().copied().unwrap_or_default();
        assignment.add_partition_offset(topic, *partition, Offset::Offset(first))?;
    }
    consumer.assign(&assignment)?;
    let mut records = Vec::new();
    while !wanted.is_empty() && Instant::now() < end {
        match consumer.poll(POLL) {
            None => {}
            Some(Ok(record)) => {
                let Some(offsets) = wanted.get_mut(&record.partition()) else { continue };
                // An offset may be a transaction's mark or belong to one that was aborted: then the next record is meant.
                let mut is_wanted = false;
                while offsets.front().is_some_and(|offset| *offset <= record.offset()) {
                    offsets.pop_front();
                    is_wanted = true;
                }
                if offsets.is_empty() {
                    wanted.remove(&record.partition());
                }
                if is_wanted {
                    records.push(record.detach());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                wanted.remove(&partition);
            }
            Some(Err(error)) => return Err(error),
        }
    }
    // Partitions come as they like.
    records.sort_by_key(|record| (record.partition(), record.offset()));
    Ok(records)
}

/// Whether the broker is not yet, or for a moment not, in charge of what it is asked about.
fn is_passing(error: &KafkaError) -> bool {
    let passing = [RDKafkaErrorCode::NotLeaderForPartition, RDKafkaErrorCode::LeaderNotAvailable];
    error.rdkafka_error_code().is_some_and(|code| passing.contains(&code))
}

/// Draws offsets evenly from all that the topic has, in order within each partition.
fn draw(
    consumer: &BaseConsumer,
    topic: &str,
    count: usize,
    seed: u64,
) -> Result<BTreeMap<i32, VecDeque<i64>>, KafkaError> {
    let mut ranges = Vec::new();
    for partition in super::partitions(consumer, topic)? {
        let (low, high) = consumer.fetch_watermarks(topic, partition, ANSWER_DEADLINE)?;
        ranges.push((partition, low, usize::try_from(high - low).unwrap_or(0)));
    }
    let total = ranges.iter().map(|(_, _, length)| length).sum();
    let mut chosen = sample(&mut ChaCha8Rng::seed_from_u64(seed), total, count.min(total)).into_vec();
    chosen.sort_unstable();
    let mut drawn: BTreeMap<i32, VecDeque<i64>> = BTreeMap::new();
    let mut chosen = chosen.into_iter().peekable();
    let mut before = 0;
    for (partition, low, length) in ranges {
        while let Some(index) = chosen.next_if(|index| *index < before + length) {
            let offset = low + i64::try_from(index - before).unwrap_or(0);
            drawn.entry(partition).or_default().push_back(offset);
        }
        before += length;
    }
    Ok(drawn)
}
