//! What a target that is made of containers needs before its first run.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use super::RunError;
use super::session::{TAIL_LINES, build_with};
use crate::fault::{Edge, Node};
use crate::link::{Link, Protocol};
use crate::sandbox::Stack;
use crate::sandbox::docker::{Container, ContainerSpec, Image};
use crate::target::Target;

/// Builds or downloads the images of the target that the daemon does not have.
pub(super) async fn images(
    target: &Target,
    stack: &Stack,
    runs_dir: &Path,
    preparing: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), RunError> {
    let images = target.images_of_its_own();
    if images.is_empty() {
        return Ok(());
    }
    let failed = |error: &dyn std::fmt::Display| RunError::Environment(error.to_string());
    let docker = stack.docker().await.map_err(|error| failed(&error))?;
    for (image, folder) in images {
        let Some(folder) = folder else {
            docker.obtain(&image, preparing).await.map_err(|error| failed(&error))?;
            continue;
        };
        preparing(&format!("building the image {image}"));
        let folder = folder.to_string_lossy().into_owned();
        let words = ["build", "--tag", &image.to_string(), &folder].map(str::to_owned).to_vec();
        let line = format!("docker {}", words.join(" "));
        build_with(target, runs_dir, "docker".into(), words, &line).await?;
    }
    Ok(())
}

/// Runs the target's set-up in a container. Says how it ended, if it did in time, and what it said last.
pub(super) async fn set_up(
    target: &Target,
    stack: &Stack,
    image: &Image,
    database: &str,
    env: &[(String, String)],
    log: &Path,
    deadline: Duration,
) -> Result<(Option<ExitStatus>, String), String> {
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let docker = stack.docker().await.map_err(|error| failed(&error))?;
    let network = docker.network().await.map_err(|error| failed(&error))?;
    // A container cannot reach the servers of the stack but through a link.
    let edge = Edge { from: Node::Client, to: Node::Postgres };
    let at = stack.postgres().address();
    let link = Link::open_at(network.host(), edge, at, Protocol::Postgres, 0, None).await;
    let link = link.map_err(|error| failed(&error))?;
    link.accept();
    let url = stack.postgres().url(database, link.address());
    let rendered = target.render_setup_container(&url).map_err(|error| failed(&error))?;
    let Some(rendered) = rendered else { return Err("the target has no set-up".to_owned()) };
    let spec = ContainerSpec {
        name: "setup".to_owned(),
        image: image.clone(),
        command: rendered.command,
        env: rendered.env.into_iter().chain(env.iter().cloned()).collect(),
        ports: Vec::new(),
        volumes: Vec::new(),
        network: Some(network.name().to_owned()),
        log: log.to_owned(),
    };
    let container = Container::new(docker.clone(), spec);
    let run = container.start().await.map_err(|error| failed(&error))?;
    let status = run.wait(deadline).await;
    let tail = run.log_tail(TAIL_LINES);
    // Dropping it tries again.
    drop(run);
    let _ = container.discard().await;
    // Nobody may be connected to what is going to be a template.
    link.close().await;
    Ok((status, tail))
}
