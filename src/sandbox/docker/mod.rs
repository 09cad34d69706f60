//! Containers that never outlive the harness for long.
//!
//! Four nets, each for what the one before cannot catch: dropping a [`Container`] removes it; a guardian, which outlives the
//! harness by a moment, removes what is left, where there is a `docker` command; the next harness that connects to the daemon
//! removes what dead ones left, which their labels tell; and everything has a name that begins with `fireassay-`, by which a
//! person finds it.

mod container;
mod finish;
mod image;
mod network;

use std::collections::HashMap;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use testcontainers::bollard;
use testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers::core::client::docker_client_instance;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerRequest, GenericImage};
use tokio::sync::OnceCell;

pub use self::container::{Container, ContainerSpec, Run};
pub use self::image::Image;
pub use self::network::Network;
use super::owner::Owner;
use super::process::Guardian;

/// The label of everything that a harness makes in a daemon: whose it is.
const LABEL: &str = "fireassay.owner";
/// How long the daemon may take for anything but a download.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
/// How long a daemon may take to say that it is there.
const HELLO_DEADLINE: Duration = Duration::from_secs(5);
/// How long the download of one image may take.
const PULL_DEADLINE: Duration = Duration::from_secs(600);

/// A Docker daemon, and what this harness has there. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Docker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: bollard::Docker,
    owner: Owner,
    /// What the names of everything made here begin with.
    prefix: String,
    /// Made when the first container needs it.
    network: OnceCell<Network>,
    /// Dropped after the network, which is the last thing to be removed.
    _guarded: Guarded,
}

/// Everything whose name begins with a prefix is removed when the harness is killed.
#[derive(Debug)]
struct Guarded(Guardian);

impl Guarded {
    fn start(owner: &Owner, prefix: &str) -> std::io::Result<Self> {
        let guardian = Guardian::start()?;
        guardian.containers(&format!("{LABEL}={owner}"), prefix);
        Ok(Self(guardian))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Whatever holds the daemon has removed its own before; the guardian would only look for it again.
        self.0.no_containers();
    }
}

/// The daemon is not there, or did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to {what}: {why}")]
pub struct DockerError {
    what: String,
    why: String,
}

impl Docker {
    /// Reaches the daemon that `DOCKER_HOST` names, else the one of this machine, and removes what dead harnesses left there.
    ///
    /// # Errors
    /// When no daemon answers.
    pub async fn connect() -> Result<Self, DockerError> {
        let what = "reach a Docker daemon";
        if let Some(host) = std::env::var("DOCKER_HOST").ok().filter(|host| !is_here(host)) {
            let why = format!("DOCKER_HOST is {host}, and what its containers publish is not found on this machine");
            return Err(failure(what, &why));
        }
        let client = docker_client_instance().await.map_err(|error| failure(what, &innermost(&error)))?;
        match tokio::time::timeout(HELLO_DEADLINE, client.ping()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(failure(what, &innermost(&error))),
            Err(_) => return Err(failure(what, &format!("no answer within {} s", HELLO_DEADLINE.as_secs()))),
        }
        let prefix = format!("fireassay-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let owner = Owner::ourselves();
        let guarded = Guarded::start(&owner, &prefix)
            .map_err(|error| failure("start the guardian of containers, which needs /bin/sh", &error))?;
        let shared = Shared { client, owner, prefix, network: OnceCell::new(), _guarded: guarded };
        let docker = Self { shared: Arc::new(shared) };
        docker.sweep().await?;
        Ok(docker)
    }

    /// The version of the daemon.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn version(&self) -> Result<String, DockerError> {
        let version = self.ask("ask the Docker daemon for its version", self.client().version()).await?;
        Ok(version.version.unwrap_or_default())
    }

    /// Whether the daemon has an image already.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn has(&self, image: &Image) -> Result<bool, DockerError> {
        let looked = tokio::time::timeout(ANSWER_DEADLINE, self.client().inspect_image(&image.to_string())).await;
        match looked {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(error)) if is_not_found(&error) => Ok(false),
            Ok(Err(error)) => Err(failure(format!("look for the image {image}"), &innermost(&error))),
            Err(_) => Err(no_answer(format!("look for the image {image}"))),
        }
    }

    /// Has the daemon download an image, unless it has it.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn obtain(&self, image: &Image, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<(), DockerError> {
        if self.has(image).await? {
            return Ok(());
        }
        progress(&format!("downloading the image {image}"));
        self.pull(image).await
    }

    /// Has the daemon download an image.
    ///
    /// # Errors
    /// When it cannot.
    async fn pull(&self, image: &Image) -> Result<(), DockerError> {
        let what = || format!("download the image {image}");
        let (name, tag) = image.name_and_tag();
        let request: ContainerRequest<GenericImage> = GenericImage::new(name, tag).into();
        match tokio::time::timeout(PULL_DEADLINE, request.pull_image()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                let why = format!("{}; where there is no registry, ci/images builds such images", innermost(&error));
                Err(failure(what(), &why))
            }
            Err(_) => Err(failure(what(), &format!("it took longer than {} s", PULL_DEADLINE.as_secs()))),
        }
    }

    /// The network of the target's containers.
    ///
    /// # Errors
    /// When it cannot be made, or the daemon is on another machine.
    pub async fn network(&self) -> Result<&Network, DockerError> {
        self.shared.network.get_or_try_init(|| Network::make(self)).await
    }

    fn client(&self) -> &bollard::Docker {
        &self.shared.client
    }

    /// What the names of its containers begin with.
    pub(super) fn prefix(&self) -> &str {
        &self.shared.prefix
    }

    fn label(&self) -> (&'static str, String) {
        (LABEL, self.shared.owner.to_string())
    }

    /// Removes the containers and networks of harnesses that are gone.
    async fn sweep(&self) -> Result<(), DockerError> {
        let labelled = HashMap::from([("label".to_owned(), vec![LABEL.to_owned()])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&labelled).build();
        let containers = self.ask("list containers", self.client().list_containers(Some(options))).await?;
        for container in containers {
            if is_leftover(container.labels.as_ref())
                && let Some(id) = container.id
            {
                // Another harness may be at it too; what cannot be removed is left to the next.
                let _ = remove(self.client(), &id).await;
            }
        }
        let options = ListNetworksOptionsBuilder::new().filters(&labelled).build();
        let networks = self.ask("list networks", self.client().list_networks(Some(options))).await?;
        for network in networks {
            if is_leftover(network.labels.as_ref())
                && let Some(id) = network.id
            {
                let _ = self.client().remove_network(&id).await;
            }
        }
        Ok(())
    }

    async fn ask<T>(
        &self,
        what: impl Into<String>,
        answer: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, DockerError> {
        match tokio::time::timeout(ANSWER_DEADLINE, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failure(what, &innermost(&error))),
            Err(_) => Err(no_answer(what)),
        }
    }
}

/// Whether a daemon that is named like this is on this machine.
fn is_here(host: &str) -> bool {
    let rest = host.split_once("://").map_or(host, |(_, rest)| rest);
    host.is_empty()
        || host.starts_with("unix://")
        || ["127.0.0.1", "localhost", "[::1]"].iter().any(|here| rest.starts_with(here))
}

fn is_leftover(labels: Option<&HashMap<String, String>>) -> bool {
    let owner = labels.and_then(|labels| labels.get(LABEL)).and_then(|owner| owner.parse::<Owner>().ok());
    owner.is_some_and(|owner| owner.is_gone())
}

async fn remove(client: &bollard::Docker, container: &str) -> Result<(), bollard::errors::Error> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    client.remove_container(container, Some(options)).await
}

fn is_not_found(error: &bollard::errors::Error) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { status_code: 404, .. })
}

fn failure(what: impl Into<String>, why: &(impl Display + ?Sized)) -> DockerError {
    DockerError { what: what.into(), why: why.to_string() }
}

fn no_answer(what: impl Into<String>) -> DockerError {
    failure(what, &format!("the daemon did not answer within {} s", ANSWER_DEADLINE.as_secs()))
}

/// What is at the bottom of an error: those of the client say little but that there was one.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_elsewhere_is_told_by_its_name() {
        assert!(
            ["", "unix:///var/run/docker.sock", "tcp://127.0.0.1:2375", "tcp://localhost:2376"]
                .into_iter()
                .all(is_here)
        );
        assert!(!["tcp://build-host:2375", "ssh://me@build-host", "tcp://10.0.0.7:2375"].into_iter().any(is_here));
    }
}
