//! The harness's own consumer of the target's event topic.
//!
//! It is assigned all partitions from their beginning and belongs to no group: nothing the target or a fault does to
//! consumer groups can move it. It connects to the broker directly, not through a link.
//!
//! It reads committed records only, as a careful subscriber would: a record of an aborted transaction was never
//! published, and must neither excuse a lost event nor count as a phantom one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::manifest::Topic;
use super::mapping::FieldPath;
use super::printable::printable;
use super::reply;
use super::watch::Watch;
use crate::history::{Record, Recorder, What};

/// How long a start may wait for the topic's metadata.
const START_TIMEOUT: Duration = Duration::from_secs(15);

/// How long one question to the broker may take. The thread answers nobody meanwhile.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a consumer may bring nothing although there is something, before another one is made.
const STALL: Duration = Duration::from_secs(1);

/// How long the thread waits for a record before it looks for requests.
const POLL: Duration = Duration::from_millis(5);

/// The largest value that is read, in bytes.
const VALUE_BYTES_MAX: usize = 1 << 20;

/// Headers looked at of one record.
const HEADERS_MAX: usize = 32;

/// The longest name or value of a header that is kept, in bytes.
const HEADER_BYTES_MAX: usize = 256;

/// The longest record key that is kept, in characters.
const KEY_CHARS_MAX: usize = 1_000;

/// Where a target's events are.
#[derive(Clone, Debug)]
pub struct EventMapping {
    pub(super) topic: Topic,
    pub(super) fields: Vec<FieldPath>,
}

/// Why events cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the events of topic {topic}: {why}")]
pub struct EventError {
    /// The topic, with the run's prefix.
    pub topic: String,
    /// What is wrong.
    pub why: String,
}

/// Records every event of a run until it is stopped or dropped.
#[derive(Debug)]
pub struct EventReader {
    topic: String,
    /// Without the run's prefix.
    plain_topic: String,
    requests: SyncSender<CaughtUp>,
    thread: JoinHandle<()>,
}

/// Asks to be told when all that the broker had at this moment has been recorded.
struct CaughtUp {
    until: Instant,
    told: oneshot::Sender<Result<BTreeSet<String>, String>>,
}

impl EventMapping {
    /// The topic's name in the run with this prefix.
    #[must_use]
    pub fn topic(&self, prefix: &str) -> String {
        self.topic.in_run(prefix)
    }
}

impl EventReader {
    /// Starts to record the events of the run with this topic prefix, and to look for texts in them. The topic must exist.
    ///
    /// # Errors
    /// When the broker does not answer or does not know the topic.
    pub async fn start(
        brokers: &str,
        prefix: &str,
        mapping: &EventMapping,
        watch: Option<Watch>,
        recorder: Arc<Recorder>,
    ) -> Result<Self, EventError> {
        let topic = mapping.topic(prefix);
        let failed = |why: String| EventError { topic: topic.clone(), why };
        let (name, brokers) = (topic.clone(), brokers.to_owned());
        let open = tokio::task::spawn_blocking(move || open(&brokers, &name));
        let Opened { clients, consumer, asker, partitions } =
            open.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
        let (requests, inbox) = sync_channel(8);
        let pump = Pump {
            clients,
            consumer,
            asker,
            moved: Instant::now(),
            topic: topic.clone(),
            plain_topic: mapping.topic(""),
            fields: mapping.fields.clone(),
            recorder,
            watch,
            found: BTreeSet::new(),
            partitions,
            last_error: None,
        };
        let thread = tokio::task::spawn_blocking(move || pump.run(&inbox));
        Ok(Self { topic, plain_topic: mapping.topic(""), requests, thread })
    }

    /// Waits until everything that is in the topic now has been recorded. Gives back which of the texts that are looked for
    /// occurred in a record, its key or its headers.
    ///
    /// # Errors
    /// When that takes longer than `timeout`, for example because the broker is away.
    pub async fn caught_up(&self, timeout: Duration) -> Result<BTreeSet<String>, EventError> {
        let failed = |why: String| EventError { topic: self.topic.clone(), why };
        let (told, answer) = oneshot::channel();
        let request = CaughtUp { until: Instant::now() + timeout, told };
        self.requests.try_send(request).map_err(|_| failed("the reader is busy or has ended".into()))?;
        // The thread keeps the deadline itself; it may be in a question to the broker when it passes.
        match tokio::time::timeout(timeout + ASK_TIMEOUT, answer).await {
            Ok(Ok(answer)) => answer.map_err(failed),
            Ok(Err(_)) => Err(failed("the reader has ended".into())),
            Err(_) => Err(failed("the broker does not answer".into())),
        }
    }

    /// The topic's name, without the run's prefix.
    #[must_use]
    pub fn plain_topic(&self) -> &str {
        &self.plain_topic
    }

    /// Stops recording. Nothing is recorded after this returns.
    ///
    /// # Errors
    /// When the reader failed before; the text says how.
    pub async fn stop(self) -> Result<(), EventError> {
        drop(self.requests);
        self.thread.await.map_err(|error| EventError { topic: self.topic, why: error.to_string() })
    }
}

/// What is known of a partition.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    /// The offset after the last recorded one.
    next: i64,
    /// Whether the broker said that nothing follows.
    at_end: bool,
}

/// The consumer and its thread. librdkafka reconnects by itself for as long as it is polled.
struct Pump {
    clients: Clients,
    consumer: BaseConsumer,
    /// When the consumer last brought something, was made or was asked for more.
    moved: Instant,
    /// Asks how far the topic goes, on a connection of its own: on the consumer's a question waits behind the fetch that
    /// waits for records.
    asker: BaseConsumer,
    topic: String,
    plain_topic: String,
    fields: Vec<FieldPath>,
    recorder: Arc<Recorder>,
    watch: Option<Watch>,
    found: BTreeSet<String>,
    partitions: BTreeMap<i32, Position>,
    last_error: Option<String>,
}

/// A request under way: the offsets that have to be reached.
struct Goal {
    request: CaughtUp,
    offsets: Option<BTreeMap<i32, i64>>,
}

impl Pump {
    /// Runs until the requests' sender is gone.
    fn run(mut self, inbox: &Receiver<CaughtUp>) {
        let mut goals: Vec<Goal> = Vec::new();
        loop {
            match inbox.try_recv() {
                Ok(request) => goals.push(Goal { request, offsets: None }),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return,
            }
            self.poll();
            goals = goals.into_iter().filter_map(|goal| self.advance(goal)).collect();
        }
    }

    fn poll(&mut self) {
        match self.consumer.poll(POLL) {
            None => {}
            Some(Ok(message)) => {
                self.moved = Instant::now();
                let (partition, next) = (message.partition(), message.offset() + 1);
                if self.partitions.get(&partition).is_some_and(|position| position.next >= next) {
                    return;
                }
                look(self.watch.as_ref(), &message, &mut self.found);
                self.recorder.record(What::Record(self.record(&message)));
                self.partitions.insert(partition, Position { next, at_end: false });
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.partitions.entry(partition).or_default().at_end = true;
            }
            Some(Err(error)) => self.failed(&error),
        }
    }

    /// Most errors say that the broker is away for now. Two do not pass, and the history has to tell of them.
    fn failed(&mut self, error: &KafkaError) {
        let text = printable(&error.to_string(), 300);
        let lasting = matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
        );
        if lasting && self.last_error.as_deref() != Some(&text) {
            let text = format!("events of topic {} could not be read: {text}", self.plain_topic);
            self.recorder.record(What::Note { text });
        }
        self.last_error = Some(text);
    }

    /// Takes a request one step further; `None` when it has been answered.
    fn advance(&mut self, mut goal: Goal) -> Option<Goal> {
        if goal.request.told.is_closed() {
            return None;
        }
        if goal.request.until <= Instant::now() {
            let behind = self.behind(goal.offsets.as_ref());
            goal.request.told.send(Err(behind)).ok();
            return None;
        }
        let offsets = match goal.offsets.take() {
            Some(offsets) => offsets,
            None => match self.ends() {
                Ok(offsets) => {
                    self.moved = Instant::now();
                    offsets
                }
                Err(error) => {
                    self.last_error = Some(printable(&error.to_string(), 300));
                    return Some(goal);
                }
            },
        };
        let reached = offsets.iter().all(|(partition, end)| self.is_reached(*partition, *end));
        if reached {
            goal.request.told.send(Ok(self.found.clone())).ok();
            return None;
        }
        if self.moved.elapsed() >= STALL {
            self.begin_again();
        }
        goal.offsets = Some(offsets);
        Some(goal)
    }

    /// A new consumer goes on where this one is. One whose broker was told to be gone for a moment, as a busy machine makes
    /// a controller believe, has been seen to bring nothing ever after.
    fn begin_again(&mut self) {
        self.moved = Instant::now();
        match self.clients.consumer(&self.topic, &self.partitions) {
            Ok(consumer) => self.consumer = consumer,
            Err(error) => self.failed(&error),
        }
        self.partitions.values_mut().for_each(|position| position.at_end = false);
    }

    fn is_reached(&self, partition: i32, end: i64) -> bool {
        self.partitions.get(&partition).is_some_and(|position| position.next >= end || position.at_end)
    }

    /// The offset that each partition's next record would have.
    ///
    /// The last offsets may be the markers of transactions, which no consumer ever sees: then only the broker's word
    /// that nothing follows tells that the end is reached. That word may be older than the question. So a partition
    /// that is short of its end is made to ask again, by a seek to where it is anyway, which drops what is queued.
    fn ends(&mut self) -> Result<BTreeMap<i32, i64>, KafkaError> {
        let mut ends = BTreeMap::new();
        for (partition, position) in &mut self.partitions {
            let (low, high) = self.asker.fetch_watermarks(&self.topic, *partition, ASK_TIMEOUT)?;
            position.next = position.next.max(low);
            if position.next < high {
                self.consumer.seek(&self.topic, *partition, Offset::Offset(position.next), ASK_TIMEOUT)?;
                position.at_end = false;
            }
            ends.insert(*partition, high);
        }
        Ok(ends)
    }

    fn behind(&self, offsets: Option<&BTreeMap<i32, i64>>) -> String {
        let mut why = match offsets {
            None => "the broker does not say how far the topic goes".to_owned(),
            Some(offsets) => {
                let missing = offsets.iter().filter(|(partition, end)| !self.is_reached(**partition, **end));
                let missing = missing.map(|(partition, end)| {
                    let next = self.partitions.get(partition).map_or(0, |position| position.next);
                    format!("partition {partition} read to {next} of {end}")
                });
                missing.collect::<Vec<_>>().join(", ")
            }
        };
        if let Some(error) = &self.last_error {
            why.push_str(&format!(" (last error: {error})"));
        }
        why
    }

    fn record(&self, message: &BorrowedMessage<'_>) -> Record {
        let key = message.key().and_then(|key| std::str::from_utf8(key).ok());
        Record {
            topic: self.plain_topic.clone(),
            partition: message.partition(),
            offset: message.offset(),
            key: key.filter(|key| key.chars().count() <= KEY_CHARS_MAX).map(str::to_owned),
            headers: message.headers().map(headers).unwrap_or_default(),
            fields: fields(&self.fields, message.payload()),
        }
    }
}

/// Looks for texts wherever a record can have some.
fn look(watch: Option<&Watch>, message: &BorrowedMessage<'_>, found: &mut BTreeSet<String>) {
    let Some(watch) = watch else { return };
    let headers = message.headers().into_iter().flat_map(BorrowedHeaders::iter).filter_map(|header| header.value);
    for part in [message.key(), message.payload()].into_iter().flatten().chain(headers) {
        watch.look(part, found);
    }
}

/// The headers whose values are text, within limits; of several with one name the first.
fn headers(headers: &BorrowedHeaders) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for header in headers.iter().take(HEADERS_MAX) {
        let text = header.value.and_then(|value| std::str::from_utf8(value).ok());
        let Some(text) = text.filter(|text| text.len().max(header.key.len()) <= HEADER_BYTES_MAX) else { continue };
        texts.entry(header.key.to_owned()).or_insert_with(|| text.to_owned());
    }
    texts
}

fn fields(paths: &[FieldPath], value: Option<&[u8]>) -> Map<String, Value> {
    let read = match value {
        None => Err("the record has no value".to_owned()),
        Some(value) if value.len() > VALUE_BYTES_MAX => Err(format!("longer than {VALUE_BYTES_MAX} bytes")),
        Some([]) => Err("the value is empty".to_owned()),
        Some(value) => reply::read(paths, value),
    };
    read.unwrap_or_else(|why| Map::from_iter([("unreadable".to_owned(), Value::String(why))]))
}

/// Both clients of a pump, and the partitions that are read.
struct Opened {
    clients: Clients,
    consumer: BaseConsumer,
    asker: BaseConsumer,
    partitions: BTreeMap<i32, Position>,
}

/// How clients of the broker are made.
struct Clients(ClientConfig);

impl Clients {
    fn of(brokers: &str) -> Self {
        let mut config = ClientConfig::new();
        // librdkafka wants the name of a group, which is never joined.
        config.set("bootstrap.servers", brokers).set("group.id", "fireassay-events");
        config.set("reconnect.backoff.max.ms", "500");
        Self(config)
    }

    /// One that reads on from these positions.
    fn consumer(&self, topic: &str, from: &BTreeMap<i32, Position>) -> Result<BaseConsumer, KafkaError> {
        let mut config = self.0.clone();
        config.set("enable.auto.commit", "false");
        config.set("isolation.level", "read_committed");
        config.set("enable.partition.eof", "true");
        // A log that lost its end is something to tell, not to read again from the beginning.
        config.set("auto.offset.reset", "error");
        config.set("allow.auto.create.topics", "false");
        config.set("fetch.wait.max.ms", "50");
        config.set("queued.max.messages.kbytes", "16384");
        let consumer: BaseConsumer = config.create()?;
        let mut assignment = TopicPartitionList::new();
        for (partition, position) in from {
            let at = if position.next == 0 { Offset::Beginning } else { Offset::Offset(position.next) };
            assignment.add_partition_offset(topic, *partition, at)?;
        }
        consumer.assign(&assignment)?;
        Ok(consumer)
    }
}

fn open(brokers: &str, topic: &str) -> Result<Opened, KafkaError> {
    let clients = Clients::of(brokers);
    let asker: BaseConsumer = clients.0.create()?;
    let metadata = asker.fetch_metadata(Some(topic), START_TIMEOUT)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let partitions: BTreeMap<_, _> = found
        .map(|found| found.partitions().iter().map(|partition| (partition.id(), Position::default())).collect())
        .unwrap_or_default();
    if partitions.is_empty() {
        return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition));
    }
    let consumer = clients.consumer(topic, &partitions)?;
    Ok(Opened { clients, consumer, asker, partitions })
}
