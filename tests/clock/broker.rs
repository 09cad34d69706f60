//! A program around librdkafka, which waits until times of day wherever it waits: a producer and a consumer on a broker
//! of its own. Answers like the others, and only once a message has gone all the way.

use std::io::{BufRead as _, Write as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{UsageWho, getrusage};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

/// How long a message may take.
const MESSAGE_DEADLINE: Duration = Duration::from_secs(10);

const TOPIC: &str = "clock";

pub(crate) fn serve() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.bootstrap_servers()).set("group.id", "clock");
    // A poll also ends when offsets have been committed.
    config.set("enable.auto.commit", "false");
    let producer: BaseProducer = config.create().unwrap();
    let consumer: BaseConsumer = config.create().unwrap();
    let mut from_start = TopicPartitionList::new();
    from_start.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
    consumer.assign(&from_start).unwrap();

    let start = Instant::now();
    for (number, line) in std::io::stdin().lock().lines().map_while(Result::ok).enumerate() {
        let answer = match line.split_once(' ').unwrap_or((&line, "")) {
            ("now", _) => {
                carry(&producer, &consumer, &number.to_string());
                let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                format!("{} {}", wall.as_nanos(), start.elapsed().as_nanos())
            }
            ("waits", _) => {
                let before = processor_time();
                let polls: Vec<_> = (1..4).map(|turn| format!("poll_{turn}={}", nothing_for(&consumer, 100))).collect();
                format!("{} cpu={}", polls.join(" "), (processor_time() - before).as_micros())
            }
            (_, ms) => nothing_for(&consumer, ms.parse().unwrap()).to_string(),
        };
        println!("{answer}");
        std::io::stdout().flush().unwrap();
    }
}

fn carry(producer: &BaseProducer, consumer: &BaseConsumer, text: &str) {
    producer.send(BaseRecord::<(), str>::to(TOPIC).payload(text)).map_err(|(error, _)| error).unwrap();
    producer.flush(MESSAGE_DEADLINE).expect("the broker takes the message in time");
    let message = consumer.poll(MESSAGE_DEADLINE).expect("the message comes in time").unwrap();
    assert_eq!(message.payload(), Some(text.as_bytes()));
}

/// Waits for a message that does not come; says how many microseconds it waited.
fn nothing_for(consumer: &BaseConsumer, ms: u64) -> u128 {
    let start = Instant::now();
    assert!(consumer.poll(Duration::from_millis(ms)).is_none_or(|polled| polled.is_err()), "nobody sent this");
    start.elapsed().as_micros()
}

fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let micros = |time: nix::sys::time::TimeVal| (time.tv_sec() * 1_000_000 + time.tv_usec()).cast_unsigned();
    Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time()))
}
