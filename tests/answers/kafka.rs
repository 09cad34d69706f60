//! A real broker, and librdkafka.

use std::time::{Duration, Instant};

use fireassay::fault::ErrorReply;
use fireassay::link::{Link, LinkAct, Protocol};
use fireassay::sandbox::Stack;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

use super::{DEADLINE, done, link, on};

pub(super) async fn answers(stack: &Stack) {
    let topics = ["before", "twice", "once", "offsets"];
    stack.kafka().create_topics(&topics.map(|topic| (topic.to_owned(), 1))).await.unwrap();
    let (link, notes) = link(stack.kafka().address(), Protocol::Kafka).await;

    // Not appended: the producer tries again, and there is one record.
    let fault = link.inject(on("Produce before", LinkAct::AnswerError(None)));
    produce(&link, "before", false).await;
    assert_eq!(done(&fault), "answered Produce before with NOT_ENOUGH_REPLICAS in its place (NotSent)");
    assert_eq!(records(stack, "before"), ["record", "end"]);
    let heard = notes.take();
    assert!(heard.contains(&"Produce before: NotSent NOT_ENOUGH_REPLICAS".to_owned()), "{heard:?}");

    // Appended: a producer that cannot tell appends it twice.
    for (topic, idempotent, expected) in [("twice", false, ["record", "record"]), ("once", true, ["record", "end"])] {
        let timed_out = LinkAct::FailReply(Some(ErrorReply::Kafka(7)));
        let fault = link.inject(on(&format!("Produce {topic}"), timed_out));
        produce(&link, topic, idempotent).await;
        assert_eq!(
            done(&fault),
            format!("answered Produce {topic} with REQUEST_TIMED_OUT after it was done (Applied)")
        );
        assert_eq!(records(stack, topic), expected);
        let heard = notes.take();
        assert!(heard.contains(&format!("Produce {topic}: Applied REQUEST_TIMED_OUT")), "{heard:?}");
    }

    let address = (link.address().to_string(), stack.kafka().address().to_string());
    let (committed, found) = tokio::task::spawn_blocking({
        let fault = link.inject(on("OffsetCommit", LinkAct::Swallow));
        move || {
            let (through, past) = (consumer(&address.0), consumer(&address.1));
            let committed = commit(&through, 5);
            let swallowed = done(&fault);
            let first = committed_offset(&past);
            commit(&through, 6).unwrap();
            (committed.map(|()| swallowed), (first, committed_offset(&past)))
        }
    })
    .await
    .unwrap();
    assert_eq!(committed.unwrap(), "swallowed OffsetCommit and answered that it had worked (NotSent)");
    assert_eq!(found, (Offset::Invalid, Offset::Offset(6)));
    assert_eq!(link.counters().degraded_because, None);
}

async fn produce(link: &Link, topic: &str, idempotent: bool) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", link.address().to_string()).set("enable.idempotence", idempotent.to_string());
    let producer: FutureProducer = config.create().unwrap();
    for payload in ["record", "end"] {
        producer.send(FutureRecord::to(topic).payload(payload).key("key"), DEADLINE).await.unwrap();
    }
}

/// The first two.
fn records(stack: &Stack, topic: &str) -> [String; 2] {
    let consumer = consumer(&stack.kafka().address().to_string());
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let start = Instant::now();
    let next = || loop {
        assert!(start.elapsed() < DEADLINE, "too few records in {topic}");
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            return String::from_utf8_lossy(message.payload().unwrap()).into_owned();
        }
    };
    [next(), next()]
}

fn consumer(broker: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker).set("group.id", "readers").set("enable.auto.commit", "false");
    config.create().unwrap()
}

fn commit(consumer: &BaseConsumer, offset: i64) -> rdkafka::error::KafkaResult<()> {
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("offsets", 0, Offset::Offset(offset)).unwrap();
    consumer.commit(&offsets, CommitMode::Sync)
}

fn committed_offset(consumer: &BaseConsumer) -> Offset {
    let mut asked = TopicPartitionList::new();
    asked.add_partition("offsets", 0);
    consumer.committed_offsets(asked, DEADLINE).unwrap().elements()[0].offset()
}
