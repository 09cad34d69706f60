//! The files and the command line of a broker.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::SERVER;
use crate::sandbox::needs::KafkaPrograms;
use crate::sandbox::place::Place;
use crate::sandbox::service::{make_folder, plain_env, write};
use crate::sandbox::{Port, ProcessSpec, StackConfig, StartError};

/// Made by `ci/setup` beside the jars. Java passes over one that does not fit it.
const CLASS_ARCHIVE: &str = "classes.jsa";

/// A broker's place and ports, its files written.
#[derive(Debug)]
pub(super) struct Broker {
    java: PathBuf,
    class_path: String,
    /// Loaded classes, kept by `ci/setup`: they halve the time of a start.
    class_archive: Option<PathBuf>,
    folder: PathBuf,
    port: Port,
    controller_port: Port,
}

impl Broker {
    pub(super) fn configure(
        config: &StackConfig,
        programs: &KafkaPrograms,
        place: &Place,
        [port, controller_port]: [Port; 2],
    ) -> Result<Self, StartError> {
        let class_path: Vec<_> = programs.jars.iter().map(|jar| jar.to_string_lossy()).collect();
        let broker = Self {
            java: programs.java.clone(),
            class_path: class_path.join(":"),
            class_archive: Some(config.kafka_jars().join(CLASS_ARCHIVE)).filter(|archive| archive.is_file()),
            folder: place.path().join(SERVER),
            port,
            controller_port,
        };
        broker.write_files()?;
        Ok(broker)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    fn write_files(&self) -> Result<(), StartError> {
        let data = self.folder.join("data");
        make_folder(SERVER, &data)?;
        // What Kafka's own tool for formatting would write, without another start of the JVM.
        let identity =
            "version=1\ncluster.id=ZmlyZWFzc2F5LWNsdXN0ZXI\nnode.id=1\ndirectory.id=ZmlyZWFzc2F5LWRpcmVjdA\n";
        write(SERVER, &data.join("meta.properties"), identity)?;
        write(SERVER, &self.folder.join("server.properties"), &self.settings(&data))
    }

    fn settings(&self, data: &Path) -> String {
        let (broker, controller) = (self.port.address(), self.controller_port.address());
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
             broker.session.timeout.ms=3000\n"
        )
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    pub(super) fn spec(&self) -> ProcessSpec {
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
