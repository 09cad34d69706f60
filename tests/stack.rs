//! The stack against real Postgres, Redis and Kafka: it serves, survives what a run does to it, and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fireassay::fault::RedisData;
use fireassay::sandbox::{ProcessSpec, Processes, Stack, StackConfig, StackError, StartError, needs};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

const DEADLINE: Duration = Duration::from_secs(30);
/// Set in a copy of this program that plays a harness of its own: where it is to report.
const REPORT: &str = "FIREASSAY_TEST_REPORT";

/// One stack at a time: they are heavy.
fn serially<F: Future>(test: impl FnOnce() -> F) -> F::Output {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    tokio::runtime::Runtime::new().unwrap().block_on(test())
}

async fn start() -> Stack {
    Stack::start(&StackConfig::from_env().unwrap(), &|_| ()).await.unwrap()
}

#[track_caller]
fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Processes that work in `directory`, or name it in their command or title.
fn processes_of(directory: &Path) -> Vec<String> {
    let name = directory.file_name().unwrap().to_str().unwrap();
    let numbers =
        fs::read_dir("/proc").unwrap().flatten().filter(|e| e.file_name().to_string_lossy().parse::<u32>().is_ok());
    let belongs = |process: &fs::DirEntry| {
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let works_there = fs::read_link(process.path().join("cwd")).is_ok_and(|folder| folder.starts_with(directory));
        works_there || String::from_utf8_lossy(&command).contains(name)
    };
    numbers.filter(belongs).map(|process| process.path().display().to_string()).collect()
}

async fn connect(stack: &Stack, database: &str) -> PgConnection {
    PgConnection::connect(&stack.postgres().url(database, stack.postgres().address())).await.unwrap()
}

async fn redis(stack: &Stack, database: u16, command: &[&str]) -> Option<String> {
    let client = redis::Client::open(stack.redis().url(database, stack.redis().address())).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await.unwrap()
}

async fn produce(stack: &Stack, topic: &str, value: &str) {
    let broker = stack.kafka().address().to_string();
    let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", broker).create().unwrap();
    producer.send(FutureRecord::to(topic).payload(value).key("key").partition(0), DEADLINE).await.unwrap();
}

fn consume(stack: &Stack, topic: &str, count: usize) -> Vec<String> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", stack.kafka().address().to_string()).set("group.id", "test");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let end = Instant::now() + DEADLINE;
    let mut values = Vec::new();
    while values.len() < count {
        assert!(Instant::now() < end, "only {values:?} of {count} records");
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            values.push(String::from_utf8_lossy(message.payload().unwrap()).into_owned());
        }
    }
    values
}

#[test]
fn a_stack_serves_and_is_gone_when_dropped() {
    serially(|| async {
        let said = Mutex::new(Vec::new());
        let progress = |line: &str| said.lock().unwrap().push(line.to_owned());
        let stack = Stack::start(&StackConfig::from_env().unwrap(), &progress).await.unwrap();
        let mut said = said.into_inner().unwrap();
        said.sort();
        assert_eq!(said, ["kafka is ready", "postgres is ready", "redis is ready"]);

        connect(&stack, "postgres").await.execute("SELECT 1").await.unwrap();
        assert_eq!(redis(&stack, 0, &["PING"]).await.as_deref(), Some("PONG"));
        stack.kafka().create_topics(&[("a".to_owned(), 3), ("b".to_owned(), 1)]).await.unwrap();
        produce(&stack, "a", "hello").await;
        assert_eq!(consume(&stack, "a", 1), ["hello"]);
        let error = stack.kafka().create_topics(&[("a".to_owned(), 1)]).await.unwrap_err();
        assert!(error.to_string().contains("`a`"), "{error}");
        stack.kafka().delete_topics(&["a".to_owned(), "never".to_owned()]).await.unwrap();

        let directory = stack.directory().to_owned();
        assert!(processes_of(&directory).len() > 3);
        drop(stack);
        assert_eq!(processes_of(&directory), Vec::<String>::new());
        assert!(!directory.exists());
    });
}

#[test]
fn a_database_from_a_template_has_its_rows_and_none_of_its_siblings() {
    serially(|| async {
        let stack = start().await;
        let postgres = stack.postgres();
        postgres.create_database("template").await.unwrap();
        let mut template = connect(&stack, "template").await;
        template.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)").await.unwrap();
        template.close().await.unwrap();

        postgres.create_from_template("first", "template").await.unwrap();
        postgres.create_from_template("second", "template").await.unwrap();
        let mut first = connect(&stack, "first").await;
        first.execute("INSERT INTO t VALUES (2)").await.unwrap();
        for (database, rows) in [("first", 2), ("second", 1)] {
            let mut connection = connect(&stack, database).await;
            let found: i64 = sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&mut connection).await.unwrap();
            assert_eq!(found, rows, "{database}");
        }
        // Although somebody is still connected.
        postgres.drop_database("first").await.unwrap();
        let error = postgres.create_database("second").await.unwrap_err();
        assert!(error.to_string().contains("already exists"), "{error}");
    });
}

#[test]
fn a_data_directory_that_is_kept_serves_like_a_new_one() {
    serially(|| async {
        let (cache, ours) = (tempfile::tempdir().unwrap(), StackConfig::from_env().unwrap());
        let jars = Some(ours.kafka_jars());
        let config = StackConfig { cache: cache.path().to_owned(), kafka_jars: jars, ..ours };
        for kept_before in [false, true] {
            assert_eq!(cache.path().join("postgres").exists(), kept_before);
            let stack = Stack::start(&config, &|_| ()).await.unwrap();
            // Fails when it was there before, as it would be if two stacks shared a directory.
            connect(&stack, "postgres").await.execute("CREATE TABLE t (n int)").await.unwrap();
        }
        assert_eq!(fs::read_dir(cache.path().join("postgres")).unwrap().count(), 1);
    });
}

#[test]
fn a_redis_database_is_empty_when_taken_and_nobody_elses() {
    serially(|| async {
        let stack = start().await;
        let first = stack.redis().take_database().await.unwrap();
        let second = stack.redis().take_database().await.unwrap();
        assert_ne!(first.number(), second.number());
        redis(&stack, first.number(), &["SET", "key", "1"]).await;
        assert_eq!(redis(&stack, second.number(), &["GET", "key"]).await, None);

        let number = first.number();
        drop(first);
        // All others come first: the one that was just given back rests.
        let mut others = vec![second];
        let _again = loop {
            let database = stack.redis().take_database().await.unwrap();
            if database.number() == number {
                break database;
            }
            others.push(database);
        };
        assert_eq!(others.len(), 510);
        assert!(stack.redis().take_database().await.is_err(), "all are in use");
        assert_eq!(redis(&stack, number, &["GET", "key"]).await, None);
        redis(&stack, number, &["SET", "key", "2"]).await;
        assert_eq!(stack.redis().flush(number).await, Ok(1));
        assert_eq!(stack.redis().flush(number).await, Ok(0));
    });
}

#[test]
fn each_server_comes_back_from_a_kill_with_what_it_acknowledged() {
    serially(|| async {
        let stack = start().await;
        kill_postgres(&stack).await;
        kill_redis(&stack).await;
        kill_kafka(&stack).await;
    });
}

async fn kill_postgres(stack: &Stack) {
    let mut connection = connect(stack, "postgres").await;
    connection.execute("CREATE TABLE kept (n int)").await.unwrap();
    connection.execute("INSERT INTO kept VALUES (7)").await.unwrap();
    // A busy backend notices late that the postmaster is gone.
    let mut busy = connect(stack, "postgres").await;
    let spin = "DO $$ BEGIN LOOP END LOOP; END $$";
    let spin = tokio::spawn(async move { busy.execute(AssertSqlSafe(spin)).await.map(drop) });
    let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO %'";
    while sqlx::query_scalar::<_, i64>(running).fetch_one(&mut connection).await.unwrap() == 0 {}

    let killed = stack.postgres().kill().await.unwrap();
    assert!(killed.pids.len() > 3, "{killed}");
    assert!(killed.pids.iter().all(|pid| !is_alive(*pid)), "{killed}");
    assert!(spin.await.unwrap().is_err());
    assert!(stack.postgres().kill().await.unwrap().pids.is_empty());
    assert!(stack.postgres().create_database("nowhere").await.is_err());

    stack.postgres().start().await.unwrap();
    let mut connection = connect(stack, "postgres").await;
    let kept: i32 = sqlx::query_scalar("SELECT n FROM kept").fetch_one(&mut connection).await.unwrap();
    assert_eq!(kept, 7);
    stack.postgres().create_database("after").await.unwrap();
}

async fn kill_redis(stack: &Stack) {
    redis(stack, 1, &["SET", "key", "kept"]).await;
    let killed = stack.redis().kill().await.unwrap();
    assert!(killed.pids.iter().all(|pid| !is_alive(*pid)) && killed.pids.len() == 1, "{killed}");
    stack.redis().start(RedisData::Kept).await.unwrap();
    assert_eq!(redis(stack, 1, &["GET", "key"]).await.as_deref(), Some("kept"));

    stack.redis().kill().await.unwrap();
    stack.redis().start(RedisData::Lost).await.unwrap();
    assert_eq!(redis(stack, 1, &["GET", "key"]).await, None);
}

async fn kill_kafka(stack: &Stack) {
    stack.kafka().create_topics(&[("kept".to_owned(), 1)]).await.unwrap();
    produce(stack, "kept", "before").await;
    let killed = stack.kafka().kill().await.unwrap();
    assert!(killed.pids.iter().all(|pid| !is_alive(*pid)) && killed.pids.len() == 1, "{killed}");
    stack.kafka().start().await.unwrap();
    produce(stack, "kept", "after").await;
    assert_eq!(consume(stack, "kept", 2), ["before", "after"]);
    stack.kafka().create_topics(&[("new".to_owned(), 2)]).await.unwrap();
}

#[test]
fn two_stacks_at_once_do_not_meet() {
    serially(|| async {
        let (first, second) = tokio::join!(start(), start());
        assert_ne!(first.directory(), second.directory());
        assert_ne!(first.postgres().address(), second.postgres().address());
        first.postgres().create_database("mine").await.unwrap();
        second.postgres().create_database("mine").await.unwrap();
        drop(first);
        connect(&second, "mine").await.execute("SELECT 1").await.unwrap();
        assert_eq!(redis(&second, 0, &["PING"]).await.as_deref(), Some("PONG"));
    });
}

#[test]
fn options_of_the_user_that_would_change_every_statement_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let change = |command: &mut Command| {
        command.env("PGOPTIONS", "-c statement_timeout=1");
    };
    harness(folder.path(), change).wait().unwrap();
    let error = fs::read_to_string(folder.path().join("report")).unwrap();
    assert!(error.starts_with("failed to set up the client of postgres: PGOPTIONS is set"), "{error}");
}

#[test]
fn a_killed_harness_leaves_nothing() {
    serially(|| async {
        let folder = tempfile::tempdir().unwrap();
        let mut harness = harness(folder.path(), |_| ());
        let ready = folder.path().join("report");
        until("the other harness is ready", || ready.exists());
        let directory = PathBuf::from(fs::read_to_string(&ready).unwrap());
        let before = processes_of(&directory);
        let instances = [number_in(&directory, "leader"), number_in(&directory, "grandchild")];
        let segment = shared_memory_in(&directory);
        assert!(has_shared_memory(segment));
        assert!(before.len() > 5 && instances.iter().all(|pid| is_alive(*pid)), "{before:?}");

        harness.kill().unwrap();
        harness.wait().unwrap();
        until("its directory is gone", || !directory.exists());
        until("its processes are gone", || processes_of(&directory).is_empty());
        until("its instances are gone", || !instances.iter().any(|pid| is_alive(*pid)));
        until("its shared memory is gone", || !has_shared_memory(segment));
    });
}

#[test]
fn what_is_missing_is_said_with_the_way_to_get_it() {
    serially(|| async {
        let config = StackConfig::from_env().unwrap();
        let without_postgres = StackConfig { postgres_bin: Some("/nowhere".into()), ..config.clone() };
        let without_jars = StackConfig { kafka_jars: Some("/nowhere".into()), ..config };
        for (config, name) in [(without_postgres, "postgres"), (without_jars, "kafka jars")] {
            let error = Stack::start(&config, &|_| ()).await.unwrap_err();
            let StackError::Missing(needs) = &error else { panic!("{error}") };
            assert!(needs.iter().any(|need| need.name == name), "{error}");
            assert!(error.to_string().contains("ci/setup"), "{error}");
        }

        let folder = tempfile::tempdir().unwrap();
        let status = harness(folder.path(), |command| {
            command.env("PATH", "/nowhere").env_remove("JAVA_HOME");
        })
        .wait()
        .unwrap();
        assert!(status.success());
        let message = fs::read_to_string(folder.path().join("report")).unwrap();
        assert!(message.contains("there is no java on PATH") && message.contains("JAVA_HOME"), "{message}");
        assert!(message.contains("there is no redis-server on PATH"), "{message}");
    });
}

#[test]
fn what_is_there_is_found_with_its_version() {
    let needs = needs::check(&StackConfig::from_env().unwrap());
    for need in needs.iter().filter(|need| !need.optional) {
        let found = need.state.as_ref().unwrap_or_else(|problem| panic!("{}: {problem}", need.name));
        let has_version = found.version.starts_with(|c: char| c.is_ascii_digit());
        assert!(has_version || need.name == "user for postgres", "{need:?}");
    }
}

#[test]
fn taken_ports_are_an_error_that_names_the_range() {
    serially(|| async {
        let strangers: Vec<_> = (19_500..=19_502).map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap()).collect();
        let config = StackConfig { ports: 19_500..=19_502, ..StackConfig::from_env().unwrap() };
        let error = Stack::start(&config, &|_| ()).await.unwrap_err();
        assert!(matches!(error, StackError::Start(StartError::Port(_))), "{error}");
        assert!(
            error.to_string().contains("from 19500 to 19502") && error.to_string().contains("FIREASSAY_PORTS"),
            "{error}"
        );
        drop(strangers);
    });
}

#[test]
fn a_server_that_does_not_start_shows_its_last_lines_and_nothing_is_left() {
    use std::os::unix::fs::PermissionsExt as _;
    serially(|| async {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["postgres", "initdb"] {
            let program = folder.path().join(name);
            fs::write(&program, "#!/bin/sh\necho the moon is in the wrong house >&2\nexit 1\n").unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let root = tempfile::tempdir_in("/tmp").unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let config = StackConfig {
            postgres_bin: Some(folder.path().to_owned()),
            data_root: Some(root.path().to_owned()),
            ..StackConfig::from_env().unwrap()
        };
        let error = Stack::start(&config, &|_| ()).await.unwrap_err();
        assert!(matches!(error, StackError::Start(StartError::Ended { server: "initdb", .. })), "{error}");
        assert!(error.to_string().contains("the moon is in the wrong house"), "{error}");
        assert_eq!(processes_of(root.path()), Vec::<String>::new());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    });
}

#[test]
fn a_place_that_postgres_cannot_reach_is_an_error_that_says_how_to_choose_another() {
    use std::os::unix::fs::PermissionsExt as _;
    // Only root changes the user, and so has a folder that it can reach and Postgres cannot.
    if fs::metadata("/proc/self").is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) != 0) {
        return;
    }
    serially(|| async {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let config = StackConfig { data_root: Some(root.path().to_owned()), ..StackConfig::from_env().unwrap() };
        let error = Stack::start(&config, &|_| ()).await.unwrap_err().to_string();
        assert!(error.contains("postgres") && error.contains("FIREASSAY_TMP"), "{error}");
    });
}

#[test]
fn a_process_is_watched_and_ended() {
    serially(|| async {
        let folder = tempfile::tempdir().unwrap();
        let processes = Processes::start().unwrap();
        let script = "echo started; trap 'echo ending; exit 3' TERM; while :; do sleep 0.01; done";
        let process = processes.spawn(&shell(folder.path(), script)).unwrap();
        until("it has started", || process.log_tail(1) == "started");
        assert_eq!(process.wait(Duration::ZERO).await, None);

        assert!(process.terminate());
        let status = process.wait(DEADLINE).await.unwrap();
        assert_eq!((status.code(), process.try_status()), (Some(3), Some(status)));
        assert_eq!(process.log_tail(1), "ending");
        assert!(!process.kill(), "an ended process cannot be hit");
    });
}

#[test]
fn a_paused_process_stands_still_until_it_is_resumed() {
    serially(|| async {
        let folder = tempfile::tempdir().unwrap();
        // One process: a shell that has just forked is not shown as stopped while its child is.
        let process = Processes::start().unwrap().spawn(&shell(folder.path(), "exec sleep 1000")).unwrap();
        assert!(process.pause());
        until("it is stopped", || state(process.pid()) == Some('T'));
        assert!(process.resume());
        until("it goes on", || state(process.pid()) != Some('T'));
        assert!(process.pause());
        assert!(process.kill(), "a stopped process can be killed");
        assert!(process.wait(DEADLINE).await.is_some());
    });
}

#[test]
fn a_dropped_process_takes_its_group_along() {
    serially(|| async {
        let folder = tempfile::tempdir().unwrap();
        let processes = Processes::start().unwrap();
        let process = processes.spawn(&shell(folder.path(), INSTANCE)).unwrap();
        until("it has a child", || folder.path().join("leader").exists());
        let pids = [number_in(folder.path(), "leader"), number_in(folder.path(), "grandchild")];
        assert!(pids.iter().all(|pid| is_alive(*pid)));
        drop(process);
        until("both are gone", || !pids.iter().any(|pid| is_alive(*pid)));
    });
}

#[test]
fn a_program_that_is_not_there_is_named() {
    serially(|| async {
        let folder = tempfile::tempdir().unwrap();
        let spec = ProcessSpec { program: "/nowhere/acme".into(), ..shell(folder.path(), "") };
        let error = Processes::start().unwrap().spawn(&spec).unwrap_err().to_string();
        assert!(error.contains("shell") && error.contains("/nowhere/acme"), "{error}");
    });
}

/// Writes its own number and that of a child; the file `leader` last.
const INSTANCE: &str = "sleep 1000 & echo $! > grandchild; echo $$ > leader.new; mv leader.new leader; wait";

fn shell(directory: &Path, script: &str) -> ProcessSpec {
    ProcessSpec {
        name: "shell".to_owned(),
        program: "/bin/sh".into(),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: Vec::new(),
        clear_env: false,
        directory: directory.to_owned(),
        log: directory.join("shell.log"),
        user: None,
    }
}

fn number_in(directory: &Path, file: &str) -> u32 {
    fs::read_to_string(directory.join(file)).unwrap().trim().parse().unwrap()
}

/// The System V segment of the Postgres in `directory`: the last number of line 7 of its lock file.
fn shared_memory_in(directory: &Path) -> u64 {
    let lock_file = fs::read_to_string(directory.join("postgres/data/postmaster.pid")).unwrap();
    lock_file.lines().nth(6).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn has_shared_memory(segment: u64) -> bool {
    let all = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    all.lines().any(|line| line.split_whitespace().nth(1) == Some(&segment.to_string()))
}

fn is_alive(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// As in `/proc/<pid>/stat`: `T` is stopped, `Z` is dead but not yet reaped.
fn state(pid: u32) -> Option<char> {
    fs::read_to_string(format!("/proc/{pid}/stat")).ok()?.rsplit_once(") ")?.1.chars().next()
}

/// Starts a copy of this program that plays a harness and reports in `folder`.
fn harness(folder: &Path, change: impl Fn(&mut Command)) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "plays_a_harness_when_told_to"]).env(REPORT, folder.join("report"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    change(&mut command);
    command.spawn().unwrap()
}

/// Not a test of its own: the other harness of the tests above. It reports the stack's directory and waits to be killed,
/// or reports why there is no stack.
#[test]
fn plays_a_harness_when_told_to() {
    let Some(report) = std::env::var_os(REPORT).map(PathBuf::from) else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let stack = match Stack::start(&StackConfig::from_env().unwrap(), &|_| ()).await {
            Ok(stack) => stack,
            Err(error) => return fs::write(&report, error.to_string()).unwrap(),
        };
        let directory = stack.directory().to_owned();
        let _instance = stack.processes().spawn(&shell(&directory, INSTANCE)).unwrap();
        until("the instance has started", || directory.join("leader").exists());
        let mut busy = connect(&stack, "postgres").await;
        tokio::spawn(async move { busy.execute("DO $$ BEGIN LOOP END LOOP; END $$").await.map(drop) });
        // Renamed into place, so that nobody reads half of it.
        let whole = report.with_extension("new");
        fs::write(&whole, directory.to_str().unwrap()).unwrap();
        fs::rename(&whole, &report).unwrap();
        std::future::pending::<()>().await;
    });
}
