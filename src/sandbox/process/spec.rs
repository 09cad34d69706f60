//! What to run, and why it could not be run.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::death;
use crate::sandbox::docker::Image;

/// What to run.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    /// What messages call it, for example `api-1`.
    pub name: String,
    /// The program: a path, or a name to be found on PATH.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables to set.
    pub env: Vec<(String, String)>,
    /// Whether to start from an empty environment instead of the harness's own.
    pub clear_env: bool,
    /// Where it runs.
    pub directory: PathBuf,
    /// Where standard output and standard error are appended. Bounded: the newest 8 to 16 MiB are kept,
    /// the older part of them under the same name with `.old` at the end.
    pub log: PathBuf,
    /// Another user and group to run as; only root may ask for it.
    pub user: Option<(u32, u32)>,
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The system refused.
    #[error("failed to start {name} (`{}` in {}): {why}", program.display(), directory.display())]
    Refused {
        /// The process's name.
        name: String,
        /// Its program.
        program: PathBuf,
        /// Where it was to run.
        directory: PathBuf,
        /// The system's reason.
        why: io::Error,
    },
    /// The daemon did not start a container.
    #[error("failed to start {name} (a container of {image}): {why}")]
    Container {
        /// What runs in it.
        name: String,
        /// What it is made from.
        image: Image,
        /// The daemon's reason.
        why: String,
    },
    /// The log could not be opened.
    #[error("failed to start {name}: its log {} cannot be written: {why}", log.display())]
    Log {
        /// The process's name.
        name: String,
        /// The log's path.
        log: PathBuf,
        /// The system's reason.
        why: io::Error,
    },
}

impl ProcessSpec {
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if self.clear_env {
            command.env_clear();
        }
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command.args(&self.args).envs(self.env.iter().map(|(k, v)| (k, v))).current_dir(&self.directory);
        command.stdin(Stdio::null());
        death::own_session_until_parent_dies(&mut command);
        command
    }
}
