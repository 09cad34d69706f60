//! A Postgres server in a container.

use std::path::Path;

use super::{OWN_DATABASE, SERVER, SETTINGS, USER};
use crate::sandbox::Port;
use crate::sandbox::docker::{Container, ContainerSpec, Docker, Image};

/// Where the server listens in its container.
const CONTAINER_PORT: u16 = 5432;

/// A server that makes its data directory at its first start, and listens on `port` of 127.0.0.1.
pub(super) fn container(docker: &Docker, image: &Image, log: &Path, port: &Port, password: &str) -> Container {
    let env = [
        ("POSTGRES_USER", USER),
        ("POSTGRES_PASSWORD", password),
        ("POSTGRES_DB", OWN_DATABASE),
        // For the same reasons as where `initdb` is called by the harness itself.
        ("POSTGRES_HOST_AUTH_METHOD", "password"),
        ("POSTGRES_INITDB_ARGS", "--encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions"),
    ];
    let settings = SETTINGS.iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]);
    let spec = ContainerSpec {
        name: SERVER.to_owned(),
        image: image.clone(),
        command: ["postgres".to_owned()].into_iter().chain(settings).collect(),
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ports: vec![(port.number(), CONTAINER_PORT)],
        volumes: Vec::new(),
        network: None,
        log: log.to_owned(),
    };
    Container::new(docker.clone(), spec)
}
