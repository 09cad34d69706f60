//! Postgres, Redis and Kafka together, our own or somebody else's.

use std::path::Path;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::backend;
use super::docker::{Docker, DockerError};
use super::external::{self, External, ExternalError, Watch};
use super::ground::{Ground, Machine};
use super::needs::{self, Need};
use super::place::{Place, PlaceError};
use super::{Kafka, Postgres, Processes, Redis, ServiceError, StackConfig, StartError};
use crate::fault::Plan;

/// How long groups of consumers may take to miss their last members, who were killed: the usual session is of 45 s.
const GROUPS_PATIENCE: Duration = Duration::from_secs(60);

/// The three servers, shared by the runs of one harness process. Dropping it ends them and removes their directory;
/// so does the end of the harness, whatever ends it. Servers that somebody else has started go on; what was made there is
/// removed by [`Stack::stop`], and after a harness that was killed by the next one.
#[derive(Debug)]
pub struct Stack {
    // Dropped in this order: the servers, then what they stand on.
    postgres: Postgres,
    redis: Redis,
    kafka: Kafka,
    /// Found when the target needs it.
    docker: OnceCell<Docker>,
    /// Of servers that we cannot see ending.
    watch: Option<Watch>,
    ground: Ground,
}

/// Why there is no stack.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// Something the machine does not have.
    #[error("the stack needs what this machine does not have:{}", needs::list_missing(.0))]
    Missing(Vec<Need>),
    /// No containers.
    #[error("{0}; `fireassay doctor` says more, and --backend process does without")]
    Docker(#[from] DockerError),
    /// The servers that were given cannot be used.
    #[error(transparent)]
    External(#[from] ExternalError),
    /// No directory.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// No guardian, or no thread to start processes.
    #[error("failed to start the guardian, which clears up after the harness: {0}; it needs /bin/sh")]
    Guardian(std::io::Error),
    /// A server did not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl Stack {
    /// Starts the three servers in parallel; `progress` hears of each that is ready.
    ///
    /// # Errors
    /// When something is missing or a server does not get ready. Nothing is left running then.
    pub async fn start(config: &StackConfig, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<Self, StackError> {
        let machine = backend::find(config, progress).await?;
        let place = Place::make(config)?;
        let processes = Processes::start().map_err(StackError::Guardian)?;
        processes.guard_directory(place.path());
        let ground = Ground { machine, processes, place };
        // Kafka first: it takes longest, and Postgres begins with copying files, which blocks for a moment.
        let (kafka, postgres, redis) = tokio::try_join!(
            async {
                let started = Kafka::start_new(config, &ground).await;
                started.inspect(|_| progress("kafka is ready"))
            },
            async {
                let started = Postgres::start_new(config, &ground).await;
                started.inspect(|_| progress("postgres is ready"))
            },
            async {
                let started = Redis::start_new(config, &ground).await;
                started.inspect(|_| progress("redis is ready"))
            },
        )?;
        let watch = match &ground.machine {
            Machine::External(external) => Some(Watch::start(external)),
            Machine::Processes(_) | Machine::Docker(..) => None,
        };
        let stack = Self { postgres, redis, kafka, docker: OnceCell::new(), watch, ground };
        stack.sweep(progress).await;
        Ok(stack)
    }

    /// Postgres.
    #[must_use]
    pub fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    /// Redis.
    #[must_use]
    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    /// Kafka.
    #[must_use]
    pub fn kafka(&self) -> &Kafka {
        &self.kafka
    }

    /// What starts the target's instances; they end with the stack's harness too.
    #[must_use]
    pub fn processes(&self) -> &Processes {
        &self.ground.processes
    }

    /// The daemon for the target's containers: that of the stack, else the one that answers.
    ///
    /// # Errors
    /// When none answers.
    pub async fn docker(&self) -> Result<&Docker, DockerError> {
        match &self.ground.machine {
            Machine::Docker(docker, _) => Ok(docker),
            Machine::Processes(_) | Machine::External(_) => self.docker.get_or_try_init(Docker::connect).await,
        }
    }

    /// Where the stack keeps its files until it is dropped.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.ground.place.path()
    }

    /// Which server has ended although nobody ended it, and how. Never waits.
    #[must_use]
    pub fn lost_by_itself(&self) -> Option<String> {
        if let Some(watch) = &self.watch {
            return watch.lost_by_itself();
        }
        let ended = [self.postgres.has_ended(), self.redis.has_ended(), self.kafka.has_ended()];
        let (server, status) = ["postgres", "redis", "kafka"]
            .into_iter()
            .zip(ended)
            .find_map(|(server, status)| Some((server, status?)))?;
        Some(format!(
            "{server}, which the harness started, ended although no fault ended it ({status}); its memory or disk may have run out"
        ))
    }

    /// Which server is not running now, while no fault is in force: nothing can be run on this stack any more.
    pub async fn lost(&self) -> Option<&'static str> {
        if let Some(watch) = &self.watch {
            return watch.lost().await;
        }
        let (postgres, redis, kafka) =
            tokio::join!(self.postgres.is_running(), self.redis.is_running(), self.kafka.is_running());
        [("postgres", postgres), ("redis", redis), ("kafka", kafka)]
            .into_iter()
            .find(|(_, runs)| !runs)
            .map(|(server, _)| server)
    }

    /// A name that nobody else has on these servers, from one that no other run or template of this stack has.
    #[must_use]
    pub fn name(&self, plain: &str) -> String {
        self.external().map_or_else(|| plain.to_owned(), |external| external.mark.name(plain))
    }

    /// Why a plan is not carried out on these servers; `None` when it can be.
    #[must_use]
    pub fn refuses(&self, plan: &Plan) -> Option<String> {
        self.external().and_then(|_| external::refused(plan))
    }

    /// Ends the three servers without blocking the runtime, as dropping does. On those of somebody else, removes what was
    /// made there.
    ///
    /// # Errors
    /// What is left, and why. The next harness on the same machine tries again.
    pub async fn stop(&self) -> Result<(), ServiceError> {
        if let Some(external) = self.external() {
            let servers = (&self.postgres, &self.redis, &self.kafka);
            return external::remove(servers, |mark| *mark == external.mark, GROUPS_PATIENCE).await.map(drop);
        }
        // They are to be gone, and the guardian sees to it if a kill fails.
        let _ = tokio::join!(self.postgres.stop(), self.redis.kill(), self.kafka.kill());
        Ok(())
    }

    fn external(&self) -> Option<&External> {
        match &self.ground.machine {
            Machine::External(external) => Some(external),
            Machine::Processes(_) | Machine::Docker(..) => None,
        }
    }

    /// Removes what dead harnesses left on somebody else's servers. Ours begin with nothing.
    async fn sweep(&self, progress: &(dyn Fn(&str) + Send + Sync)) {
        if self.external().is_none() {
            return;
        }
        let servers = (&self.postgres, &self.redis, &self.kafka);
        match external::remove(servers, external::Mark::is_gone, Duration::ZERO).await {
            Ok(left) if left.is_nothing() => {}
            Ok(left) => progress(&format!("removed what a dead harness had left: {left}")),
            // What cannot be removed is left to the next.
            Err(error) => progress(&format!("a harness that is gone has left something: {error}")),
        }
    }
}
