//! What `target.toml` says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::events::EventMapping;
use super::mapping::Mapping;
use super::parse;
use crate::history::InstanceName;
use crate::profile;
use crate::sandbox::docker::Image;
use crate::sandbox::{Backend, Images};

/// A system under test.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Its manifest, as it was named.
    pub manifest: PathBuf,
    /// The folder of its manifest; relative commands and paths start here.
    pub directory: PathBuf,
    /// The profiles it implements.
    pub profiles: Vec<String>,
    /// Run once before everything else, in `directory`: compiles the target.
    pub build: Option<Vec<String>>,
    /// Run once against an empty database, which then is the template of every run's database.
    pub setup: Option<Command>,
    /// What the stack runs as, if it matters to the target.
    pub backend: Option<Backend>,
    /// What the stack's containers are made from, if it matters to the target.
    pub images: Images,
    /// Its processes, in the order of the file.
    pub roles: Vec<Role>,
    /// The role that takes the callers' requests: the first one with a `ready` probe over HTTP unless the manifest says otherwise.
    pub front: String,
    /// Topics to create, with `{{ prefix }}` still in them.
    pub topics: Vec<Topic>,
    /// The topic that it consumes from and callers publish to, if a profile of it has such.
    pub source: Option<Topic>,
    /// Known failures.
    pub expected: Vec<Expected>,
    /// Requirements on something that it does not have.
    pub lacks: Vec<Lack>,
    /// By profile: how it spells the operations.
    pub(super) mappings: BTreeMap<&'static str, Mapping>,
    /// By profile: its event topic; empty when it publishes none.
    pub(super) events: BTreeMap<&'static str, EventMapping>,
}

/// A command and its environment, templates unrendered.
#[derive(Clone, Debug)]
pub struct Command {
    /// Program and arguments. In a container they may be left out, and are what the image makes of them.
    pub command: Vec<String>,
    /// The image of the container that it runs in; without one it is a process of this machine.
    pub image: Option<Image>,
    /// Environment templates.
    pub env: BTreeMap<String, String>,
    /// How long it may take.
    pub deadline: Duration,
}

/// A kind of process of the target.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name, for example `api`.
    pub name: String,
    /// Program and arguments, templates unrendered. In a container they may be left out, and are what the image makes of them.
    pub command: Vec<String>,
    /// The container that it runs in; without one it is a process of this machine.
    pub container: Option<InContainer>,
    /// How many.
    pub instances: u16,
    /// Environment templates.
    pub env: BTreeMap<String, String>,
    /// How it is known to be ready.
    pub ready: Ready,
    /// How long a start may take.
    pub start_deadline: Duration,
    /// How long it may take to end after SIGTERM.
    pub stop_deadline: Duration,
}

/// What a role's container is made from, and what it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InContainer {
    /// The image.
    pub image: Image,
    /// The folder that the image is built from, if fireassay is to build it.
    pub build: Option<PathBuf>,
    /// Where it listens, if that is fixed; else it is told a port.
    pub port: Option<u16>,
    /// Folders and files of this machine that it finds under other paths.
    pub volumes: Vec<Volume>,
}

/// A folder or file of this machine in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its path on this machine.
    pub here: PathBuf,
    /// Its path in the container.
    pub there: String,
    /// Whether it can only be read there.
    pub read_only: bool,
}

/// How an instance is known to be ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// `GET /health` answers 2xx on the instance's port.
    Http(String),
    /// The instance's port accepts connections.
    Port,
    /// The process runs: for roles that nobody connects to.
    Running,
}

/// A topic that the harness creates for each run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Name template.
    pub name: String,
    /// Partitions.
    pub partitions: i32,
}

impl Topic {
    /// What every name template begins with; the manifest's reader brings it into this form.
    pub(super) const PREFIX: &'static str = "{{ prefix }}";

    /// The topic's name in the run with this prefix.
    #[must_use]
    pub fn in_run(&self, prefix: &str) -> String {
        self.name.replacen(Self::PREFIX, prefix, 1)
    }
}

/// A failure that the target declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The requirement.
    pub requirement: String,
    /// Why.
    pub reason: String,
    /// Where it is tracked.
    pub issue: Option<String>,
}

/// A requirement on something that the target does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The requirement.
    pub requirement: String,
    /// What it lacks.
    pub reason: String,
}

/// A manifest that cannot be used. The message names file, line and column, and says how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ManifestError(pub String);

/// The longest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

impl Target {
    /// Reads `path`, or `path/target.toml` where `path` is a folder.
    ///
    /// # Errors
    /// When the file is missing or is no manifest.
    pub fn load(path: &Path) -> Result<Self, ManifestError> {
        let file = if path.is_dir() { path.join("target.toml") } else { path.to_owned() };
        let failed = |error: &dyn std::fmt::Display| {
            ManifestError(format!(
                "failed to read the manifest {}: {error}; name a target.toml or the folder it is in",
                file.display()
            ))
        };
        let size = std::fs::metadata(&file).map_err(|error| failed(&error))?.len();
        if size > MANIFEST_BYTES_MAX {
            return Err(failed(&format!("it has {size} bytes, and {MANIFEST_BYTES_MAX} are the most")));
        }
        let text = std::fs::read_to_string(&file).map_err(|error| failed(&error))?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = folder.canonicalize().map_err(|error| failed(&error))?;
        parse::target(&file.display().to_string(), &text, directory, profile::all())
    }

    /// The way to its manifest from the current folder, if that is above it; else as it was named.
    #[must_use]
    pub fn manifest_from_here(&self) -> PathBuf {
        let here = std::env::current_dir().ok();
        let below = here.and_then(|here| Some(self.manifest.strip_prefix(here).ok()?.to_owned()));
        below.unwrap_or_else(|| self.manifest.clone())
    }

    /// Every instance, role by role.
    #[must_use]
    pub fn instances(&self) -> Vec<InstanceName> {
        let of_role = |role: &Role| {
            let name = role.name.clone();
            (1..=role.instances).map(move |number| InstanceName { role: name.clone(), number })
        };
        self.roles.iter().flat_map(of_role).collect()
    }

    /// With one instance of each role that callers do not ask.
    #[must_use]
    pub fn with_one_behind_the_front(mut self) -> Self {
        let behind = self.roles.iter_mut().filter(|role| role.name != self.front);
        behind.for_each(|role| role.instances = 1);
        self
    }

    /// The instances that take the callers' requests.
    #[must_use]
    pub fn fronts(&self) -> Vec<InstanceName> {
        self.instances().into_iter().filter(|name| name.role == self.front).collect()
    }

    /// The images that it is made of, each with the folder that it is built from, if fireassay is to build it.
    #[must_use]
    pub fn images_of_its_own(&self) -> BTreeMap<Image, Option<PathBuf>> {
        let set_up = self.setup.iter().filter_map(|setup| Some((setup.image.clone()?, None)));
        let roles = self.roles.iter().filter_map(|role| role.container.as_ref());
        let mut images: BTreeMap<Image, Option<PathBuf>> = set_up.collect();
        for container in roles {
            let build = images.entry(container.image.clone()).or_default();
            *build = build.take().or_else(|| container.build.clone());
        }
        images
    }

    /// The role with this name.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// What it lacks for this requirement; `None` when the requirement applies.
    #[must_use]
    pub fn lack(&self, requirement: &str) -> Option<&Lack> {
        self.lacks.iter().find(|lack| lack.requirement == requirement)
    }

    /// Where its events are for this profile; `None` when the manifest has no `[events]`.
    #[must_use]
    pub fn events(&self, profile: &str) -> Option<&EventMapping> {
        self.events.get(profile)
    }
}
