//! What the servers of the stack run as: processes of this machine, or containers; or whether they run already.

use std::fmt;
use std::str::FromStr;

use super::StackConfig;
use super::docker::{Docker, DockerError};
use super::external::External;
use super::ground::{Chosen, Machine};
use super::needs;
use super::stack::StackError;

/// What the servers of the stack run as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// Containers if a daemon answers and has the images or can download them, else processes.
    #[default]
    Auto,
    /// Processes of this machine.
    Process,
    /// Containers of a Docker daemon.
    Docker,
    /// Somebody else has started them.
    External,
}

impl Backend {
    /// Every one, for those who list them.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Process, Self::Docker, Self::External];
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Process => "process",
            Self::Docker => "docker",
            Self::External => "external",
        })
    }
}

impl FromStr for Backend {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|backend| backend.to_string() == text).ok_or(())
    }
}

/// Finds what the configured backend needs. Where it was left open, `progress` hears which was taken and why.
pub(super) async fn find(config: &StackConfig, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<Machine, StackError> {
    let processes = || needs::locate(config).map(Machine::Processes).map_err(StackError::Missing);
    let images = config.images.chosen();
    match config.backend.unwrap_or_default() {
        Backend::Process => processes(),
        Backend::Docker => Ok(containers(images, progress).await?),
        Backend::External => Ok(Machine::External(Box::new(External::connect(&config.external).await?))),
        Backend::Auto => match containers(images, progress).await {
            Ok(machine) => {
                progress("backend: docker, because a daemon answers and has the images");
                Ok(machine)
            }
            Err(why) => {
                progress(&format!("backend: process, because fireassay {why}"));
                processes()
            }
        },
    }
}

async fn containers(images: Chosen, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<Machine, DockerError> {
    let docker = Docker::connect().await?;
    for image in [&images.postgres, &images.redis, &images.kafka] {
        docker.obtain(image, progress).await?;
    }
    Ok(Machine::Docker(docker, images))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backend_is_read_as_it_is_written() {
        for backend in Backend::ALL {
            assert_eq!(backend.to_string().parse(), Ok(backend));
        }
        assert_eq!("Docker".parse::<Backend>(), Err(()));
    }
}
