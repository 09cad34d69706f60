//! A real Redis of our own.

mod evict;
mod memory;

use std::collections::VecDeque;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, RedisError};
use tokio::sync::Mutex;

pub use self::evict::Evicted;
pub use self::memory::MemoryLimit;
use super::place::Place;
use super::service::{make_folder, on_free_ports, plain_env, socket_path, until_ready, write};
use super::{Killed, Port, Process, ProcessSpec, Processes, ServiceError, StackConfig, StartError};
use crate::fault::RedisData;
use crate::link::Upstream;

const SERVER: &str = "redis";
/// In its data directory, where it works.
const SOCKET: &str = "socket";
/// Databases 1 to this are handed out; 0 is left to the harness's own probes.
const DATABASES: u16 = 511;
const READY_DEADLINE: Duration = Duration::from_secs(20);
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
const GONE_DEADLINE: Duration = Duration::from_secs(10);

/// A Redis server. It writes each command to a file before it answers, so that a restart may keep everything acknowledged.
#[derive(Debug)]
pub struct Redis {
    program: PathBuf,
    folder: PathBuf,
    port: Port,
    password: String,
    processes: Processes,
    /// Empty while it is killed.
    process: Mutex<Option<Process>>,
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
    pub(super) async fn start_new(
        config: &StackConfig,
        program: &Path,
        place: &Place,
        processes: &Processes,
    ) -> Result<Self, StartError> {
        let folder = place.path().join(SERVER);
        on_free_ports(&config.ports, |[port]| async {
            let redis = Self {
                program: program.to_owned(),
                folder: folder.clone(),
                port,
                password: format!("{:032x}", rand::random::<u128>()),
                processes: processes.clone(),
                process: Mutex::new(None),
                free: Arc::new(SyncMutex::new((1..=DATABASES).collect())),
            };
            redis.configure()?;
            redis.start(RedisData::Lost).await?;
            Ok(redis)
        })
        .await
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Where links connect to.
    #[must_use]
    pub fn upstream(&self) -> Upstream {
        self.socket().map_or_else(|| self.address().into(), Upstream::Unix)
    }

    /// Its local socket, where its path is short enough for one.
    fn socket(&self) -> Option<PathBuf> {
        socket_path(self.folder.join("data").join(SOCKET))
    }

    /// How to connect to database `number` when Redis is seen at `at`: its own address, or that of a link.
    #[must_use]
    pub fn url(&self, number: u16, at: SocketAddr) -> String {
        format!("redis://:{}@{at}/{number}", self.password)
    }

    /// Takes a database and empties it.
    ///
    /// # Errors
    /// When all are taken, or Redis is not there.
    pub async fn take_database(&self) -> Result<RedisDatabase, ServiceError> {
        let taken = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(number) = taken else {
            return Err(failure(
                "take a database",
                &format!("all {DATABASES} are in use; run fewer sandboxes at once"),
            ));
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
        match self.process.lock().await.take() {
            None => Ok(Killed::nothing(SERVER)),
            Some(process) => Killed::kill(SERVER, &process, GONE_DEADLINE).await,
        }
    }

    /// Starts it again on the same port, and waits until it answers PING. Content if it runs.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start(&self, data: RedisData) -> Result<(), StartError> {
        let mut running = self.process.lock().await;
        if running.as_ref().is_some_and(|process| process.try_status().is_none()) {
            return Ok(());
        }
        let files = self.folder.join("data");
        if data == RedisData::Lost && files.exists() {
            let unremovable = |why| StartError::Files { server: SERVER, path: files.clone(), why };
            std::fs::remove_dir_all(&files).map_err(unremovable)?;
        }
        make_folder(SERVER, &files)?;
        let process = self.processes.spawn(&self.spec())?;
        let probe = || async {
            let mut connection = self.connect(0).await?;
            ::redis::cmd("PING").exec_async(&mut connection).await
        };
        let probe = || async { probe().await.map_err(|error| error.to_string()) };
        until_ready(SERVER, &process, READY_DEADLINE, probe).await?;
        *running = Some(process);
        Ok(())
    }

    /// Whether it runs.
    pub(super) async fn is_running(&self) -> bool {
        self.process.lock().await.as_ref().is_some_and(|process| process.try_status().is_none())
    }

    /// How it ended, if nobody ended it. Never waits: whoever holds the lock is starting or ending it.
    pub(super) fn has_ended(&self) -> Option<ExitStatus> {
        self.process.try_lock().ok()?.as_ref()?.try_status()
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        super::process::log_tail(&self.log(), lines)
    }

    async fn connect(&self, number: u16) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_DEADLINE))
            .set_response_timeout(Some(ANSWER_DEADLINE));
        Client::open(self.url(number, self.address()))?.get_multiplexed_async_connection_with_config(&config).await
    }

    fn configure(&self) -> Result<(), StartError> {
        make_folder(SERVER, &self.folder)?;
        let settings = format!(
            "bind 127.0.0.1\n\
             port {port}\n\
             protected-mode yes\n\
             requirepass {password}\n\
             databases {databases}\n\
             {socket}\
             dir data\n\
             # Nothing but the log of commands, written before each answer.\n\
             save \"\"\n\
             appendonly yes\n\
             appendfsync always\n",
            port = self.port.number(),
            password = self.password,
            databases = DATABASES + 1,
            socket = if self.socket().is_some() {
                format!("unixsocket {SOCKET}\nunixsocketperm 700\n")
            } else {
                String::new()
            },
        );
        write(SERVER, &self.folder.join("redis.conf"), &settings)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn spec(&self) -> ProcessSpec {
        ProcessSpec {
            name: SERVER.to_owned(),
            program: self.program.clone(),
            args: vec!["redis.conf".to_owned()],
            env: plain_env(),
            clear_env: true,
            directory: self.folder.clone(),
            log: self.log(),
            user: None,
        }
    }
}

fn failure(what: impl Into<String>, why: &(impl Display + ?Sized)) -> ServiceError {
    ServiceError { server: SERVER, what: what.into(), why: why.to_string() }
}
