//! A real Apache Kafka: one broker of our own that is its own controller, or somebody else's.

mod broker;
mod groups;
mod phantom;
mod poison;
mod reproduce;
mod rewind;

use std::fmt::Display;
use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataPartition;
use rdkafka::types::RDKafkaErrorCode;

pub use self::phantom::{PhantomMember, Seen};
pub use self::poison::{Poisoned, Sort};
pub use self::reproduce::Copied;
pub use self::rewind::Rewound;
use super::ground::{Ground, Machine};
use super::server::{At, Server};
use super::service::on_free_ports;
use super::{Killed, Port, ServiceError, StackConfig, StartError};

const SERVER: &str = "kafka";
/// A JVM on an overloaded machine.
const READY_DEADLINE: Duration = Duration::from_secs(90);
/// For one request of the harness.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);
const GONE_DEADLINE: Duration = Duration::from_secs(10);
const METADATA_EVERY: Duration = Duration::from_millis(2);
/// How long a consumer waits for something before it looks around.
const POLL: Duration = Duration::from_millis(20);

/// A Kafka broker. What it acknowledged survives the death of its process.
#[derive(Debug)]
pub struct Kafka {
    server: Server,
    at: At,
    /// For the controller of our own, while the broker may be started again.
    _controller_port: Option<Port>,
    admin: Admin,
}

/// Kept open, because a first connection costs more than a request.
struct Admin(Arc<AdminClient<DefaultClientContext>>);

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admin")
    }
}

impl Kafka {
    pub(super) async fn start_new(config: &StackConfig, ground: &Ground) -> Result<Self, StartError> {
        if let Machine::External(external) = &ground.machine {
            let at = At::Theirs(external.kafka);
            let admin = admin(at.address())?;
            let kafka = Self { server: Server::elsewhere(SERVER), at, _controller_port: None, admin };
            kafka.start().await?;
            return Ok(kafka);
        }
        on_free_ports(&config.ports, |[port, controller]| async {
            let server = broker::server(ground, [&port, &controller])?;
            let admin = admin(port.address())?;
            let kafka = Self { server, at: At::Ours(port), _controller_port: Some(controller), admin };
            kafka.start().await?;
            Ok(kafka)
        })
        .await
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.at.address()
    }

    /// Creates topics, given by name and number of partitions, and waits until each partition has a leader.
    ///
    /// # Errors
    /// When a name is taken or cannot be one, or Kafka is not there.
    pub async fn create_topics(&self, topics: &[(String, i32)]) -> Result<(), ServiceError> {
        if topics.is_empty() {
            // librdkafka takes an empty request for a mistake.
            return Ok(());
        }
        let end = Instant::now() + ANSWER_DEADLINE;
        let mut wanted = topics.to_vec();
        loop {
            wanted = self.try_to_create(&wanted).await?;
            if wanted.is_empty() {
                break;
            }
            if Instant::now() >= end {
                let names: Vec<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
                return Err(failure(format!("create the topics {names:?}"), &"no broker serves"));
            }
            tokio::time::sleep(METADATA_EVERY).await;
        }
        for (name, partitions) in topics {
            self.until_led(name, *partitions).await?;
        }
        Ok(())
    }

    /// Those that could not be created because the controller had no broker to put them on: it takes a broker that has not
    /// been given the processor for some seconds for gone, and takes it back with its next heartbeat.
    async fn try_to_create(&self, topics: &[(String, i32)]) -> Result<Vec<(String, i32)>, ServiceError> {
        let new: Vec<_> = topics
            .iter()
            .map(|(name, partitions)| NewTopic::new(name, *partitions, TopicReplication::Fixed(1)))
            .collect();
        let answers =
            self.admin.0.create_topics(&new, &options()).await.map_err(|error| failure("create topics", &error))?;
        let mut homeless = Vec::new();
        for answer in answers {
            match answer {
                Ok(_) => {}
                Err((name, RDKafkaErrorCode::InvalidReplicationFactor)) => homeless.push(name),
                Err((name, code)) => return Err(failure(format!("create the topic `{name}`"), &code)),
            }
        }
        Ok(topics.iter().filter(|(name, _)| homeless.contains(name)).cloned().collect())
    }

    /// Deletes topics. Content with those that are not there.
    ///
    /// # Errors
    /// When Kafka refuses or is not there.
    pub async fn delete_topics(&self, topics: &[String]) -> Result<(), ServiceError> {
        if topics.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let answers =
            self.admin.0.delete_topics(&names, &options()).await.map_err(|error| failure("delete topics", &error))?;
        for answer in answers {
            match answer {
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                Err((name, code)) => return Err(failure(format!("delete the topic `{name}`"), &code)),
            }
        }
        Ok(())
    }

    /// The names of all topics.
    ///
    /// # Errors
    /// When Kafka is not there.
    pub async fn topics(&self) -> Result<Vec<String>, ServiceError> {
        let admin = Arc::clone(&self.admin.0);
        let ask = move || {
            let found = admin.inner().fetch_metadata(None, ANSWER_DEADLINE)?;
            Ok(found.topics().iter().map(|topic| topic.name().to_owned()).collect())
        };
        let failed = |why: &dyn Display| failure("list the topics", why);
        let asked = tokio::task::spawn_blocking(ask).await.map_err(|error| failed(&error))?;
        asked.map_err(|error: KafkaError| failed(&error))
    }

    /// Kills it with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// When it is still there after the deadline.
    pub async fn kill(&self) -> Result<Killed, ServiceError> {
        self.server.kill(GONE_DEADLINE).await
    }

    /// Starts it again on the same port and data, and waits until its metadata names a broker that serves. Content if it runs.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start(&self) -> Result<(), StartError> {
        match self.server.down().await {
            Some(down) => down.start(READY_DEADLINE, || self.probe()).await,
            None => Ok(()),
        }
    }

    /// Whether it runs.
    pub(in crate::sandbox) async fn is_running(&self) -> bool {
        self.server.is_running().await
    }

    /// How it ended, if nobody ended it. Never waits: whoever holds the lock is starting or ending it.
    pub(in crate::sandbox) fn has_ended(&self) -> Option<ExitStatus> {
        self.server.has_ended()
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        self.server.log_tail(lines)
    }

    /// What a client of the harness begins with.
    fn client(&self) -> ClientConfig {
        client(self.address())
    }

    /// A broker is in the metadata when the controller lets it serve.
    async fn probe(&self) -> Result<(), String> {
        let serves = self.metadata(None, |found| !found.brokers().is_empty()).await?;
        if serves { Ok(()) } else { Err("no broker serves yet".to_owned()) }
    }

    async fn until_led(&self, topic: &str, partitions: i32) -> Result<(), ServiceError> {
        let end = Instant::now() + ANSWER_DEADLINE;
        let led = move |found: &rdkafka::metadata::Metadata| {
            let partitions_led = |topic: &rdkafka::metadata::MetadataTopic| {
                topic
                    .partitions()
                    .iter()
                    .filter(|partition| partition.leader() >= 0 && partition.error().is_none())
                    .count()
            };
            found.topics().iter().map(partitions_led).sum::<usize>() >= usize::try_from(partitions).unwrap_or(0)
        };
        loop {
            let why = match self.metadata(Some(topic), led).await {
                Ok(true) => return Ok(()),
                Ok(false) => "it has no leader yet".to_owned(),
                Err(why) => why,
            };
            if Instant::now() >= end {
                return Err(failure(format!("find the new topic `{topic}`"), &why));
            }
            tokio::time::sleep(METADATA_EVERY).await;
        }
    }

    /// Asks for the metadata and what `read` says of them. The client can only ask in a blocking way.
    async fn metadata(
        &self,
        topic: Option<&str>,
        read: impl FnOnce(&rdkafka::metadata::Metadata) -> bool + Send + 'static,
    ) -> Result<bool, String> {
        let admin = Arc::clone(&self.admin.0);
        let topic = topic.map(str::to_owned);
        let ask =
            move || admin.inner().fetch_metadata(topic.as_deref(), Duration::from_secs(1)).map(|found| read(&found));
        tokio::task::spawn_blocking(ask).await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}

/// A group of consumers.
struct Group {
    /// How many members it has.
    members: usize,
    /// How they share partitions; empty while nothing is shared.
    protocol: String,
}

fn group<C: ConsumerContext>(consumer: &BaseConsumer<C>, name: &str) -> Result<Group, KafkaError> {
    let end = Instant::now() + ANSWER_DEADLINE;
    let list = loop {
        match consumer.fetch_group_list(Some(name), ANSWER_DEADLINE) {
            // While the first group of all is being made, the broker does not know them yet.
            Err(error) if is_loading(&error) && Instant::now() < end => std::thread::sleep(POLL),
            list => break list?,
        }
    };
    let found = list.groups().iter().find(|group| group.name() == name);
    let group = found.map(|group| Group { members: group.members().len(), protocol: group.protocol().to_owned() });
    Ok(group.unwrap_or(Group { members: 0, protocol: String::new() }))
}

fn is_loading(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    let loading = [CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator];
    error.rdkafka_error_code().is_some_and(|code| loading.contains(&code))
}

/// The partitions of a topic.
fn partitions(consumer: &BaseConsumer, topic: &str) -> Result<Vec<i32>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER_DEADLINE)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let partitions = found.map(|found| found.partitions().iter().map(MetadataPartition::id).collect::<Vec<_>>());
    match partitions {
        Some(partitions) if !partitions.is_empty() => Ok(partitions),
        _ => Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition)),
    }
}

fn client(broker: SocketAddr) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", broker.to_string())
        // Back at once after a restart.
        .set("reconnect.backoff.ms", "10")
        .set("reconnect.backoff.max.ms", "50");
    client
}

fn admin(broker: SocketAddr) -> Result<Admin, StartError> {
    let admin =
        client(broker).create().map_err(|error| StartError::Client { server: SERVER, why: error.to_string() })?;
    Ok(Admin(Arc::new(admin)))
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_DEADLINE)).operation_timeout(Some(ANSWER_DEADLINE))
}

fn failure(what: impl Into<String>, why: &(impl Display + ?Sized)) -> ServiceError {
    ServiceError { server: SERVER, what: what.into(), why: why.to_string() }
}
