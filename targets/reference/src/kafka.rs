//! A Kafka producer for events whose order matters.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaResult;
use rdkafka::producer::FutureProducer;

/// How long the broker may take to acknowledge before the producer is given up.
pub(crate) const ACKNOWLEDGE_LIMIT: Duration = Duration::from_secs(2);

/// A new producer. It sends one request at a time and repeats it until it is answered (`max.in.flight` 1, no limit to the
/// retries), and it never drops a message from the middle of the queue: it has no time limit per message
/// (`message.timeout.ms` 0), because a limit that strikes one message and spares its successor makes a gap. Whoever waits
/// has the limit, and gives up the whole producer. What a broker refuses for good (a topic that is not allowed) it refuses
/// for the successors too; a message that is too large for it cannot be, since all that is in one is bounded.
///
/// An idempotent producer would spare the readers the repeats of lost replies, which they have to expect anyway after a
/// crash. It costs more than it gives: librdkafka looks for its producer id twice a second and no more often, so every new
/// producer would keep silent for half a second, and after a restart of the broker for longer.
///
/// # Errors
/// When the configuration is refused.
pub(crate) fn producer(brokers: &str, name: &str) -> KafkaResult<FutureProducer> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("client.id", name)
        .set("acks", "all")
        .set("max.in.flight.requests.per.connection", "1")
        .set("retries", "2147483647")
        .set("message.timeout.ms", "0")
        .set("linger.ms", "1")
        // Short, so that a broker that comes back is found at once.
        .set("socket.timeout.ms", "1500")
        .set("socket.connection.setup.timeout.ms", "1500")
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "200")
        .set("retry.backoff.ms", "50")
        .set("retry.backoff.max.ms", "200")
        .set("topic.metadata.refresh.fast.interval.ms", "100")
        .set("log.connection.close", "false")
        .create()
}

/// Ends a producer without waiting for it: what it still holds is purged, and its threads are joined elsewhere, because
/// that may take half a second.
pub(crate) fn discard(producer: FutureProducer) {
    tokio::task::spawn_blocking(move || drop(producer));
}
