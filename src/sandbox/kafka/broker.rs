//! How a broker is set up.

use std::path::Path;

use super::SERVER;
use crate::sandbox::docker::{Container, ContainerSpec, Docker, Image};
use crate::sandbox::ground::{Ground, Machine};
use crate::sandbox::needs::KafkaPrograms;
use crate::sandbox::running::Program;
use crate::sandbox::server::Server;
use crate::sandbox::service::{make_folder, plain_env, write};
use crate::sandbox::{Port, ProcessSpec, StartError};

const CLUSTER: &str = "ZmlyZWFzc2F5LWNsdXN0ZXI";

/// A small machine: one tier of compilation and a collector without threads of its own start quickest.
const HEAP: [&str; 2] = ["-Xms128m", "-Xmx384m"];
const PERFORMANCE: [&str; 2] = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// A broker that listens on the first of these ports of 127.0.0.1; the other is for itself.
pub(super) fn server(ground: &Ground, [port, controller]: [&Port; 2]) -> Result<Server, StartError> {
    let folder = ground.place.path().join(SERVER);
    make_folder(SERVER, &folder)?;
    let log = folder.join("log");
    let program = match &ground.machine {
        Machine::Processes(programs) => {
            let spec = process(&programs.kafka, &folder, [port, controller])?;
            Program::Process(ground.processes.clone(), spec)
        }
        Machine::Docker(docker, images) => {
            Program::Container(Box::new(container(docker, &images.kafka, &log, [port, controller])))
        }
        Machine::External(_) => Program::Elsewhere,
    };
    Ok(Server::new(SERVER, program, log))
}

/// Writes the broker's files.
fn process(programs: &KafkaPrograms, folder: &Path, ports: [&Port; 2]) -> Result<ProcessSpec, StartError> {
    let data = folder.join("data");
    make_folder(SERVER, &data)?;
    // What Kafka's own tool for formatting would write, without another start of the JVM.
    let identity = format!("version=1\ncluster.id={CLUSTER}\nnode.id=1\ndirectory.id=ZmlyZWFzc2F5LWRpcmVjdA\n");
    write(SERVER, &data.join("meta.properties"), &identity)?;
    let settings = settings("127.0.0.1", ports, &data.to_string_lossy());
    let text: String = settings.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    write(SERVER, &folder.join("server.properties"), &text)?;

    let class_path: Vec<_> = programs.jars.iter().map(|jar| jar.to_string_lossy()).collect();
    let class_path = class_path.join(":");
    let rest = [
        "-Xshare:auto",
        "-XX:-UsePerfData",
        "-Djava.awt.headless=true",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        "-cp",
        &class_path,
        "kafka.Kafka",
        "server.properties",
    ];
    let archive = programs.class_archive.as_ref().map(|file| format!("-XX:SharedArchiveFile={}", file.display()));
    let args = HEAP.into_iter().chain(PERFORMANCE).chain(rest).map(str::to_owned);
    Ok(ProcessSpec {
        name: SERVER.to_owned(),
        program: programs.java.clone(),
        args: archive.into_iter().chain(args).collect(),
        env: plain_env(),
        clear_env: true,
        directory: folder.to_owned(),
        log: folder.join("log"),
        user: None,
    })
}

/// The port is the same inside: a broker calls itself by the address that it tells its clients.
fn container(docker: &Docker, image: &Image, log: &Path, [port, controller]: [&Port; 2]) -> Container {
    let settings = settings("0.0.0.0", [port, controller], "/tmp/kafka-logs");
    // As the image reads it: KAFKA_LOG_DIRS is log.dirs.
    let env = settings.map(|(name, value)| (format!("KAFKA_{}", name.to_uppercase().replace('.', "_")), value));
    let options = [
        ("CLUSTER_ID", CLUSTER.to_owned()),
        ("KAFKA_HEAP_OPTS", HEAP.join(" ")),
        ("KAFKA_JVM_PERFORMANCE_OPTS", PERFORMANCE.join(" ")),
    ];
    let spec = ContainerSpec {
        name: SERVER.to_owned(),
        image: image.clone(),
        command: Vec::new(),
        env: options.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(env).collect(),
        ports: vec![(port.number(), port.number())],
        volumes: Vec::new(),
        network: None,
        log: log.to_owned(),
    };
    Container::new(docker.clone(), spec)
}

/// What a broker is told that listens on these ports of `host`, and is found by its clients on 127.0.0.1.
fn settings(host: &str, [port, controller]: [&Port; 2], data: &str) -> [(&'static str, String); 28] {
    let (port, controller) = (port.number(), controller.number());
    [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", "1".to_owned()),
        ("controller.quorum.voters", format!("1@127.0.0.1:{controller}")),
        ("listeners", format!("BROKER://{host}:{port},CONTROLLER://127.0.0.1:{controller}")),
        ("advertised.listeners", format!("BROKER://127.0.0.1:{port}")),
        ("listener.security.protocol.map", "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()),
        ("inter.broker.listener.name", "BROKER".to_owned()),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("log.dirs", data.to_owned()),
        // A misspelt topic must be an error.
        ("auto.create.topics.enable", "false".to_owned()),
        // One broker.
        ("offsets.topic.replication.factor", "1".to_owned()),
        ("transaction.state.log.replication.factor", "1".to_owned()),
        ("transaction.state.log.min.isr", "1".to_owned()),
        ("share.coordinator.state.topic.replication.factor", "1".to_owned()),
        ("share.coordinator.state.topic.min.isr", "1".to_owned()),
        // A small machine.
        ("offsets.topic.num.partitions", "4".to_owned()),
        ("transaction.state.log.num.partitions", "4".to_owned()),
        ("num.network.threads", "2".to_owned()),
        ("num.io.threads", "2".to_owned()),
        ("log.cleaner.enable", "false".to_owned()),
        ("log.segment.bytes", "16777216".to_owned()),
        ("offsets.topic.segment.bytes", "16777216".to_owned()),
        ("log.segment.delete.delay.ms", "1000".to_owned()),
        ("controller.quorum.append.linger.ms", "0".to_owned()),
        // Quick recovery.
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
        ("group.min.session.timeout.ms", "500".to_owned()),
        ("broker.heartbeat.interval.ms", "100".to_owned()),
        ("broker.session.timeout.ms", "3000".to_owned()),
    ]
}
