//! Readings by SQL, from a Postgres of the test's own.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::target::sql::read;

const BIN: &str = "/usr/lib/postgresql/15/bin";
const PATIENCE: Duration = Duration::from_secs(30);

struct Postgres {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Immediate shutdown: the server takes its children with it.
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGQUIT).ok();
        self.child.wait().ok();
    }
}

impl Postgres {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let quiet = |command: &mut Command| {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        };
        let mut initdb = as_postgres("initdb", folder.path());
        quiet(initdb.args(["-U", "postgres", "--auth=trust", "--no-sync", "-D"]).arg(&data));
        assert!(initdb.status().unwrap().success());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = as_postgres("postgres", folder.path());
        server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-c", "fsync=off", "-k"]).arg(folder.path());
        quiet(&mut server);
        let postgres = Self {
            child: server.spawn().unwrap(),
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            _folder: folder,
        };
        let end = Instant::now() + PATIENCE;
        while let Err(error) = read(&postgres.url, "select 1", PATIENCE).await {
            assert!(Instant::now() < end, "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        postgres
    }

    async fn read(&self, query: &str) -> Result<Vec<serde_json::Value>, String> {
        read(&self.url, query, PATIENCE).await
    }
}

/// Postgres refuses to run as root.
fn as_postgres(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(Path::new(BIN).join(program));
    command.current_dir(folder);
    if geteuid().is_root() {
        let user = User::from_name("postgres").unwrap().unwrap();
        chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

#[tokio::test]
async fn readings_by_sql() {
    let postgres = Postgres::start().await;
    let rows = postgres
        .read("select n as sequence, -9223372036854775807 as amount, 'ü\"' as account from generate_series(3, 1, -1) n -- all")
        .await
        .unwrap();
    let row = |n: i32| json!({"sequence": n, "amount": -9_223_372_036_854_775_807_i64, "account": "ü\""});
    assert_eq!(rows, [row(3), row(2), row(1)]);
    assert_eq!(postgres.read("select 1 where false").await.unwrap(), Vec::<serde_json::Value>::new());

    let mut connection = PgConnection::connect(&postgres.url).await.unwrap();
    sqlx::raw_sql("create sequence numbers").execute(&mut connection).await.unwrap();
    for (query, word) in [
        ("select * from nowhere", "nowhere"),
        ("with gone as (select 1) select * from gone, missing", "missing"),
        ("select 1) t; drop schema public cascade; select (1", "multiple commands"),
        ("select nextval('numbers')", "read-only transaction"),
    ] {
        let error = postgres.read(query).await.unwrap_err();
        assert!(error.contains(word), "{query}: {error}");
    }

    let error = read(&postgres.url, "select pg_sleep(600)", Duration::from_millis(200)).await.unwrap_err();
    assert!(error.contains("200ms") || error.contains("statement timeout"), "{error}");
    let error = read(&postgres.url, "select repeat('x', 1000000) from generate_series(1, 100000)", PATIENCE).await;
    assert!(error.unwrap_err().starts_with("more than "));
}

#[tokio::test]
async fn a_database_that_is_not_there() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = read(&format!("postgres://postgres@{closed}/x"), "select 1", PATIENCE).await.unwrap_err();
    assert!(error.contains("refused"), "{error}");
}
