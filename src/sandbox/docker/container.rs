//! One container, which can be started again and again with its data.

use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use testcontainers::bollard;
use testcontainers::bollard::container::LogOutput;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::{HostConfig, NetworkConnectRequest, NetworkDisconnectRequest};
use testcontainers::bollard::query_parameters::{
    AttachContainerOptionsBuilder, KillContainerOptionsBuilder, LogsOptionsBuilder,
};
use testcontainers::core::{AccessMode, IntoContainerPort as _, Mount};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};
use tokio::sync::{Mutex, watch};
use tokio_util::task::AbortOnDropHandle;

use super::finish::{in_destructor, to_its_end};
use super::{ANSWER_DEADLINE, Docker, DockerError, Image, failure, innermost, no_answer, remove};
use crate::sandbox::SpawnError;
use crate::sandbox::process::{BoundedLog, OUTPUT_DEADLINE, log_tail};
use crate::target::Volume;

/// Pause between two looks at a container whose end the daemon could not tell.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What to run.
#[derive(Clone, Debug)]
pub struct ContainerSpec {
    /// What messages call it, for example `api-1`.
    pub name: String,
    /// What it is made from.
    pub image: Image,
    /// The program and its arguments, or what the image's entry makes of them; empty for the image's own.
    pub command: Vec<String>,
    /// Variables to set.
    pub env: Vec<(String, String)>,
    /// Ports of 127.0.0.1, and the container's own ports that they lead to. The same after every start.
    pub ports: Vec<(u16, u16)>,
    /// What it finds of this machine.
    pub volumes: Vec<Volume>,
    /// The network it is in; without one, Docker's own.
    pub network: Option<String>,
    /// Where standard output and standard error are appended, bounded as those of processes are.
    pub log: PathBuf,
}

/// A container. Dropping it removes it and its data.
#[derive(Debug)]
pub struct Container {
    docker: Docker,
    spec: ContainerSpec,
    /// Empty until the first start.
    made: Mutex<Option<Made>>,
}

/// A container that the daemon has. Dropping it removes it and its data, before the destructor returns.
#[derive(Debug)]
struct Made(Option<ContainerAsync<GenericImage>>);

/// A container from one start to its end. Dropping it kills what runs.
#[derive(Debug)]
pub struct Run {
    client: bollard::Docker,
    id: String,
    /// The number of its first process on this machine.
    pid: u32,
    log: PathBuf,
    status: Arc<watch::Sender<Option<ExitStatus>>>,
    _watching: AbortOnDropHandle<()>,
}

impl Container {
    /// A container that has not been made yet.
    #[must_use]
    pub fn new(docker: Docker, spec: ContainerSpec) -> Self {
        Self { docker, spec, made: Mutex::new(None) }
    }

    /// Makes it at the first start, and starts it again with its data at every other.
    ///
    /// # Errors
    /// When the daemon cannot.
    pub async fn start(&self) -> Result<Run, SpawnError> {
        let Self { docker, spec, .. } = self;
        let log = BoundedLog::open(&spec.log).map_err(|why| SpawnError::Log {
            name: spec.name.clone(),
            log: spec.log.clone(),
            why,
        })?;
        let mut made = self.made.lock().await;
        let started = match made.as_ref() {
            None => self.make(&mut made, log).await,
            Some(container) => again(docker, container.id(), log).await,
        };
        let (id, copied) = started.map_err(|error| self.refused(&error))?;
        let found = docker.ask("look at the container", docker.client().inspect_container(&id, None)).await;
        let state = found.map_err(|error| self.refused(&error))?.state;
        let pid = state.and_then(|state| state.pid).and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
        let (status, _) = watch::channel(None);
        let status = Arc::new(status);
        let watching = watch_end(docker.client().clone(), id.clone(), Arc::clone(&status), copied);
        let watching = AbortOnDropHandle::new(tokio::spawn(watching));
        Ok(Run { client: docker.client().clone(), id, pid, log: spec.log.clone(), status, _watching: watching })
    }

    /// Removes it and its data; the next start makes a new one.
    ///
    /// # Errors
    /// When the daemon cannot.
    pub async fn discard(&self) -> Result<(), DockerError> {
        let what = || format!("remove the container of {}", self.spec.name);
        let Some(container) = self.made.lock().await.take().and_then(|mut made| made.0.take()) else { return Ok(()) };
        match to_its_end(&what(), async { tokio::time::timeout(ANSWER_DEADLINE, container.rm()).await }).await? {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failure(what(), &innermost(&error))),
            Err(_) => Err(no_answer(what())),
        }
    }

    /// Takes it out of its network. Says what the daemon says of it then; `None` when it was in none, or was not made yet.
    ///
    /// Open connections go silent, and its ports lead nowhere any more.
    ///
    /// # Errors
    /// When the daemon cannot, or says afterwards that it is still there.
    pub async fn disconnect(&self) -> Result<Option<String>, DockerError> {
        let what = || format!("take the container of {} out of its network", self.spec.name);
        let made = self.made.lock().await;
        let (Some(container), Some(network)) = (made.as_ref(), &self.spec.network) else { return Ok(None) };
        let Some(address) = self.address_in(container.id(), network).await? else { return Ok(None) };
        // Forced, the daemon does not wait for anything of the container's.
        let order = NetworkDisconnectRequest { container: container.id().to_owned(), force: Some(true) };
        let client = self.docker.client();
        self.docker.ask(what(), client.disconnect_network(network, order)).await?;
        match self.address_in(container.id(), network).await? {
            None => Ok(Some(format!("the container, which was {address}, is in no network any more"))),
            Some(address) => Err(failure(what(), &format!("it is still there, as {address}"))),
        }
    }

    /// Puts it back into its network. Its ports lead to it again; its own address there may be another one.
    ///
    /// # Errors
    /// When the daemon cannot.
    pub async fn reconnect(&self) -> Result<(), DockerError> {
        let made = self.made.lock().await;
        let (Some(container), Some(network)) = (made.as_ref(), &self.spec.network) else { return Ok(()) };
        if self.address_in(container.id(), network).await?.is_some() {
            return Ok(());
        }
        let order = NetworkConnectRequest { container: container.id().to_owned(), endpoint_config: None };
        let what = format!("put the container of {} back into its network", self.spec.name);
        self.docker.ask(what, self.docker.client().connect_network(network, order)).await
    }

    /// Its address in a network, as long as it is in it.
    async fn address_in(&self, id: &str, network: &str) -> Result<Option<String>, DockerError> {
        let what = format!("look where the container of {} is", self.spec.name);
        let found = self.docker.ask(what, self.docker.client().inspect_container(id, None)).await?;
        let networks = found.network_settings.and_then(|settings| settings.networks);
        let mut endpoint = networks.and_then(|mut networks| networks.remove(network));
        Ok(endpoint.as_mut().map(|endpoint| endpoint.ip_address.take().unwrap_or_default()))
    }

    async fn make(
        &self,
        made: &mut Option<Made>,
        log: BoundedLog,
    ) -> Result<(String, AbortOnDropHandle<()>), DockerError> {
        let Self { docker, spec, .. } = self;
        let (name, tag) = spec.image.name_and_tag();
        let (label, owner) = docker.label();
        let called = format!("{}-{}-{:08x}", docker.prefix(), spec.name, rand::random::<u32>());
        let mut request = GenericImage::new(name, tag)
            .with_container_name(&called)
            .with_label(label, owner)
            .with_startup_timeout(ANSWER_DEADLINE)
            .with_host_config_modifier(on_loopback);
        if !spec.command.is_empty() {
            request = request.with_cmd(spec.command.clone());
        }
        if let Some(network) = &spec.network {
            request = request.with_network(network);
        }
        for (name, value) in &spec.env {
            request = request.with_env_var(name, value);
        }
        for (here, there) in &spec.ports {
            request = request.with_mapped_port(*here, there.tcp());
        }
        for Volume { here, there, read_only } in &spec.volumes {
            let access = if *read_only { AccessMode::ReadOnly } else { AccessMode::ReadWrite };
            request = request.with_mount(Mount::bind_mount(here.to_string_lossy(), there).with_access_mode(access));
        }
        let client = docker.client().clone();
        let container = to_its_end("start it", async move {
            let error = match tokio::time::timeout(ANSWER_DEADLINE, request.start()).await {
                Ok(Ok(container)) => return Ok(Made(Some(container))),
                Ok(Err(error)) => failure("start it", &innermost(&error)),
                Err(_) => no_answer("start it"),
            };
            // It may have been made and only not have started.
            let _ = tokio::time::timeout(ANSWER_DEADLINE, remove(&client, &called)).await;
            Err(error)
        });
        let container = container.await??;
        let id = container.id().to_owned();
        let options = LogsOptionsBuilder::new().follow(true).stdout(true).stderr(true).build();
        let copied = AbortOnDropHandle::new(tokio::spawn(copy(docker.client().logs(&id, Some(options)), log)));
        *made = Some(container);
        Ok((id, copied))
    }

    fn refused(&self, error: &DockerError) -> SpawnError {
        let ContainerSpec { name, image, .. } = &self.spec;
        SpawnError::Container { name: name.clone(), image: image.clone(), why: error.to_string() }
    }
}

impl Made {
    fn id(&self) -> &str {
        self.0.as_ref().map_or("", |container| container.id())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(container) = self.0.take() {
            in_destructor(async move { drop(container.rm().await) });
        }
    }
}

/// Ports lead from 127.0.0.1 and nowhere else, and none that was not asked for leads anywhere.
fn on_loopback(host: &mut HostConfig) {
    host.publish_all_ports = Some(false);
    for binding in host.port_bindings.iter_mut().flat_map(|bindings| bindings.values_mut()).flatten().flatten() {
        binding.host_ip = Some(Ipv4Addr::LOCALHOST.to_string());
    }
}

/// Starts a container that has ended.
async fn again(docker: &Docker, id: &str, log: BoundedLog) -> Result<(String, AbortOnDropHandle<()>), DockerError> {
    // Attached before it starts, so that no line is missed; its log would begin with what the earlier starts wrote.
    let options = AttachContainerOptionsBuilder::new().stream(true).stdout(true).stderr(true).build();
    let attached = docker.ask("read its output", docker.client().attach_container(id, Some(options))).await?;
    docker.ask("start it again", docker.client().start_container(id, None)).await?;
    let copy = async move {
        let bollard::container::AttachContainerResults { output, input } = attached;
        copy(output, log).await;
        drop(input);
    };
    Ok((id.to_owned(), AbortOnDropHandle::new(tokio::spawn(copy))))
}

async fn copy(output: impl Stream<Item = Result<LogOutput, Error>>, mut log: BoundedLog) {
    let mut output = std::pin::pin!(output);
    while let Some(Ok(part)) = output.next().await {
        // What cannot be kept is dropped, as with processes.
        let _ = log.append(&part.into_bytes());
    }
}

/// Waits for the end, then for the rest of the output, and says how it ended.
async fn watch_end(
    client: bollard::Docker,
    id: String,
    status: Arc<watch::Sender<Option<ExitStatus>>>,
    mut copied: AbortOnDropHandle<()>,
) {
    let code = exit_code(&client, &id).await;
    let _ = tokio::time::timeout(OUTPUT_DEADLINE, &mut copied).await;
    status.send_replace(Some(as_status(code)));
}

async fn exit_code(client: &bollard::Docker, id: &str) -> i64 {
    loop {
        let mut ends = std::pin::pin!(client.wait_container(id, None));
        match ends.next().await {
            Some(Ok(end)) => return end.status_code,
            Some(Err(Error::DockerContainerWaitError { code, .. })) => return code,
            // The connection was lost, perhaps with the container.
            _ => match client.inspect_container(id, None).await {
                Ok(found) => {
                    let state = found.state.unwrap_or_default();
                    if state.running != Some(true) {
                        return state.exit_code.unwrap_or_default();
                    }
                }
                Err(error) if super::is_not_found(&error) => return KILLED,
                Err(_) => {}
            },
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What Docker says of a process that SIGKILL ended, or of one that somebody removed.
const KILLED: i64 = 137;

/// The status of a process that ended like this: Docker adds 128 to the number of a signal, as shells do.
fn as_status(code: i64) -> ExitStatus {
    const SIGNALS: std::ops::RangeInclusive<i64> = 129..=192;
    let code = i32::try_from(code).unwrap_or(255);
    let raw = if SIGNALS.contains(&i64::from(code)) { code - 128 } else { (code & 0xff) << 8 };
    ExitStatus::from_raw(raw)
}

impl Run {
    /// The number of its first process on this machine.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal to its first process; SIGKILL ends all of them. Says whether it was there to get it.
    pub async fn signal(&self, signal: &str) -> bool {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        self.try_status().is_none() && self.done(self.client.kill_container(&self.id, Some(options))).await
    }

    /// Freezes all its processes; says whether they are frozen.
    pub async fn pause(&self) -> bool {
        self.try_status().is_none() && self.done(self.client.pause_container(&self.id)).await
    }

    /// Lets frozen processes go on; says whether there were any.
    pub async fn resume(&self) -> bool {
        self.done(self.client.unpause_container(&self.id)).await
    }

    /// Whether the daemon says that it is frozen.
    pub async fn is_frozen(&self) -> bool {
        let found = tokio::time::timeout(ANSWER_DEADLINE, self.client.inspect_container(&self.id, None)).await;
        let state = found.ok().and_then(Result::ok).and_then(|found| found.state);
        state.is_some_and(|state| state.paused == Some(true))
    }

    /// How it ended, or `None` while it runs.
    #[must_use]
    pub fn try_status(&self) -> Option<ExitStatus> {
        *self.status.borrow()
    }

    /// Waits until it has ended, no longer than `deadline`. Its output is in the log by then.
    pub async fn wait(&self, deadline: Duration) -> Option<ExitStatus> {
        let mut status = self.status.subscribe();
        let ended = tokio::time::timeout(deadline, status.wait_for(Option::is_some)).await;
        ended.ok().and_then(Result::ok).and_then(|status| *status)
    }

    /// The last `lines` lines of its output, with control characters made harmless.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        log_tail(self.log(), lines)
    }

    fn log(&self) -> &Path {
        &self.log
    }

    async fn done(&self, deed: impl Future<Output = Result<(), Error>>) -> bool {
        matches!(tokio::time::timeout(ANSWER_DEADLINE, deed).await, Ok(Ok(())))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.try_status().is_none() {
            let (client, id) = (self.client.clone(), self.id.clone());
            in_destructor(async move {
                let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
                // A container that has gone meanwhile is as good as one that was killed.
                let _ = client.kill_container(&id, Some(options)).await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_the_words_of_processes() {
        let told = |code| as_status(code).to_string();
        assert_eq!(told(0), "exit status: 0");
        assert_eq!(told(3), "exit status: 3");
        assert_eq!(told(KILLED), "signal: 9 (SIGKILL)");
        assert_eq!(told(143), "signal: 15 (SIGTERM)");
        assert_eq!(told(255), "exit status: 255");
    }
}
