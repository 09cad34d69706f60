//! The network of the target's containers: a bridge of their own.
//!
//! Docker passes nothing between two bridges, and the servers' ports are published on 127.0.0.1 only, which is not ours in
//! there. So all that a target in a container can reach of this machine are the links, which listen on the bridge's own address.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener};

use testcontainers::bollard;
use testcontainers::bollard::models::NetworkCreateRequest;

use super::finish::{in_destructor, to_its_end};
use super::{Docker, DockerError, failure};

const WHAT: &str = "make the network of the target's containers";

/// A bridge; removed when it is dropped.
#[derive(Debug)]
pub struct Network {
    name: String,
    host: IpAddr,
    client: bollard::Docker,
}

impl Network {
    pub(super) async fn make(docker: &Docker) -> Result<Self, DockerError> {
        to_its_end(WHAT, Self::ask_for(docker.clone())).await?
    }

    async fn ask_for(docker: Docker) -> Result<Self, DockerError> {
        let (label, owner) = docker.label();
        let name = format!("{}-target", docker.prefix());
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".to_owned()),
            labels: Some(HashMap::from([(label.to_owned(), owner)])),
            ..NetworkCreateRequest::default()
        };
        let client = docker.client().clone();
        docker.ask(WHAT, client.create_network(request)).await?;
        // It exists from here on, and goes with this.
        let mut network = Self { name, host: IpAddr::from([127, 0, 0, 1]), client: client.clone() };
        let found = docker.ask(WHAT, client.inspect_network(&network.name, None)).await?;
        let configs = found.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let host = configs.into_iter().find_map(|config| config.gateway?.parse::<IpAddr>().ok());
        network.host =
            host.ok_or_else(|| failure(WHAT, "the daemon does not say which address this machine has in it"))?;
        if let Err(error) = TcpListener::bind(SocketAddr::new(network.host, 0)) {
            let why = format!(
                "its address {} is not on this machine ({error}), so containers could not reach the links; \
                 targets that are images need a daemon that runs on this machine, as root",
                network.host
            );
            return Err(failure(WHAT, &why));
        }
        Ok(network)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its containers find this machine.
    #[must_use]
    pub fn host(&self) -> IpAddr {
        self.host
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let (client, name) = (self.client.clone(), self.name.clone());
        // The sweep removes it if this fails.
        in_destructor(async move { drop(client.remove_network(&name).await) });
    }
}
