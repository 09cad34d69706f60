//! One run's private world: its own database, topics and Redis database, and a link for every edge.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::clocks::{ClockError, Clocks};
use super::docker::{Container, ContainerSpec, DockerError};
use super::instance::{Instance, InstanceSpec, StartError};
use super::running::Program;
use super::{Port, PortError, ProcessSpec, RedisDatabase, ServiceError, Stack, StackConfig};
use crate::clock::{Clock, Unloadable};
use crate::counterparty::Gateway;
use crate::fault::{Edge, Node};
use crate::history::{Exchange, InstanceName, Moment, Recorder, What};
use crate::link::{Link, Observer, Protocol, Upstream};
use crate::target::{InContainer, ManifestError, Role, Target, Variables, Volume};

/// Why a sandbox could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The stack failed.
    #[error(transparent)]
    Stack(#[from] ServiceError),
    /// No port for an instance.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A link could not listen.
    #[error("failed to open the link {edge}: {source}")]
    Link {
        /// Which.
        edge: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The gateway could not listen.
    #[error("failed to open a port for {name}'s calls of the payment gateway: {source}; free some ports")]
    Gateway {
        /// Whose calls.
        name: InstanceName,
        /// The system's reason.
        source: io::Error,
    },
    /// A template of the manifest could not be rendered, or a command not be found.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// An instance did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The daemon of the target's containers does not do as asked.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// The clock of an instance could not be made.
    #[error(transparent)]
    Clock(#[from] ClockError),
}

/// What a sandbox is made from.
#[derive(Clone, Copy, Debug)]
pub struct Blueprint<'a> {
    /// Which ports may be used.
    pub config: &'a StackConfig,
    /// The system under test.
    pub target: &'a Target,
    /// The database that is cloned.
    pub template: &'a str,
    /// A name that no other sandbox of this stack has: letters, digits and `_`.
    pub name: &'a str,
    /// Where the instances' output goes.
    pub logs: &'a Path,
    /// Variables on top of those of the manifest.
    pub env: &'a [(String, String)],
    /// For the links' random numbers.
    pub seed: u64,
    /// Whether the target uses a payment gateway.
    pub gateway: bool,
    /// Whether the exchanges on every link are recorded.
    pub traced: bool,
    /// Whose event topic is meant by a fault that names none.
    pub profile: &'a str,
    /// The instances whose clocks are going to be changed. The others are started without a trace of it.
    pub clocks: &'a BTreeSet<InstanceName>,
}

/// Writes the exchanges of the links into the run's history.
#[derive(Debug)]
struct Writes {
    recorder: Arc<Recorder>,
    left: AtomicU32,
}

/// The most exchanges that a run records; a note says when there are more.
const EXCHANGES_MAX: u32 = 100_000;

fn observer(recorder: &Arc<Recorder>) -> Arc<dyn Observer> {
    Arc::new(Writes { recorder: Arc::clone(recorder), left: AtomicU32::new(EXCHANGES_MAX) })
}

impl Observer for Writes {
    fn now(&self) -> Moment {
        self.recorder.now()
    }

    fn over(&self, exchange: Exchange) {
        let left = self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        match left {
            Ok(1) => {
                let why = format!("more than {EXCHANGES_MAX} exchanges passed; the rest is not recorded");
                self.recorder.record(What::Blind { why });
            }
            Ok(_) => _ = self.recorder.record(What::Exchange(exchange)),
            Err(_) => {}
        }
    }
}

/// One run's private world.
#[derive(Debug)]
pub struct Sandbox {
    stack: Arc<Stack>,
    links: BTreeMap<Edge, Link>,
    instances: BTreeMap<InstanceName, Instance>,
    clocks: Clocks,
    gateway: Option<Gateway>,
    database: String,
    topics: Vec<String>,
    /// The one of the target's events.
    event_topic: Option<String>,
    redis: RedisDatabase,
    prefix: String,
    observer: Option<Arc<dyn Observer>>,
}

impl Sandbox {
    /// Makes everything but starts nothing: links are open but do not accept, instances do not run.
    ///
    /// # Errors
    /// When the stack, a port or the manifest fails.
    pub async fn make(
        stack: &Arc<Stack>,
        blueprint: Blueprint<'_>,
        recorder: &Arc<Recorder>,
    ) -> Result<Self, SandboxError> {
        let target = blueprint.target;
        let prefix = format!("{}.", blueprint.name);
        let topics: Vec<_> = target.topics.iter().map(|topic| (topic.in_run(&prefix), topic.partitions)).collect();
        let redis = stack.redis().take_database().await?;
        let (cloned, created) = tokio::join!(
            stack.postgres().create_from_template(blueprint.name, blueprint.template),
            stack.kafka().create_topics(&topics),
        );
        let mut sandbox = Self {
            stack: Arc::clone(stack),
            links: BTreeMap::new(),
            instances: BTreeMap::new(),
            clocks: Clocks::default(),
            gateway: blueprint.gateway.then(|| Gateway::new(Arc::clone(recorder), blueprint.seed)),
            database: blueprint.name.to_owned(),
            topics: topics.into_iter().map(|(name, _)| name).collect(),
            event_topic: target.events(blueprint.profile).map(|events| events.topic(&prefix)),
            redis,
            prefix,
            observer: blueprint.traced.then(|| observer(recorder)),
        };
        // The sandbox exists before these are checked, so that a failure of one tidies up the other.
        cloned?;
        created?;
        let temporary = std::env::temp_dir();
        sandbox.clocks = Clocks::of(blueprint.clocks.clone(), &[stack.directory(), &temporary, blueprint.logs])?;
        if let Some(folder) = sandbox.clocks.folder() {
            stack.processes().guard_directory(folder);
        }
        for role in &target.roles {
            for number in 1..=role.instances {
                let name = InstanceName { role: role.name.clone(), number };
                let spec = sandbox.furnish(role, &name, blueprint).await?;
                let instance = Instance::new(spec, Arc::clone(recorder));
                sandbox.instances.insert(name, instance);
            }
        }
        Ok(sandbox)
    }

    /// Opens the links of an instance and renders its environment.
    async fn furnish(
        &mut self,
        role: &Role,
        name: &InstanceName,
        blueprint: Blueprint<'_>,
    ) -> Result<InstanceSpec, SandboxError> {
        let port = Port::reserve(&blueprint.config.ports)?;
        let node = Node::Instance(name.clone());
        let seed = blueprint.seed;
        let stack = Arc::clone(&self.stack);
        let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
        // Where the instance finds its links.
        let host = if role.container.is_some() { stack.docker().await?.network().await?.host() } else { loopback };
        self.open(loopback, Node::Client, node.clone(), port.address(), Protocol::Http, seed).await?;
        let at = stack.postgres().upstream();
        let postgres = self.open(host, node.clone(), Node::Postgres, at, Protocol::Postgres, seed).await?;
        let redis = self.open(host, node.clone(), Node::Redis, stack.redis().upstream(), Protocol::Redis, seed).await?;
        let kafka = self.open(host, node.clone(), Node::Kafka, stack.kafka().address(), Protocol::Kafka, seed).await?;
        let gateway = match &self.gateway {
            None => None,
            Some(gateway) => {
                let failed = |source| SandboxError::Gateway { name: name.clone(), source };
                let address = gateway.listen(name.clone()).await.map_err(failed)?;
                let link = self.open(host, node, Node::Gateway, address, Protocol::Http, seed).await?;
                Some(format!("http://{link}"))
            }
        };
        let fixed = role.container.as_ref().and_then(|container| container.port);
        let variables = Variables {
            port: fixed.unwrap_or(port.number()),
            instance: name.to_string(),
            postgres: stack.postgres().url(&self.database, postgres),
            redis: stack.redis().url(self.redis.number(), redis),
            kafka: kafka.to_string(),
            prefix: self.prefix.clone(),
            gateway,
        };
        let program = match &role.container {
            None => self.process(role, name, &variables, blueprint)?,
            Some(container) => self.container(role, container, name, &variables, &port, blueprint).await?,
        };
        Ok(InstanceSpec {
            name: name.clone(),
            program,
            port,
            ready: role.ready.clone(),
            start_deadline: role.start_deadline,
            stop_deadline: role.stop_deadline,
        })
    }

    fn process(
        &mut self,
        role: &Role,
        name: &InstanceName,
        variables: &Variables,
        blueprint: Blueprint<'_>,
    ) -> Result<Program, SandboxError> {
        let rendered = blueprint.target.render(role, variables)?;
        let env = target_env().into_iter().chain(rendered.env).chain(blueprint.env.iter().cloned());
        let mut env: Vec<_> = env.collect();
        self.clocks.equip(name, &rendered.program, &mut env)?;
        let process = ProcessSpec {
            name: name.to_string(),
            program: rendered.program,
            args: rendered.arguments,
            env,
            clear_env: true,
            directory: blueprint.target.directory.clone(),
            log: blueprint.logs.join(format!("{name}.log")),
            user: None,
        };
        Ok(Program::Process(self.stack.processes().clone(), process))
    }

    async fn container(
        &mut self,
        role: &Role,
        container: &InContainer,
        name: &InstanceName,
        variables: &Variables,
        port: &Port,
        blueprint: Blueprint<'_>,
    ) -> Result<Program, SandboxError> {
        let rendered = blueprint.target.render_container(role, variables)?;
        let mut env: Vec<_> = rendered.env.into_iter().chain(blueprint.env.iter().cloned()).collect();
        let clock = self.clocks.equip_container(name, &mut env)?;
        let clock = clock.map(|folder| {
            let there = folder.to_string_lossy().into_owned();
            Volume { here: folder, there, read_only: false }
        });
        let docker = self.stack.docker().await?;
        let spec = ContainerSpec {
            name: name.to_string(),
            image: container.image.clone(),
            command: rendered.command,
            env,
            ports: vec![(port.number(), variables.port)],
            volumes: container.volumes.iter().cloned().chain(clock).collect(),
            network: Some(docker.network().await?.name().to_owned()),
            log: blueprint.logs.join(format!("{name}.log")),
        };
        Ok(Program::Container(Box::new(Container::new(docker.clone(), spec))))
    }

    async fn open(
        &mut self,
        host: IpAddr,
        from: Node,
        to: Node,
        upstream: impl Into<Upstream>,
        protocol: Protocol,
        seed: u64,
    ) -> Result<SocketAddr, SandboxError> {
        let edge = Edge { from, to };
        let failed = |source| SandboxError::Link { edge: edge.to_string(), source };
        // Each link has random numbers of its own, whatever links there are besides.
        let seed = seed.wrapping_add(fnv1a(edge.to_string().as_bytes()));
        let observer = self.observer.clone();
        let link = Link::open_at(host, edge.clone(), upstream, protocol, seed, observer).await.map_err(failed)?;
        link.leave_out(&self.prefix);
        let address = link.address();
        self.links.insert(edge, link);
        Ok(address)
    }

    /// Lets the links accept and starts every instance; all at once.
    ///
    /// # Errors
    /// The first instance that did not start.
    pub async fn start(&self) -> Result<(), SandboxError> {
        for link in self.links.values() {
            link.accept();
        }
        futures::future::try_join_all(self.instances.values().map(Instance::start)).await?;
        Ok(())
    }

    /// The link of an edge.
    #[must_use]
    pub fn link(&self, edge: &Edge) -> Option<&Link> {
        self.links.get(edge)
    }

    /// How many exchanges that may change something have begun on all links together.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.links.values().map(|link| link.counters().changes).sum()
    }

    /// What links could not do as they should.
    pub fn complaints(&self) -> impl Iterator<Item = String> {
        self.links.values().filter_map(Link::complaint)
    }

    /// An instance by name.
    #[must_use]
    pub fn instance(&self, name: &InstanceName) -> Option<&Instance> {
        self.instances.get(name)
    }

    /// The clock of an instance, or why it cannot have one; `None` for those that the blueprint does not name.
    #[must_use]
    pub fn clock(&self, name: &InstanceName) -> Option<&Result<Arc<Clock>, Unloadable>> {
        self.clocks.get(name)
    }

    /// Every instance.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// Where callers reach the instances of a role: the addresses of the links, in the order of their numbers.
    #[must_use]
    pub fn front_addresses(&self, role: &str) -> BTreeMap<InstanceName, SocketAddr> {
        self.instances
            .keys()
            .filter(|name| name.role == role)
            .filter_map(|name| {
                let edge = Edge { from: Node::Client, to: Node::Instance(name.clone()) };
                Some((name.clone(), self.links.get(&edge)?.address()))
            })
            .collect()
    }

    /// The payment gateway, where the target uses one.
    #[must_use]
    pub fn gateway(&self) -> Option<&Gateway> {
        self.gateway.as_ref()
    }

    /// The stack below.
    #[must_use]
    pub fn stack(&self) -> &Arc<Stack> {
        &self.stack
    }

    /// The URL of the run's database, past every link: for the harness's own readings.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.stack.postgres().harness_url(&self.database)
    }

    /// The name of the run's database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The number of the run's Redis database.
    #[must_use]
    pub fn redis_number(&self) -> u16 {
        self.redis.number()
    }

    /// What the run's topic names begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The run's topics, with the prefix.
    #[must_use]
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// A topic of the run by its name without the prefix, or that of the target's events.
    ///
    /// # Errors
    /// A sentence that says which there are.
    pub fn topic(&self, name: Option<&str>) -> Result<&str, String> {
        let Some(name) = name else {
            let none = "the target names no topic of its events; say with `topic` which is meant";
            return self.event_topic.as_deref().ok_or_else(|| none.to_owned());
        };
        self.topics.iter().map(String::as_str).find(|topic| self.plain(topic) == name).ok_or_else(|| {
            let known: Vec<_> = self.topics.iter().map(|topic| self.plain(topic)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!("the target has no topic {name}; those in its target.toml are: {known}")
        })
    }

    /// What the target calls something in this run.
    #[must_use]
    pub fn in_run(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A name without the run's prefix.
    #[must_use]
    pub fn plain<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(&self.prefix).unwrap_or(name)
    }

    /// Kills the instances, closes the links and gives everything back.
    ///
    /// # Errors
    /// When the stack cannot drop the run's database or topics; the instances are gone all the same.
    pub async fn take_down(&self) -> Result<(), SandboxError> {
        futures::future::join_all(self.instances.values().map(Instance::kill)).await;
        futures::future::join_all(self.instances.values().map(Instance::discard)).await;
        // What is still on its way, or due later, ends here and not in the next run.
        futures::future::join_all(self.links.values().map(Link::close)).await;
        if let Some(gateway) = &self.gateway {
            gateway.close().await;
        }
        let (dropped, deleted) = tokio::join!(
            self.stack.postgres().drop_database(&self.database),
            self.stack.kafka().delete_topics(&self.topics),
        );
        dropped?;
        deleted?;
        Ok(())
    }
}

/// What the target's processes have of the user's environment: what it takes to find programs and files. A PGOPTIONS, a
/// proxy or a switch that the user happens to have set must not change a run; what a target needs, its manifest names.
#[must_use]
pub fn target_env() -> Vec<(String, String)> {
    let kept = ["PATH", "HOME", "LANG", "TMPDIR"];
    kept.into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?))).collect()
}

/// FNV-1a, 64 bit: a stable hash for seeds and names; see <http://www.isthe.com/chongo/tech/comp/fnv/>.
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
