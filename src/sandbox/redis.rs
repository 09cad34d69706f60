//! A real Redis, of our own or somebody else's.

mod claim;
mod evict;
mod memory;
mod settings;

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Display;
use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, RedisError};

pub use self::evict::Evicted;
pub use self::memory::MemoryLimit;
use super::docker::DockerError;
use super::external::{Mark, Secret};
use super::ground::{Ground, Machine};
use super::running::Program;
use super::server::{At, Server};
use super::service::on_free_ports;
use super::{Killed, ServiceError, StackConfig, StartError};
use crate::fault::RedisData;
use crate::link::Upstream;

const SERVER: &str = "redis";
/// Databases 1 to this are handed out; 0 is left to the harness's own probes.
const DATABASES: u16 = 511;
const READY_DEADLINE: Duration = Duration::from_secs(20);
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
const GONE_DEADLINE: Duration = Duration::from_secs(10);

/// A Redis server. It writes each command to a file before it answers, so that a restart may keep everything acknowledged.
#[derive(Debug)]
pub struct Redis {
    server: Server,
    at: At,
    /// User and password as a URL has them, with the `@`.
    login: Secret,
    /// Says in a Redis that is not ours which databases we hold.
    mark: Option<Mark>,
    /// Which these are.
    held: SyncMutex<BTreeSet<u16>>,
    /// The one that has rested longest comes first: all runs use the same key names, and a late write of one run must not
    /// reach the next.
    free: Arc<SyncMutex<VecDeque<u16>>>,
}

/// A database of Redis for one run. It was empty when it was taken, and is given back when this is dropped.
#[derive(Debug)]
pub struct RedisDatabase {
    number: u16,
    free: Arc<SyncMutex<VecDeque<u16>>>,
}

impl RedisDatabase {
    /// Its number, as in `SELECT`.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for RedisDatabase {
    fn drop(&mut self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push_back(self.number);
    }
}

impl Redis {
    pub(super) async fn start_new(config: &StackConfig, ground: &Ground) -> Result<Self, StartError> {
        if let Machine::External(external) = &ground.machine {
            let redis = Self {
                server: Server::elsewhere(SERVER),
                at: At::Theirs(external.redis.address),
                login: external.redis.login.clone(),
                mark: Some(external.mark),
                held: SyncMutex::default(),
                free: Arc::default(),
            };
            redis.start(RedisData::Kept).await?;
            return Ok(redis);
        }
        on_free_ports(&config.ports, |[port]| async {
            let password = format!("{:032x}", rand::random::<u128>());
            let redis = Self {
                server: settings::server(ground, &port, &password)?,
                at: At::Ours(port),
                login: Secret(format!(":{password}@")),
                mark: None,
                held: SyncMutex::default(),
                free: Arc::new(SyncMutex::new((1..=DATABASES).collect())),
            };
            redis.start(RedisData::Lost).await?;
            Ok(redis)
        })
        .await
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.at.address()
    }

    /// Where links connect to.
    #[must_use]
    pub fn upstream(&self) -> Upstream {
        self.server.upstream(&self.at)
    }

    /// How to connect to database `number` when Redis is seen at `at`: its own address, or that of a link.
    #[must_use]
    pub fn url(&self, number: u16, at: SocketAddr) -> String {
        format!("redis://{}{at}/{number}", self.login.0)
    }

    /// Takes a database and empties it. In a Redis that is not ours it is one that was empty, and that nobody
    /// has taken or is connected to.
    ///
    /// # Errors
    /// When all are taken, or Redis is not there.
    pub async fn take_database(&self) -> Result<RedisDatabase, ServiceError> {
        let number = loop {
            let taken = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match (taken, &self.mark) {
                (Some(number), None) => break number,
                (Some(number), Some(mark)) => {
                    if self.keep(number, mark).await? {
                        break number;
                    }
                }
                (None, Some(mark)) => {
                    // Empty, and not to be emptied: it is ours only since a moment ago.
                    let number = self.claim(mark).await?;
                    return Ok(RedisDatabase { number, free: Arc::clone(&self.free) });
                }
                (None, None) => {
                    let why = format!("all {DATABASES} are in use; run fewer sandboxes at once");
                    return Err(failure("take a database", &why));
                }
            }
        };
        let database = RedisDatabase { number, free: Arc::clone(&self.free) };
        // Emptied when it is taken and not when it is given back: Redis may be down then.
        self.flush(number).await?;
        Ok(database)
    }

    /// Empties database `number`, and says how many keys were there.
    ///
    /// # Errors
    /// When Redis is not there.
    pub async fn flush(&self, number: u16) -> Result<u64, ServiceError> {
        let flush = async {
            let mut connection = self.connect(number).await?;
            let mut commands = ::redis::pipe();
            commands.atomic().cmd("DBSIZE").cmd("FLUSHDB").ignore();
            let (keys,): (u64,) = commands.query_async(&mut connection).await?;
            Ok::<u64, RedisError>(keys)
        };
        flush.await.map_err(|error| failure(format!("empty database {number}"), &error))
    }

    /// Kills it with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// When it is still there after the deadline.
    pub async fn kill(&self) -> Result<Killed, ServiceError> {
        self.server.kill(GONE_DEADLINE).await
    }

    /// Starts it again on the same port, and waits until it answers PING. Content if it runs.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start(&self, data: RedisData) -> Result<(), StartError> {
        let Some(down) = self.server.down().await else { return Ok(()) };
        if data == RedisData::Lost {
            self.lose_data().await?;
        }
        let probe = || async {
            let mut connection = self.connect(0).await?;
            ::redis::cmd("PING").exec_async(&mut connection).await
        };
        let probe = || async { probe().await.map_err(|error| error.to_string()) };
        down.start(READY_DEADLINE, probe).await
    }

    /// Whether it runs.
    pub(super) async fn is_running(&self) -> bool {
        self.server.is_running().await
    }

    /// How it ended, if nobody ended it. Never waits: whoever holds the lock is starting or ending it.
    pub(super) fn has_ended(&self) -> Option<ExitStatus> {
        self.server.has_ended()
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        self.server.log_tail(lines)
    }

    async fn lose_data(&self) -> Result<(), StartError> {
        match self.server.program() {
            Program::Process(_, spec) => settings::empty(&spec.directory),
            Program::Elsewhere => Ok(()),
            Program::Container(container) => {
                let failed = |error: DockerError| StartError::Client { server: SERVER, why: error.to_string() };
                container.discard().await.map_err(failed)
            }
        }
    }

    async fn connect(&self, number: u16) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_DEADLINE))
            .set_response_timeout(Some(ANSWER_DEADLINE));
        Client::open(self.url(number, self.address()))?.get_multiplexed_async_connection_with_config(&config).await
    }
}

fn failure(what: impl Into<String>, why: &(impl Display + ?Sized)) -> ServiceError {
    ServiceError { server: SERVER, what: what.into(), why: why.to_string() }
}
