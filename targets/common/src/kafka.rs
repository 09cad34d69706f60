//! Clients of Kafka, with short limits.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::StreamConsumer;
use rdkafka::error::KafkaResult;
use rdkafka::producer::FutureProducer;

/// How long the broker may take to acknowledge before the producer is given up.
pub const ACKNOWLEDGE_LIMIT: Duration = Duration::from_secs(2);

/// What both kinds of client have: short limits, so that a silent connection is given up and a broker that comes back is
/// found at once.
fn client(brokers: &str, name: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", name)
        .set("socket.timeout.ms", "1500")
        .set("socket.connection.setup.timeout.ms", "1500")
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "200")
        .set("retry.backoff.ms", "50")
        .set("retry.backoff.max.ms", "200")
        .set("topic.metadata.refresh.fast.interval.ms", "100")
        .set("log.connection.close", "false");
    config
}

/// A new producer, for events whose order matters. It sends one request at a time and repeats it until it is answered
/// (`max.in.flight` 1, no limit to the retries), and it never drops a message from the middle of the queue: it has no time
/// limit per message (`message.timeout.ms` 0), because a limit that strikes one message and spares its successor makes a
/// gap. Whoever waits has the limit, and gives up the whole producer. What a broker refuses for good (a topic that is not
/// allowed) it refuses for the successors too; a message that is too large for it cannot be, since all that is in one is
/// bounded.
///
/// An idempotent producer would spare the readers the repeats of lost replies, which they have to expect anyway after a
/// crash. It costs more than it gives: librdkafka looks for its producer id twice a second and no more often, so every new
/// producer would keep silent for half a second, and after a restart of the broker for longer.
///
/// # Errors
/// When the configuration is refused.
pub fn producer(brokers: &str, name: &str) -> KafkaResult<FutureProducer> {
    client(brokers, name)
        .set("acks", "all")
        .set("max.in.flight.requests.per.connection", "1")
        .set("retries", "2147483647")
        .set("message.timeout.ms", "0")
        .set("linger.ms", "1")
        .create()
}

/// Ends a producer without waiting for it: what it still holds is purged, and its threads are joined elsewhere, because
/// that may take half a second.
pub fn discard(producer: FutureProducer) {
    tokio::task::spawn_blocking(move || drop(producer));
}

/// A new consumer of the group. A worker that is gone is replaced after the session's timeout. Nothing is committed that
/// has not been dealt with, unless `commits_by_itself`.
///
/// # Errors
/// When the configuration is refused.
pub fn consumer(brokers: &str, name: &str, group: &str, commits_by_itself: bool) -> KafkaResult<StreamConsumer> {
    client(brokers, name)
        .set("group.id", group)
        .set("enable.auto.commit", commits_by_itself.to_string())
        .set("auto.commit.interval.ms", "1000")
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "3000")
        .set("heartbeat.interval.ms", "500")
        // A join that is not answered is given up after this long and a little more, not after five minutes.
        .set("max.poll.interval.ms", "10000")
        .set("fetch.wait.max.ms", "250")
        // A partition of which a fetch failed is asked again soon.
        .set("fetch.error.backoff.ms", "100")
        .set("queued.max.messages.kbytes", "4096")
        .create()
}
