//! A member of a consumer group that holds its partitions and does nothing with them: a forgotten console, a second
//! deployment, a consumer that hangs.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, ClientContext};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Kafka, POLL, failure, group};
use crate::sandbox::ServiceError;

/// How long leaving may take; the broker would notice after the session's time anyway.
const LEAVE_DEADLINE: Duration = Duration::from_secs(15);
/// The ways of sharing partitions that our client knows.
const PROTOCOLS: [&str; 3] = ["range", "roundrobin", "cooperative-sticky"];

/// A consumer in a group. It leaves when this is dropped.
#[derive(Debug)]
pub struct PhantomMember {
    /// Dropped to end the thread.
    _stay: DropGuard,
    thread: JoinHandle<()>,
    seen: Arc<Mutex<Seen>>,
}

/// What a phantom has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many members the group had when it came, those among them that were gone and not yet missed.
    pub found: usize,
    /// The most other members among which partitions were shared out while it was one.
    pub others: usize,
    /// How often partitions were shared out with it among the members.
    pub rebalances: u32,
    /// The partitions it got, all in all.
    pub partitions: BTreeSet<i32>,
}

impl Kafka {
    /// Lets a consumer join a group that consumes `topic`.
    ///
    /// # Errors
    /// When the group shares its partitions in a way that our client does not know, or Kafka is not there.
    pub async fn join(&self, name: &str, topic: &str) -> Result<PhantomMember, ServiceError> {
        let failed = |why: &dyn std::fmt::Display| failure(format!("join the group `{name}`"), why);
        let (mut client, group_name, topic) = (self.client(), name.to_owned(), topic.to_owned());
        client.set("group.id", name).set("client.id", "fireassay-phantom");
        let stay = CancellationToken::new();
        let seen = Arc::<Mutex<Seen>>::default();
        let context = Context(Arc::clone(&seen));
        let open = move || open(client, &group_name, &topic, context);
        let consumer = tokio::task::spawn_blocking(open).await.map_err(|error| failed(&error))?;
        let consumer = consumer.map_err(|why| failed(&why))?;
        let (left, name) = (stay.clone(), name.to_owned());
        let thread = tokio::task::spawn_blocking(move || sit(&consumer, &name, &left));
        Ok(PhantomMember { _stay: stay.drop_guard(), thread, seen })
    }
}

impl PhantomMember {
    /// What it has seen so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    /// Leaves the group, and says what it has seen.
    pub async fn leave(self) -> Seen {
        let Self { _stay: stay, thread, seen } = self;
        drop(stay);
        // Where that takes longer, because the broker is away, the broker itself drops a member of which it hears nothing.
        let _ = tokio::time::timeout(LEAVE_DEADLINE, thread).await;
        lock(&seen).clone()
    }
}

/// Notes what it is given, and keeps it from being read.
struct Context(Arc<Mutex<Seen>>);

impl ClientContext for Context {}

impl ConsumerContext for Context {
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(given) = rebalance else { return };
        // Where that fails, what comes is dropped unseen.
        let _ = consumer.pause(given);
        let mut seen = lock(&self.0);
        seen.rebalances += 1;
        seen.partitions
            .extend(given.elements().iter().map(rdkafka::topic_partition_list::TopicPartitionListElem::partition));
    }
}

fn open(mut client: ClientConfig, name: &str, topic: &str, context: Context) -> Result<BaseConsumer<Context>, String> {
    let said = |error: KafkaError| error.to_string();
    let asks: BaseConsumer = client.create().map_err(said)?;
    let found = group(&asks, name).map_err(said)?;
    if !found.protocol.is_empty() {
        if !PROTOCOLS.contains(&found.protocol.as_str()) {
            return Err(format!(
                "its members share partitions by `{}`, and our client only knows {}",
                found.protocol,
                PROTOCOLS.join(", ")
            ));
        }
        // Members that have nothing in common are turned away.
        client.set("partition.assignment.strategy", &found.protocol);
    }
    lock(&context.0).found = found.members;
    let consumer: BaseConsumer<Context> = client
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "latest")
        .create_with_context(context)
        .map_err(said)?;
    consumer.subscribe(&[topic]).map_err(said)?;
    Ok(consumer)
}

/// Stays a member. Whatever should be delivered all the same is dropped unseen; nothing is committed.
fn sit(consumer: &BaseConsumer<Context>, name: &str, left: &CancellationToken) {
    let mut counted = 0;
    while !left.is_cancelled() {
        drop(consumer.poll(POLL));
        let rebalances = lock(&consumer.context().0).rebalances;
        // Only once partitions have been shared out is everybody gone who does not live any more.
        if rebalances > counted
            && let Ok(now) = group(consumer, name)
        {
            counted = rebalances;
            let mut seen = lock(&consumer.context().0);
            seen.others = seen.others.max(now.members.saturating_sub(1));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
