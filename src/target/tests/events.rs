//! The harness's own consumer, against librdkafka's mock broker: good enough for our own client code, not for verdicts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use rdkafka::types::RDKafkaRespErr;
use serde_json::{Value, json};

use super::example::{manifest, target};
use crate::history::{Record, Recorder, What};
use crate::target::{EventMapping, EventReader};

const PATIENCE: Duration = Duration::from_secs(30);
const TOPIC: &str = "run7.payments";

struct World {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: FutureProducer,
    recorder: Arc<Recorder>,
    /// Holds the history's file.
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 2, 1).unwrap();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("reconnect.backoff.max.ms", "200")
            .create()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let recorder = Arc::new(Recorder::create(&PathBuf::from(folder.path()).join("history.jsonl")).unwrap());
        Self { cluster, producer, recorder, _folder: folder }
    }

    async fn reader(&self) -> EventReader {
        let brokers = self.cluster.bootstrap_servers();
        EventReader::start(&brokers, "run7.", &mapping(), None, Arc::clone(&self.recorder)).await.unwrap()
    }

    async fn produce(&self, partition: i32, key: &[u8], value: &[u8]) {
        let record = FutureRecord::to(TOPIC).partition(partition).key(key).payload(value);
        self.producer.send(record, PATIENCE).await.unwrap();
    }

    fn records(&self) -> Vec<Record> {
        self.recorder.with_events(|events| {
            let record = |event: &crate::history::Event| match &event.what {
                What::Record(record) => Some(record.clone()),
                _ => None,
            };
            events.iter().filter_map(record).collect()
        })
    }

    fn fields(&self) -> Vec<Value> {
        self.records().into_iter().map(|record| Value::Object(record.fields)).collect()
    }
}

fn mapping() -> EventMapping {
    let more = "[kafka]\ntopics = [{ name = \"{{ prefix }}payments\", partitions = 2 }]\n\
                [events]\ntopic = \"{{ prefix }}payments\"\nevent = \"$.eventId\"\n";
    target(&manifest(more)).unwrap().events("ledger").unwrap().clone()
}

#[tokio::test]
async fn everything_is_recorded_from_the_beginning() {
    let world = World::new();
    world.produce(0, b"a", br#"{"eventId":"e1","transfer":"t1","more":1}"#).await;
    let reader = world.reader().await;
    reader.caught_up(PATIENCE).await.unwrap();
    let first = Record {
        topic: "payments".into(),
        partition: 0,
        offset: 0,
        key: Some("a".into()),
        headers: std::collections::BTreeMap::new(),
        fields: json!({"event": "e1", "transfer": "t1"}).as_object().unwrap().clone(),
    };
    assert_eq!(world.records(), [first]);

    world.produce(1, b"b", br#"{"eventId":"e2","transfer":"t2"}"#).await;
    world.produce(0, b"a", br#"{"eventId":"e3","transfer":"t3"}"#).await;
    reader.caught_up(PATIENCE).await.unwrap();
    assert_eq!(world.records().len(), 3);
    reader.stop().await.unwrap();
    world.produce(0, b"a", b"{}").await;
    assert_eq!(world.records().len(), 3, "nothing is recorded after the stop");
}

#[tokio::test]
async fn an_empty_topic_is_caught_up_with() {
    let world = World::new();
    let reader = world.reader().await;
    reader.caught_up(PATIENCE).await.unwrap();
    assert!(world.records().is_empty());
    reader.stop().await.unwrap();
}

#[tokio::test]
async fn unreadable_records_are_records() {
    let world = World::new();
    let reader = world.reader().await;
    world.produce(0, b"\xff", b"<html>").await;
    world.produce(0, b"a", br#"{"eventId":"e1"}"#).await;
    world.produce(0, b"a", b"").await;
    reader.caught_up(PATIENCE).await.unwrap();
    let words = ["not JSON", "no `transfer` at `$.transfer`", "empty"];
    for (fields, word) in world.fields().iter().zip(words) {
        assert!(fields["unreadable"].as_str().unwrap().contains(word), "{fields}");
    }
    assert_eq!(world.records().len(), 3);
    assert_eq!(world.records()[0].key, None);
    reader.stop().await.unwrap();
}

#[tokio::test]
async fn a_broker_that_goes_away_and_comes_back() {
    let world = World::new();
    let reader = world.reader().await;
    world.produce(0, b"a", br#"{"eventId":"e1","transfer":"t1"}"#).await;
    reader.caught_up(PATIENCE).await.unwrap();

    world.cluster.broker_down(1).unwrap();
    let error = reader.caught_up(Duration::from_millis(300)).await.unwrap_err().to_string();
    assert!(error.starts_with("failed to read the events of topic run7.payments: "), "{error}");

    world.cluster.broker_up(1).unwrap();
    world.produce(0, b"a", br#"{"eventId":"e2","transfer":"t2"}"#).await;
    reader.caught_up(PATIENCE).await.unwrap();
    let offsets: Vec<_> = world.records().iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [0, 1], "each record once");
    reader.stop().await.unwrap();
}

#[tokio::test]
async fn a_topic_that_is_not_there() {
    let world = World::new();
    world.cluster.topic_error(TOPIC, RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    let brokers = world.cluster.bootstrap_servers();
    let error = EventReader::start(&brokers, "run7.", &mapping(), None, Arc::clone(&world.recorder)).await.unwrap_err();
    assert_eq!(error.topic, TOPIC);
    assert!(error.why.contains("UnknownTopicOrPartition"), "{error}");
}
