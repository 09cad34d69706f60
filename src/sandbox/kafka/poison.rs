//! Records that nobody can act on: a producer that was cut off, a message of another application, an event of something
//! that was never there.

use std::fmt;
use std::time::Instant;

use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::OwnedMessage;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use serde_json::{Value, json};

use super::reproduce::{once, reader};
use super::{ANSWER_DEADLINE, Kafka, POLL, failure};
use crate::sandbox::ServiceError;

/// Why nobody can act on a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// It ends in the middle.
    Broken,
    /// It is whole, and says nothing that anybody asked for.
    Foreign,
    /// It is like the others, and tells of something that does not exist.
    Unknown,
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "cut off",
            Self::Foreign => "of another shape",
            Self::Unknown => "of something that does not exist",
        })
    }
}

/// A record that was put on a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poisoned {
    /// The partition.
    pub partition: i32,
    /// Where in it.
    pub offset: i64,
    /// Its key.
    pub key: String,
    /// Its value.
    pub payload: String,
    /// Why nobody can act on it.
    pub sort: Sort,
}

impl Kafka {
    /// Appends records to a topic that nobody can act on, of each sort in turn and to each partition in turn. The seed
    /// says what is in them and where they begin. An event of something that does not exist is made of the first record
    /// of a partition, for that is one with which something begins; where none can be made, there are more of the others.
    ///
    /// # Errors
    /// When Kafka is not there or has no such topic, and nothing was appended.
    pub async fn poison(&self, topic: &str, records: usize, seed: u64) -> Result<Vec<Poisoned>, ServiceError> {
        let failed = |why: &dyn fmt::Display| failure(format!("put records on the topic `{topic}`"), why);
        let (client, name) = (self.client(), topic.to_owned());
        let read = tokio::task::spawn_blocking(move || firsts(&client, &name)).await;
        let (mut partitions, firsts) = read.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        partitions.shuffle(&mut random);
        let models: Vec<_> = firsts.iter().filter_map(Model::of).collect();
        let producer: FutureProducer = once(self.client()).create().map_err(|error| failed(&error))?;
        let mut done: Vec<Poisoned> = Vec::new();
        for (number, partition) in (0..records).zip(partitions.iter().copied().cycle()) {
            let (sort, key, payload) = draw(number, &models, &mut random);
            let record = FutureRecord::to(topic).partition(partition).key(&key).payload(&payload);
            match producer.send(record, ANSWER_DEADLINE).await {
                Ok(at) => done.push(Poisoned { partition: at.partition, offset: at.offset, key, payload, sort }),
                // What was appended so far has to be told.
                Err(_) if !done.is_empty() => break,
                Err((error, _)) => return Err(failed(&error)),
            }
        }
        Ok(done)
    }
}

/// An event of the target's own, after which others can be made.
struct Model {
    key: String,
    value: Value,
}

impl Model {
    /// `None` if the record's value is no JSON object that names its key and something else besides.
    fn of(record: &OwnedMessage) -> Option<Self> {
        let key = std::str::from_utf8(record.key()?).ok()?.to_owned();
        let value: Value = serde_json::from_slice(record.payload()?).ok()?;
        let texts = value.as_object()?.values().filter_map(Value::as_str);
        let names: Vec<_> = texts.filter(|text| is_name(text)).collect();
        // Under its own id an event would be a repetition, which may be passed over.
        (names.contains(&&*key) && names.iter().any(|name| *name != key)).then_some(Self { key, value })
    }

    /// The same of something that does not exist: every name in it is a new one. With it comes the new key.
    fn renamed(&self, random: &mut impl Rng) -> (String, Value) {
        let (key, mut value) = (name(random), self.value.clone());
        for text in value.as_object_mut().into_iter().flat_map(|fields| fields.values_mut()) {
            match text.as_str() {
                Some(old) if old == self.key => *text = key.clone().into(),
                Some(old) if is_name(old) => *text = name(random).into(),
                _ => {}
            }
        }
        (key, value)
    }
}

/// Whether a text is the name of one thing: there is a digit in it, and it is no time. `CREATED` and `EUR` are none.
fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_time = bytes.len() >= 10 && bytes[4] == b'-' && bytes[7] == b'-';
    !is_time && bytes.iter().any(u8::is_ascii_digit)
}

/// A name that nothing has, in the form of a random UUID.
fn name(random: &mut impl Rng) -> String {
    let (a, b, c): (u32, u16, u16) = (random.random(), random.random(), random.random());
    let (d, e): (u16, u64) = (random.random(), random.random());
    format!("{a:08x}-{b:04x}-4{:03x}-{:04x}-{:012x}", c & 0xfff, (d & 0x3fff) | 0x8000, e & 0xffff_ffff_ffff)
}

fn draw(number: usize, models: &[Model], random: &mut impl Rng) -> (Sort, String, String) {
    let model = models.get(random.random_range(0..models.len().max(1)));
    match (number % 3, model) {
        (2, Some(model)) => {
            let (key, value) = model.renamed(random);
            (Sort::Unknown, key, value.to_string())
        }
        (0, _) => {
            let (key, value) = match model {
                Some(model) => model.renamed(random),
                None => plain(random),
            };
            let mut whole = value.to_string();
            // Anything short of an object's last brace is none, and half of it is enough to be told by.
            whole.truncate(random.random_range(whole.len() / 2..whole.len()));
            (Sort::Broken, key, whole)
        }
        _ => {
            let (key, value) = plain(random);
            (Sort::Foreign, key, value.to_string())
        }
    }
}

/// What another application might have to say.
fn plain(random: &mut impl Rng) -> (String, Value) {
    let key = name(random);
    let value = json!({ "shipment": key, "parcels": random.random_range(1..9), "route": ["A", "B"] });
    (key, value)
}

/// The partitions of a topic, and the first record of each that has one.
fn firsts(client: &ClientConfig, topic: &str) -> Result<(Vec<i32>, Vec<OwnedMessage>), KafkaError> {
    let end = Instant::now() + ANSWER_DEADLINE;
    let consumer: BaseConsumer = reader(client).create()?;
    let partitions = super::partitions(&consumer, topic)?;
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let (mut missing, mut records) = (partitions.clone(), Vec::new());
    while !missing.is_empty() && Instant::now() < end {
        match consumer.poll(POLL) {
            Some(Ok(record)) if missing.contains(&record.partition()) => {
                missing.retain(|partition| *partition != record.partition());
                records.push(record.detach());
            }
            None | Some(Ok(_)) => {}
            Some(Err(KafkaError::PartitionEOF(at))) => missing.retain(|partition| *partition != at),
            Some(Err(error)) => return Err(error),
        }
    }
    // Partitions come as they like.
    records.sort_by_key(|record| (record.partition(), record.offset()));
    Ok((partitions, records))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        let value =
            r#"{"id":"e-1","order":"o-1","version":1,"state":"CREATED","amount":5,"at":"2026-11-20T17:00:00Z"}"#;
        let record = |key: &str, value: &str| {
            let (key, value) = (Some(key.into()), Some(value.into()));
            OwnedMessage::new(value, key, "t".into(), rdkafka::Timestamp::NotAvailable, 0, 0, None)
        };
        for (key, none) in [("o-1", "{"), ("o-1", "[]"), ("o-2", value), ("o-1", r#"{"order":"o-1","id":7}"#)] {
            assert!(Model::of(&record(key, none)).is_none(), "{none} under {key}");
        }
        Model::of(&record("o-1", value)).expect("it is one")
    }

    #[test]
    fn an_event_of_something_that_does_not_exist_differs_in_its_names_alone() {
        let (key, value) = model().renamed(&mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(value["order"], *key);
        assert!(value["id"] != "e-1" && value["id"] != *key && key != "o-1", "{value}");
        assert_eq!((&value["state"], &value["at"]), (&"CREATED".into(), &"2026-11-20T17:00:00Z".into()));
        assert_eq!((&value["version"], &value["amount"]), (&1.into(), &5.into()));
    }

    #[test]
    fn each_sort_comes_in_turn_and_is_what_it_says() {
        for seed in 0..50 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            for (models, sorts) in [
                (vec![model()], [Sort::Broken, Sort::Foreign, Sort::Unknown]),
                (Vec::new(), [Sort::Broken, Sort::Foreign, Sort::Foreign]),
            ] {
                for (number, expected) in (0..3).zip(sorts) {
                    let (sort, key, payload) = draw(number, &models, &mut random);
                    let value = serde_json::from_str::<Value>(&payload).ok();
                    assert_eq!((sort, key.len()), (expected, 36));
                    assert_eq!(value.is_none(), sort == Sort::Broken, "{payload}");
                    assert!(payload.len() > 10, "{payload}");
                    let state = value.map(|value| value["state"] == "CREATED");
                    assert_eq!(state == Some(true), sort == Sort::Unknown, "{payload}");
                }
            }
        }
    }
}
