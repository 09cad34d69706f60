//! A real Apache Kafka of our own: one broker that is its own controller.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::Mutex;

use super::place::Place;
use super::service::{make_folder, on_free_ports, plain_env, until_ready, write};
use super::{Killed, Port, Process, ProcessSpec, Processes, ServiceError, StackConfig, StartError};

const SERVER: &str = "kafka";
/// Made by `ci/setup` beside the jars. Java passes over one that does not fit it.
const CLASS_ARCHIVE: &str = "classes.jsa";
/// A JVM on an overloaded machine.
const READY_DEADLINE: Duration = Duration::from_secs(90);
/// For one request of the harness.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);
const GONE_DEADLINE: Duration = Duration::from_secs(10);
const METADATA_EVERY: Duration = Duration::from_millis(2);

/// A Kafka broker. What it acknowledged survives the death of its process.
#[derive(Debug)]
pub struct Kafka {
    java: PathBuf,
    class_path: String,
    /// Loaded classes, kept by `ci/setup`: they halve the time of a start.
    class_archive: Option<PathBuf>,
    folder: PathBuf,
    broker: Port,
    controller: Port,
    processes: Processes,
    /// Empty while it is killed.
    process: Mutex<Option<Process>>,
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
    pub(super) async fn start_new(
        config: &StackConfig,
        java: &Path,
        jars: &[PathBuf],
        place: &Place,
        processes: &Processes,
    ) -> Result<Self, StartError> {
        let class_path: Vec<_> = jars.iter().map(|jar| jar.to_string_lossy()).collect();
        let class_archive = Some(config.kafka_jars().join(CLASS_ARCHIVE)).filter(|archive| archive.is_file());
        on_free_ports(&config.ports, |[broker, controller]| async {
            let kafka = Self {
                java: java.to_owned(),
                class_path: class_path.join(":"),
                class_archive: class_archive.clone(),
                folder: place.path().join(SERVER),
                admin: admin(broker.address())?,
                broker,
                controller,
                processes: processes.clone(),
                process: Mutex::new(None),
            };
            kafka.configure()?;
            kafka.start().await?;
            Ok(kafka)
        })
        .await
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.broker.address()
    }

    /// Creates topics, given by name and number of partitions, and waits until each partition has a leader.
    ///
    /// # Errors
    /// When a name is taken or cannot be one, or Kafka is not there.
    pub async fn create_topics(&self, topics: &[(String, i32)]) -> Result<(), ServiceError> {
        let new: Vec<_> = topics
            .iter()
            .map(|(name, partitions)| NewTopic::new(name, *partitions, TopicReplication::Fixed(1)))
            .collect();
        let answers =
            self.admin.0.create_topics(&new, &options()).await.map_err(|error| failure("create topics", error))?;
        for answer in answers {
            answer.map_err(|(name, code)| failure(format!("create the topic `{name}`"), code))?;
        }
        for (name, partitions) in topics {
            self.until_led(name, *partitions).await?;
        }
        Ok(())
    }

    /// Deletes topics. Content with those that are not there.
    ///
    /// # Errors
    /// When Kafka refuses or is not there.
    pub async fn delete_topics(&self, topics: &[String]) -> Result<(), ServiceError> {
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let answers =
            self.admin.0.delete_topics(&names, &options()).await.map_err(|error| failure("delete topics", error))?;
        for answer in answers {
            match answer {
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                Err((name, code)) => return Err(failure(format!("delete the topic `{name}`"), code)),
            }
        }
        Ok(())
    }

    /// Kills it with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// When it is still there after the deadline.
    pub async fn kill(&self) -> Result<Killed, ServiceError> {
        match self.process.lock().await.take() {
            None => Ok(Killed::nothing(SERVER)),
            Some(process) => Killed::kill(SERVER, &process, GONE_DEADLINE).await,
        }
    }

    /// Starts it again on the same port and data, and waits until its metadata names a broker that serves. Content if it runs.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start(&self) -> Result<(), StartError> {
        let mut running = self.process.lock().await;
        if running.as_ref().is_some_and(|process| process.try_status().is_none()) {
            return Ok(());
        }
        let process = self.processes.spawn(&self.spec())?;
        until_ready(SERVER, &process, READY_DEADLINE, || self.probe()).await?;
        *running = Some(process);
        Ok(())
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        super::process::log_tail(&self.log(), lines)
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
                return Err(failure(format!("find the new topic `{topic}`"), why));
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

    fn configure(&self) -> Result<(), StartError> {
        let data = self.folder.join("data");
        make_folder(SERVER, &data)?;
        // What Kafka's own tool for formatting would write, without another start of the JVM.
        let identity =
            "version=1\ncluster.id=ZmlyZWFzc2F5LWNsdXN0ZXI\nnode.id=1\ndirectory.id=ZmlyZWFzc2F5LWRpcmVjdA\n";
        write(SERVER, &data.join("meta.properties"), identity)?;
        write(SERVER, &self.folder.join("server.properties"), &self.settings(&data))
    }

    fn settings(&self, data: &Path) -> String {
        let (broker, controller) = (self.broker.address(), self.controller.address());
        let data = data.display();
        format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@{controller}\n\
             listeners=BROKER://{broker},CONTROLLER://{controller}\n\
             advertised.listeners=BROKER://{broker}\n\
             listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             inter.broker.listener.name=BROKER\n\
             controller.listener.names=CONTROLLER\n\
             log.dirs={data}\n\
             # A misspelt topic must be an error.\n\
             auto.create.topics.enable=false\n\
             # One broker.\n\
             offsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             share.coordinator.state.topic.replication.factor=1\n\
             share.coordinator.state.topic.min.isr=1\n\
             # A small machine.\n\
             offsets.topic.num.partitions=4\n\
             transaction.state.log.num.partitions=4\n\
             num.network.threads=2\n\
             num.io.threads=2\n\
             log.cleaner.enable=false\n\
             log.segment.bytes=16777216\n\
             offsets.topic.segment.bytes=16777216\n\
             log.segment.delete.delay.ms=1000\n\
             controller.quorum.append.linger.ms=0\n\
             # Quick recovery.\n\
             group.initial.rebalance.delay.ms=0\n\
             group.min.session.timeout.ms=500\n\
             broker.heartbeat.interval.ms=100\n\
             broker.session.timeout.ms=1000\n"
        )
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn spec(&self) -> ProcessSpec {
        let args = [
            // A small machine: one tier of compilation and a collector without threads of its own start quickest.
            "-Xms128m",
            "-Xmx384m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xshare:auto",
            "-XX:-UsePerfData",
            "-Djava.awt.headless=true",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
            "-cp",
            &self.class_path,
            "kafka.Kafka",
            "server.properties",
        ];
        let archive = self.class_archive.as_ref().map(|file| format!("-XX:SharedArchiveFile={}", file.display()));
        ProcessSpec {
            name: SERVER.to_owned(),
            program: self.java.clone(),
            args: archive.into_iter().chain(args.map(str::to_owned)).collect(),
            env: plain_env(),
            clear_env: true,
            directory: self.folder.clone(),
            log: self.log(),
            user: None,
        }
    }
}

fn admin(broker: SocketAddr) -> Result<Admin, StartError> {
    let admin = ClientConfig::new()
        .set("bootstrap.servers", broker.to_string())
        // Back at once after a restart.
        .set("reconnect.backoff.ms", "10")
        .set("reconnect.backoff.max.ms", "50")
        .create()
        .map_err(|error| StartError::Client { server: SERVER, why: error.to_string() })?;
    Ok(Admin(Arc::new(admin)))
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_DEADLINE)).operation_timeout(Some(ANSWER_DEADLINE))
}

fn failure(what: impl Into<String>, why: impl ToString) -> ServiceError {
    ServiceError { server: SERVER, what: what.into(), why: why.to_string() }
}
