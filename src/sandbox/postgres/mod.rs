//! A real Postgres, of our own or somebody else's.

mod children;
mod cluster;
mod contained;
mod kept;
mod read_only;
mod sessions;

use std::fmt::Display;
use std::net::SocketAddr;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Executor as _};

pub use self::read_only::{ReadOnly, WasReadOnly};
pub use self::sessions::EndedSessions;
use super::external::Secret;
use super::ground::{Ground, Machine};
use super::running::{Program, Running};
use super::server::{At, Server};
use super::service::on_free_ports;
use super::{Killed, ServiceError, StackConfig, StartError};
use crate::link::Upstream;

const SERVER: &str = "postgres";
const USER: &str = "fireassay";
/// The database that is always there, for the harness's own statements.
const OWN_DATABASE: &str = "postgres";
/// What the harness's own sessions call themselves, so that a fault on the target's leaves them alone.
const HARNESS: &str = "fireassay-harness";
/// For a start from nothing or from a crash, on an overloaded machine.
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// For one statement of the harness.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(20);
const GONE_DEADLINE: Duration = Duration::from_secs(10);
const GONE_EVERY: Duration = Duration::from_millis(1);
/// For the orderly end, in which Postgres removes its shared memory.
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// What is the same wherever it runs.
const SETTINGS: [(&str, &str); 7] = [
    // Several instances of several sandboxes, each with a pool.
    ("max_connections", "300"),
    ("deadlock_timeout", "200ms"),
    ("shared_buffers", "64MB"),
    // Survives the death of every process, not of the machine. synchronous_commit stays on: without it a kill loses
    // acknowledged commits, and the service would be blamed.
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("max_wal_size", "1GB"),
    // With who met which error in which database, to see what became of a fault.
    ("log_line_prefix", "%m [%p] %a %e %d "),
];
/// The longest name Postgres keeps whole.
const NAME_BYTES_MAX: usize = 63;

/// A Postgres server. One of our own has a data directory of its own, and nothing is flushed to the disk (`fsync=off`), which
/// survives the death of the processes but not of the machine; everything acknowledged is in the system's memory
/// (`synchronous_commit` stays on).
#[derive(Debug)]
pub struct Postgres {
    server: Server,
    at: At,
    /// User and password as a URL has them, with the `@`.
    login: Secret,
    /// What follows the name of a database in a URL for the target.
    options: &'static str,
    /// How the titles of all its processes but the first begin. In a container they need not be told apart.
    title: Option<String>,
    pool: PgPool,
    /// Whether a database can be cloned by copying files, the quicker way for many small tables (since version 15).
    copies_files: bool,
}

impl Postgres {
    pub(super) async fn start_new(config: &StackConfig, ground: &Ground) -> Result<Self, StartError> {
        // Our own client would send it with every connection, and has no way not to.
        if std::env::var_os("PGOPTIONS").is_some_and(|options| !options.is_empty()) {
            let why = "PGOPTIONS is set, and would change what is tested; run again with `env -u PGOPTIONS`".to_owned();
            return Err(StartError::Client { server: SERVER, why });
        }
        match &ground.machine {
            Machine::Processes(programs) => {
                let files = cluster::initialise(config, &programs.postgres, &ground.place, &ground.processes).await?;
                ground.processes.guard_title(&files.title());
                on_free_ports(&config.ports, |[port]| async {
                    let program = Program::Process(ground.processes.clone(), files.configure(&port)?);
                    let server = Server::new(SERVER, program, files.log()).listening_on(files.socket(&port));
                    let mut postgres = Self::of(server, At::Ours(port), own_login(files.password()), OWN_DATABASE)?;
                    postgres.title = Some(files.title());
                    let started = postgres.launched().await;
                    started.map_err(|error| files.explained(error))
                })
                .await
            }
            Machine::Docker(docker, images) => {
                on_free_ports(&config.ports, |[port]| async {
                    let password = format!("{:032x}", rand::random::<u128>());
                    let log = ground.place.path().join("postgres.log");
                    let container = contained::container(docker, &images.postgres, &log, &port, &password);
                    let server = Server::new(SERVER, Program::Container(Box::new(container)), log);
                    Self::of(server, At::Ours(port), own_login(&password), OWN_DATABASE)?.launched().await
                })
                .await
            }
            Machine::External(external) => {
                let given = &external.postgres;
                let server = Server::elsewhere(SERVER);
                let postgres = Self::of(server, At::Theirs(given.address), given.login.clone(), &given.database)?;
                let mut postgres = postgres.launched().await?;
                // Many clients encrypt wherever it is offered, and nobody could read what passes.
                postgres.options = if given.offers_tls { "?sslmode=disable" } else { "" };
                // Copied by file, a database costs a checkpoint, which everybody else would feel.
                postgres.copies_files = false;
                Ok(postgres)
            }
        }
    }

    /// A server that has not been started.
    fn of(server: Server, at: At, login: Secret, database: &str) -> Result<Self, StartError> {
        // The URL is made of parts that have been read before; its error could show the password.
        let failed = |_| StartError::Client { server: SERVER, why: "the URL is not understood".to_owned() };
        let url = format!("postgres://{}{}/{database}", login.0, at.address());
        let options: PgConnectOptions = url.parse().map_err(failed)?;
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(STATEMENT_DEADLINE)
            .connect_lazy_with(options.ssl_mode(PgSslMode::Disable));
        Ok(Self { server, at, login, options: "", title: None, pool, copies_files: false })
    }

    async fn launched(mut self) -> Result<Self, StartError> {
        self.start().await?;
        self.copies_files = version(&self.pool).await.is_ok_and(|version| version >= 150_000);
        Ok(self)
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

    /// How to connect to `database` when Postgres is seen at `at`: its own address, or that of a link. The user may do everything,
    /// unless the server is somebody else's.
    #[must_use]
    pub fn url(&self, database: &str, at: SocketAddr) -> String {
        format!("postgres://{}{at}/{database}{}", self.login.0, self.options)
    }

    /// How the harness itself connects to `database`: faults on the target's sessions leave this one alone.
    #[must_use]
    pub fn harness_url(&self, database: &str) -> String {
        let sign = if self.options.is_empty() { '?' } else { '&' };
        format!("{}{sign}application_name={HARNESS}", self.url(database, self.address()))
    }

    /// Creates an empty database.
    ///
    /// # Errors
    /// When the name is taken or cannot be one, or Postgres is not there.
    pub async fn create_database(&self, name: &str) -> Result<(), ServiceError> {
        self.create_from_template(name, "template1").await
    }

    /// Creates a database as a copy of `template`, to which nobody may be connected meanwhile.
    ///
    /// # Errors
    /// As [`Postgres::create_database`], and when somebody is connected to the template.
    pub async fn create_from_template(&self, name: &str, template: &str) -> Result<(), ServiceError> {
        let what = || format!("create the database `{name}` from `{template}`");
        let (quoted_name, quoted_template) = (quoted(name, what)?, quoted(template, what)?);
        let strategy = if self.copies_files { " STRATEGY file_copy" } else { "" };
        self.execute(format!("CREATE DATABASE {quoted_name} TEMPLATE {quoted_template}{strategy}"), what).await
    }

    /// Drops a database, and throws out whoever is connected to it. Content if there is none.
    ///
    /// # Errors
    /// When Postgres is not there.
    pub async fn drop_database(&self, name: &str) -> Result<(), ServiceError> {
        let what = || format!("drop the database `{name}`");
        let quoted_name = quoted(name, what)?;
        self.execute(format!("DROP DATABASE IF EXISTS {quoted_name} WITH (FORCE)"), what).await
    }

    /// The names of all databases.
    ///
    /// # Errors
    /// When Postgres is not there.
    pub async fn databases(&self) -> Result<Vec<String>, ServiceError> {
        let names = sqlx::query_scalar("SELECT datname FROM pg_database").fetch_all(&self.pool);
        self.answer(names, || "list the databases".to_owned()).await
    }

    /// Kills all its processes with SIGKILL and waits until they are gone.
    ///
    /// # Errors
    /// When some are still there after the deadline.
    pub async fn kill(&self) -> Result<Killed, ServiceError> {
        match &self.title {
            // Whatever is in a container ends with its first process.
            None => self.server.kill(GONE_DEADLINE).await,
            Some(title) => self.kill_titled(title).await,
        }
    }

    async fn kill_titled(&self, title: &str) -> Result<Killed, ServiceError> {
        let mut running = self.server.running().await;
        let start = Instant::now();
        let process = running.take().filter(|process| process.try_status().is_none());
        let mut pids: Vec<u32> = process.iter().map(Running::pid).collect();
        let mut children = process.iter().flat_map(|process| children::of(process.pid())).collect::<Vec<_>>();
        pids.extend(children.iter().map(|child| child.pid));
        if let Some(process) = process {
            process.kill().await;
            children.iter().for_each(children::Child::kill);
            let _ = process.wait(GONE_DEADLINE).await;
        }
        // Each backend has a session of its own and outlives the postmaster for a moment. While one is there, a new
        // postmaster refuses to start: "pre-existing shared memory block is still in use".
        loop {
            // Those that were forked in the meantime.
            let late = children::titled(title);
            late.iter().for_each(children::Child::kill);
            children.retain(|child| !child.is_gone());
            if late.is_empty() && children.is_empty() {
                break;
            }
            if start.elapsed() > GONE_DEADLINE {
                let why = format!("some of processes {pids:?} are still there after {} s", GONE_DEADLINE.as_secs());
                return Err(failure("kill all processes", &why));
            }
            tokio::time::sleep(GONE_EVERY).await;
        }
        Ok(Killed { server: SERVER, pids, took: start.elapsed() })
    }

    /// Starts it again on the same port and data, and waits until it has recovered and answers a query. Content if it runs.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start(&self) -> Result<(), StartError> {
        let Some(down) = self.server.down().await else { return Ok(()) };
        let probe = || async { self.pool.execute("SELECT 1").await.map(drop).map_err(|error| error.to_string()) };
        down.start(READY_DEADLINE, probe).await
    }

    /// Whether it runs.
    pub(in crate::sandbox) async fn is_running(&self) -> bool {
        self.server.is_running().await
    }

    /// How it ended, if nobody ended it. Never waits: whoever holds the lock is starting or ending it.
    pub(in crate::sandbox) fn has_ended(&self) -> Option<ExitStatus> {
        self.server.has_ended()
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        self.server.log_tail(lines)
    }

    /// Ends it, quickly but in good order.
    pub(super) async fn stop(&self) {
        if let Some(Running::Process(process)) = self.server.running().await.as_ref() {
            process.signal_leader(Signal::SIGQUIT);
            let _ = process.wait(STOP_DEADLINE).await;
        }
        let _ = self.kill().await;
    }

    async fn execute(&self, statement: String, what: impl Fn() -> String) -> Result<(), ServiceError> {
        self.answer(self.pool.execute(AssertSqlSafe(statement)), what).await.map(drop)
    }

    /// The answer to a statement of the harness, before its deadline.
    async fn answer<T>(
        &self,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
        what: impl Fn() -> String,
    ) -> Result<T, ServiceError> {
        // The pool would go on trying to connect until its deadline.
        if self.server.running().await.is_none() {
            return Err(failure(what(), "it has been killed and not started again"));
        }
        match tokio::time::timeout(STATEMENT_DEADLINE, statement).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failure(what(), &error)),
            Err(_) => Err(failure(what(), &format!("no answer within {} s", STATEMENT_DEADLINE.as_secs()))),
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(Running::Process(process)) = self.server.running_mut() {
            process.signal_leader(Signal::SIGQUIT);
            process.wait_blocking(STOP_DEADLINE);
        }
        if let Some(title) = &self.title {
            children::titled(title).iter().for_each(children::Child::kill);
        }
    }
}

/// Who we are on a server of our own.
fn own_login(password: &str) -> Secret {
    Secret(format!("{USER}:{password}@"))
}

async fn version(pool: &PgPool) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("SELECT current_setting('server_version_num')::int").fetch_one(pool).await
}

/// A name as Postgres reads it. Only plain names are let through, so that they also fit into a URL.
fn quoted(name: &str, what: impl Fn() -> String) -> Result<String, ServiceError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(plain) {
        let why = format!("a name has 1 to {NAME_BYTES_MAX} letters, digits, `_` and `-`");
        return Err(failure(what(), &why));
    }
    Ok(format!("\"{name}\""))
}

fn failure(what: impl Into<String>, why: &(impl Display + ?Sized)) -> ServiceError {
    ServiceError { server: SERVER, what: what.into(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_reach_a_statement() {
        assert_eq!(quoted("run-1_a", String::new), Ok("\"run-1_a\"".to_owned()));
        for name in ["", "a\"; DROP DATABASE b; --", "a b", "ä", &"x".repeat(64)] {
            assert!(quoted(name, String::new).is_err(), "{name}");
        }
    }
}
