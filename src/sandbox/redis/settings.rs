//! How a Redis server is set up.

use std::io::ErrorKind;
use std::path::Path;

use super::{DATABASES, SERVER};
use crate::sandbox::docker::{Container, ContainerSpec};
use crate::sandbox::ground::{Ground, Machine};
use crate::sandbox::running::Program;
use crate::sandbox::server::Server;
use crate::sandbox::service::{make_folder, plain_env, socket_path, write};
use crate::sandbox::{Port, ProcessSpec, StartError};

/// In its data directory, where it works.
const SOCKET: &str = "socket";
/// Where the server listens in its container.
const CONTAINER_PORT: u16 = 6379;

/// A server that listens on `port` of 127.0.0.1.
pub(super) fn server(ground: &Ground, port: &Port, password: &str) -> Result<Server, StartError> {
    let folder = ground.place.path().join(SERVER);
    make_folder(SERVER, &folder)?;
    let log = folder.join("log");
    let (program, socket) = match &ground.machine {
        Machine::Processes(programs) => {
            let socket = socket_path(folder.join("data").join(SOCKET));
            let mut own = vec![
                ("bind", "127.0.0.1".to_owned()),
                ("port", port.number().to_string()),
                ("protected-mode", "yes".to_owned()),
                ("dir", "data".to_owned()),
            ];
            if socket.is_some() {
                own.extend([("unixsocket", SOCKET.to_owned()), ("unixsocketperm", "700".to_owned())]);
            }
            let lines = settings(password).into_iter().chain(own);
            let text: String = lines.map(|(name, value)| format!("{name} {}\n", quoted(&value))).collect();
            write(SERVER, &folder.join("redis.conf"), &text)?;
            let spec = ProcessSpec {
                name: SERVER.to_owned(),
                program: programs.redis.clone(),
                args: vec!["redis.conf".to_owned()],
                env: plain_env(),
                clear_env: true,
                directory: folder,
                log: log.clone(),
                user: None,
            };
            (Program::Process(ground.processes.clone(), spec), socket)
        }
        Machine::Docker(docker, images) => {
            let options = settings(password).into_iter().flat_map(|(name, value)| [format!("--{name}"), value]);
            let spec = ContainerSpec {
                name: SERVER.to_owned(),
                image: images.redis.clone(),
                command: ["redis-server".to_owned()].into_iter().chain(options).collect(),
                env: Vec::new(),
                ports: vec![(port.number(), CONTAINER_PORT)],
                volumes: Vec::new(),
                network: None,
                log: log.clone(),
            };
            (Program::Container(Box::new(Container::new(docker.clone(), spec))), None)
        }
        Machine::External(_) => (Program::Elsewhere, None),
    };
    Ok(Server::new(SERVER, program, log).listening_on(socket))
}

/// What is the same wherever it runs.
fn settings(password: &str) -> [(&'static str, String); 5] {
    [
        ("requirepass", password.to_owned()),
        ("databases", (DATABASES + 1).to_string()),
        // Nothing but the log of commands, written before each answer.
        ("save", String::new()),
        ("appendonly", "yes".to_owned()),
        ("appendfsync", "always".to_owned()),
    ]
}

fn quoted(value: &str) -> String {
    if value.is_empty() { "\"\"".to_owned() } else { value.to_owned() }
}

/// Leaves a server that runs in `folder` without its data.
pub(super) fn empty(folder: &Path) -> Result<(), StartError> {
    let files = folder.join("data");
    match std::fs::remove_dir_all(&files) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(why) => return Err(StartError::Files { server: SERVER, path: files, why }),
    }
    make_folder(SERVER, &files)
}
