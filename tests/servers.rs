//! Faults of the servers themselves, on real ones: what they do, what they say of it, and that they are undone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fireassay::fault::{RewindTo, Share};
use fireassay::sandbox::kafka::{Copied, PhantomMember, Poisoned, Rewound, Sort};
use fireassay::sandbox::postgres::EndedSessions;
use fireassay::sandbox::redis::Evicted;
use fireassay::sandbox::{Stack, StackConfig};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, StreamConsumer};
use rdkafka::message::{Header, Headers as _, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, FutureProducer, FutureRecord, Producer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(30);

/// One stack at a time: they are heavy.
fn serially<F: Future>(test: impl FnOnce() -> F) -> F::Output {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    tokio::runtime::Runtime::new().unwrap().block_on(test())
}

async fn start() -> Stack {
    Stack::start(&StackConfig::from_env().unwrap(), &|_| ()).await.unwrap()
}

async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let end = Instant::now() + DEADLINE;
    while !condition().await {
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

// ---------------------------------------------------------------------------------------------------------- Postgres

async fn connect(stack: &Stack, database: &str) -> PgConnection {
    PgConnection::connect(&stack.postgres().url(database, stack.postgres().address())).await.unwrap()
}

async fn with_table(stack: &Stack, database: &str) {
    stack.postgres().create_database(database).await.unwrap();
    connect(stack, database).await.execute("CREATE TABLE t (n int)").await.unwrap();
}

async fn insert(connection: &mut PgConnection) -> Result<(), String> {
    let done = connection.execute("INSERT INTO t VALUES (1)").await;
    done.map(drop).map_err(|error| {
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned()
    })
}

async fn rows(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(connection).await.unwrap()
}

#[test]
fn sessions_of_one_database_are_ended_but_not_the_harness_s() {
    serially(|| async {
        let stack = start().await;
        let postgres = stack.postgres();
        with_table(&stack, "mine").await;
        with_table(&stack, "other").await;
        // The sessions that made the tables are on their way out.
        postgres.end_sessions("mine").await.unwrap();
        assert_eq!(postgres.end_sessions("mine").await.unwrap(), EndedSessions::default());

        let mut idle = connect(&stack, "mine").await;
        let mut open = connect(&stack, "mine").await;
        open.execute("BEGIN").await.unwrap();
        open.execute("INSERT INTO t VALUES (1)").await.unwrap();
        let mut reading = PgConnection::connect(&postgres.harness_url("mine")).await.unwrap();
        let mut other = connect(&stack, "other").await;

        let ended = postgres.end_sessions("mine").await.unwrap();
        assert_eq!(ended, EndedSessions { count: 2, in_transaction: 1 });
        assert_eq!(ended.to_string(), "2 sessions were ended, 1 in a transaction");
        assert!(idle.execute("SELECT 1").await.is_err() && open.execute("COMMIT").await.is_err());
        assert_eq!(rows(&mut reading).await, 0, "what was not committed is rolled back, and the harness can see it");
        other.execute("SELECT 1").await.unwrap();
        insert(&mut connect(&stack, "mine").await).await.unwrap();
    });
}

#[test]
fn a_read_only_database_refuses_writes_until_it_is_healed() {
    serially(|| async {
        let stack = start().await;
        let postgres = stack.postgres();
        with_table(&stack, "mine").await;
        with_table(&stack, "other").await;
        let mut before = connect(&stack, "mine").await;
        insert(&mut before).await.unwrap();

        let held = postgres.make_read_only("mine").await.unwrap();
        assert!(before.execute("SELECT 1").await.is_err(), "a session from before would still write");
        let mut during = connect(&stack, "mine").await;
        assert_eq!(insert(&mut during).await, Err("25006".to_owned()));
        assert_eq!(insert(&mut during).await, Err("25006".to_owned()));
        assert_eq!(rows(&mut during).await, 1);
        insert(&mut connect(&stack, "other").await).await.unwrap();
        // The readings of the harness forbid themselves to write; what they meet is not the target's affair.
        let mut harness = PgConnection::connect(&postgres.harness_url("mine")).await.unwrap();
        assert_eq!(rows(&mut harness).await, 1);
        assert_eq!(insert(&mut harness).await, Err("25006".to_owned()));

        let was = postgres.make_writable(held).await.unwrap();
        assert_eq!(was.refused, 2);
        assert_eq!((was.before.count, was.after.count), (1, 1));
        assert!(during.execute("SELECT 1").await.is_err(), "a session that refuses would be left");
        insert(&mut connect(&stack, "mine").await).await.unwrap();

        // Nobody wrote, so nobody met it.
        let held = postgres.make_read_only("mine").await.unwrap();
        assert_eq!(rows(&mut connect(&stack, "mine").await).await, 2);
        assert_eq!(postgres.make_writable(held).await.unwrap().refused, 0);

        // Not healed, as in a run that is cut short: it goes with its database.
        drop(postgres.make_read_only("mine").await.unwrap());
        postgres.drop_database("mine").await.unwrap();
        with_table(&stack, "mine").await;
    });
}

// ------------------------------------------------------------------------------------------------------------- Redis

async fn redis(stack: &Stack, database: u16, command: &[&str]) -> Result<redis::Value, String> {
    let client = redis::Client::open(stack.redis().url(database, stack.redis().address())).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let done = redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await;
    done.map_err(|error: redis::RedisError| error.code().unwrap_or_default().to_owned())
}

async fn keys(stack: &Stack, database: u16) -> Vec<String> {
    let mut keys: Vec<String> = redis::from_redis_value(redis(stack, database, &["KEYS", "*"]).await.unwrap()).unwrap();
    keys.sort();
    keys
}

#[test]
fn a_share_of_the_keys_is_evicted_and_the_seed_says_which() {
    serially(|| async {
        let stack = start().await;
        let half = Share::try_from(0.5).unwrap();
        assert_eq!(stack.redis().evict(1, half, 1).await.unwrap(), Evicted { gone: 0, of: 0 });
        let mut left = Vec::new();
        for seed in [1, 1, 2] {
            for key in 0..3_000 {
                redis(&stack, 1, &["SET", &key.to_string(), "x"]).await.unwrap();
            }
            redis(&stack, 2, &["SET", "other", "x"]).await.unwrap();
            assert_eq!(stack.redis().evict(1, half, seed).await.unwrap(), Evicted { gone: 1_500, of: 3_000 });
            left.push(keys(&stack, 1).await);
            stack.redis().flush(1).await.unwrap();
        }
        assert_eq!((left[0].len(), left[0] == left[1], left[0] == left[2]), (1_500, true, false));
        assert_eq!(keys(&stack, 2).await, ["other"]);
    });
}

#[test]
fn redis_without_memory_refuses_writes_until_that_is_healed_or_forgotten() {
    serially(|| async {
        let stack = start().await;
        redis(&stack, 0, &["CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru"]).await.unwrap();
        redis(&stack, 1, &["SET", "before", "x"]).await.unwrap();
        let settings = async || {
            let read = redis(&stack, 0, &["CONFIG", "GET", "maxmemory*"]).await.unwrap();
            let read: std::collections::BTreeMap<String, String> = redis::from_redis_value(read).unwrap();
            (read["maxmemory"].clone(), read["maxmemory-policy"].clone())
        };
        let usual = ("104857600".to_owned(), "allkeys-lru".to_owned());

        let limit = stack.redis().limit_memory().await.unwrap();
        for _ in 0..3 {
            assert_eq!(redis(&stack, 1, &["SET", "during", "x"]).await, Err("OOM".to_owned()));
        }
        redis(&stack, 1, &["GET", "before"]).await.unwrap();
        assert_eq!(keys(&stack, 1).await, ["before"], "nothing was evicted to make room");
        until("it has been seen", || async { limit.refused() == 3 }).await;
        assert_eq!(stack.redis().lift(limit).await.unwrap(), 3);
        assert_eq!(settings().await, usual);
        redis(&stack, 1, &["SET", "after", "x"]).await.unwrap();

        let unnoticed = stack.redis().limit_memory().await.unwrap();
        assert_eq!(stack.redis().lift(unnoticed).await.unwrap(), 0);

        let forgotten = stack.redis().limit_memory().await.unwrap();
        assert_eq!(settings().await.0, "1");
        drop(forgotten);
        assert_eq!(settings().await, usual);
    });
}

// ------------------------------------------------------------------------------------------------------------- Kafka

fn client(stack: &Stack) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", stack.kafka().address().to_string());
    config
}

fn consumer(stack: &Stack, group: &str) -> StreamConsumer {
    let mut config = client(stack);
    config.set("group.id", group).set("auto.offset.reset", "earliest").set("session.timeout.ms", "3000");
    config.set("heartbeat.interval.ms", "100").set("enable.auto.commit", "false").create().unwrap()
}

async fn produce(stack: &Stack, topic: &str, count: i64) {
    let producer: FutureProducer = client(stack).create().unwrap();
    for number in 0..count {
        let (key, value) = (format!("key-{number}"), format!("value-{number}"));
        let headers = OwnedHeaders::new().insert(Header { key: "number", value: Some(&number.to_string()) });
        let record = FutureRecord::to(topic).key(&key).payload(&value).headers(headers).timestamp(1_000 + number);
        producer.send(record.partition(i32::try_from(number % 2).unwrap()), DEADLINE).await.unwrap();
    }
}

/// All committed records of a topic, by partition and offset.
fn read(stack: &Stack, topic: &str, partitions: i32) -> Vec<OwnedMessage> {
    let mut config = client(stack);
    config.set("group.id", "reader").set("enable.partition.eof", "true").set("isolation.level", "read_committed");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let (mut records, mut ended, end) = (Vec::new(), 0, Instant::now() + DEADLINE);
    while ended < partitions {
        assert!(Instant::now() < end);
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(record)) => records.push(record.detach()),
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
    }
    records.sort_by_key(|record| (record.partition(), record.offset()));
    records
}

type Content = (i32, Option<Vec<u8>>, Option<Vec<u8>>, Option<i64>, Vec<(String, Option<Vec<u8>>)>);

fn content(record: &OwnedMessage) -> Content {
    let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let headers = record.headers().into_iter().flat_map(|headers| headers.iter());
    let headers = headers.map(|header| (header.key.to_owned(), bytes(header.value))).collect();
    (record.partition(), bytes(record.key()), bytes(record.payload()), record.timestamp().to_millis(), headers)
}

#[test]
fn records_come_again_the_same_in_their_partitions_and_the_seed_says_which() {
    serially(|| async {
        let stack = start().await;
        let kafka = stack.kafka();
        let topics = ["first", "second"].map(|name| (name.to_owned(), 2));
        kafka.create_topics(&topics).await.unwrap();
        assert_eq!(kafka.reproduce("first", 3, 1).await.unwrap(), []);
        let error = kafka.reproduce("nowhere", 3, 1).await.unwrap_err().to_string();
        assert!(error.contains("nowhere"), "{error}");

        produce(&stack, "first", 40).await;
        produce(&stack, "second", 40).await;
        let copied = kafka.reproduce("first", 5, 1).await.unwrap();
        assert_eq!(copied.len(), 5);
        let records = read(&stack, "first", 2);
        let find = |partition, offset| {
            records.iter().find(|record| (record.partition(), record.offset()) == (partition, offset)).unwrap()
        };
        for Copied { partition, of, to } in &copied {
            assert!(*of < 20 && *to >= 20, "{copied:?}");
            assert_eq!(content(find(*partition, *of)), content(find(*partition, *to)));
        }
        for pair in copied.windows(2).filter(|pair| pair[0].partition == pair[1].partition) {
            assert!(pair[0].of < pair[1].of && pair[0].to < pair[1].to, "{copied:?}");
        }
        assert_eq!(records.len(), 45);
        assert_eq!(kafka.reproduce("second", 5, 1).await.unwrap(), copied);
        assert_eq!(kafka.reproduce("second", 1_000, 1).await.unwrap().len(), 45, "no more than there are");
    });
}

#[test]
fn records_that_nobody_can_act_on_lie_where_it_says_and_the_seed_says_which() {
    serially(|| async {
        let stack = start().await;
        let kafka = stack.kafka();
        kafka.create_topics(&["first", "second", "empty"].map(|name| (name.to_owned(), 2))).await.unwrap();
        let error = kafka.poison("nowhere", 3, 1).await.unwrap_err().to_string();
        assert!(error.contains("nowhere"), "{error}");
        let sorts = |put: &[Poisoned]| put.iter().map(|record| record.sort).collect::<Vec<_>>();
        let put = kafka.poison("empty", 3, 1).await.unwrap();
        assert_eq!(sorts(&put), [Sort::Broken, Sort::Foreign, Sort::Foreign], "there is no event to be like");

        let producer: BaseProducer = client(&stack).create().unwrap();
        for (topic, number) in ["first", "second"].iter().flat_map(|topic| (0..4).map(move |number| (*topic, number))) {
            let (key, value) =
                (format!("o-{number}"), format!(r#"{{"id":"e-{number}","order":"o-{number}","amount":5}}"#));
            producer.send(BaseRecord::to(topic).key(&key).payload(&value).partition(number % 2)).unwrap();
        }
        producer.flush(DEADLINE).unwrap();
        let put = kafka.poison("first", 5, 1).await.unwrap();
        assert_eq!(put, kafka.poison("second", 5, 1).await.unwrap());
        assert_ne!(put, kafka.poison("second", 5, 2).await.unwrap());
        assert_eq!(sorts(&put), [Sort::Broken, Sort::Foreign, Sort::Unknown, Sort::Broken, Sort::Foreign]);
        assert!(put.windows(2).all(|pair| pair[0].partition != pair[1].partition), "{put:?}");
        let records = read(&stack, "first", 2);
        assert_eq!(records.len(), 9);
        for Poisoned { partition, offset, key, payload, .. } in &put {
            let at = |record: &&OwnedMessage| (record.partition(), record.offset()) == (*partition, *offset);
            let there = records.iter().find(at).unwrap();
            assert!(*offset >= 2, "behind what was there");
            assert_eq!((there.key(), there.payload()), (Some(key.as_bytes()), Some(payload.as_bytes())));
        }
        let unknown: serde_json::Value = serde_json::from_str(&put[2].payload).unwrap();
        assert_eq!((&unknown["order"], &unknown["amount"]), (&put[2].key.as_str().into(), &5.into()));
    });
}

#[test]
fn what_was_aborted_does_not_come_again() {
    serially(|| async {
        let stack = start().await;
        stack.kafka().create_topics(&[("t".to_owned(), 1)]).await.unwrap();
        let producer: BaseProducer = client(&stack).set("transactional.id", "writer").create().unwrap();
        producer.init_transactions(DEADLINE).unwrap();
        for (value, commits) in [("kept", true), ("lost", false), ("kept too", true)] {
            producer.begin_transaction().unwrap();
            producer.send(BaseRecord::to("t").key("").payload(value)).unwrap();
            if commits {
                producer.commit_transaction(DEADLINE).unwrap();
            } else {
                producer.flush(DEADLINE).unwrap();
                producer.abort_transaction(DEADLINE).unwrap();
            }
        }
        let copied = stack.kafka().reproduce("t", 100, 1).await.unwrap();
        assert_eq!(copied.len(), 2);
        let values: Vec<_> = read(&stack, "t", 1).iter().map(|record| record.payload().unwrap().to_vec()).collect();
        assert_eq!(values, [&b"kept"[..], b"kept too", b"kept", b"kept too"]);
    });
}

/// Reads and commits until `count` records have come.
async fn consume(consumer: &StreamConsumer, count: usize) -> Vec<(i32, i64)> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let record = tokio::time::timeout(DEADLINE, consumer.recv()).await.unwrap().unwrap();
        seen.push((record.partition(), record.offset()));
        consumer.commit_message(&record, CommitMode::Sync).unwrap();
    }
    seen.sort_unstable();
    seen
}

#[test]
fn a_group_is_set_back_once_it_is_empty() {
    serially(|| async {
        let stack = start().await;
        let kafka = stack.kafka();
        let topics = ["t".to_owned()];
        kafka.create_topics(&[("t".to_owned(), 2)]).await.unwrap();
        produce(&stack, "t", 20).await;
        let now = || CancellationToken::new();
        assert_eq!(kafka.rewind("group", &topics, RewindTo::Beginning, now()).await.unwrap(), []);

        let member = consumer(&stack, "group");
        member.subscribe(&["t"]).unwrap();
        consume(&member, 20).await;
        let ended = CancellationToken::new();
        ended.cancel();
        let error = kafka.rewind("group", &topics, RewindTo::Beginning, ended).await.unwrap_err().to_string();
        assert!(error.contains("it still has members (1)") && error.contains("stop them first"), "{error}");

        // It leaves while we wait for that.
        let back = RewindTo::Back(std::num::NonZeroU32::new(3).unwrap());
        let (rewound, ()) = tokio::join!(kafka.rewind("group", &topics, back, now()), async { drop(member) });
        let moved = |partition, from, to| Rewound { topic: "t".to_owned(), partition, from, to };
        assert_eq!(rewound.unwrap(), [moved(0, 10, 7), moved(1, 10, 7)]);
        let member = consumer(&stack, "group");
        member.subscribe(&["t"]).unwrap();
        assert_eq!(consume(&member, 6).await, [(0, 7), (0, 8), (0, 9), (1, 7), (1, 8), (1, 9)]);
        drop(member);

        let rewound = kafka.rewind("group", &topics, RewindTo::Beginning, now()).await.unwrap();
        assert_eq!(rewound, [moved(0, 10, 0), moved(1, 10, 0)]);
        let again = kafka.rewind("group", &topics, RewindTo::Beginning, now()).await.unwrap();
        assert_eq!(again, [], "it is at the beginning");
    });
}

/// How many partitions a member has now.
fn share(member: &StreamConsumer) -> usize {
    member.assignment().unwrap().count()
}

async fn joined(stack: &Stack, group: &str) -> PhantomMember {
    stack.kafka().join(group, "t").await.unwrap()
}

#[test]
fn a_phantom_takes_partitions_and_gives_them_back_untouched() {
    serially(|| async {
        let stack = start().await;
        stack.kafka().create_topics(&[("t".to_owned(), 2)]).await.unwrap();
        for strategy in ["range", "cooperative-sticky"] {
            let group = format!("group-{strategy}");
            let mut config = client(&stack);
            config.set("group.id", &group).set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
            config.set("partition.assignment.strategy", strategy).set("heartbeat.interval.ms", "100");
            let member: StreamConsumer = config.create().unwrap();
            member.subscribe(&["t"]).unwrap();
            let poll = || async {
                let _ = tokio::time::timeout(Duration::from_millis(20), member.recv()).await;
            };
            until("the member has both partitions", || async {
                poll().await;
                share(&member) == 2
            })
            .await;

            let phantom = joined(&stack, &group).await;
            until("they share", || async {
                poll().await;
                share(&member) == 1 && phantom.seen().partitions.len() == 1
            })
            .await;
            produce(&stack, "t", 10).await;
            let (left, ()) = tokio::join!(phantom.leave(), async {
                until("the member has both partitions again", || async {
                    poll().await;
                    share(&member) == 2
                })
                .await;
            });
            let seen = left;
            assert_eq!((seen.others, seen.partitions.len()), (1, 1), "{seen:?}");
            assert!(seen.rebalances > 0);
            let committed = member.committed(DEADLINE).unwrap();
            assert!(committed.elements().iter().all(|found| found.offset() == Offset::Invalid), "{committed:?}");
        }
    });
}

#[test]
fn a_phantom_alone_says_so_and_leaves_when_it_is_dropped() {
    serially(|| async {
        let stack = start().await;
        stack.kafka().create_topics(&[("t".to_owned(), 2)]).await.unwrap();
        let phantom = joined(&stack, "alone").await;
        until("it has both partitions", || async { phantom.seen().partitions.len() == 2 }).await;
        let seen = phantom.leave().await;
        assert_eq!(seen.others, 0, "{seen:?}");

        let phantom = joined(&stack, "dropped").await;
        until("it has both partitions", || async { phantom.seen().partitions.len() == 2 }).await;
        drop(phantom);
        let asks: BaseConsumer = client(&stack).set("group.id", "asks").create().unwrap();
        until("the group is empty", || async {
            let list = asks.fetch_group_list(Some("dropped"), DEADLINE).unwrap();
            list.groups().iter().all(|group| group.members().is_empty())
        })
        .await;
    });
}

// --------------------------------------------------------------------------------------------------------- whole runs

/// Runs a small case with these faults on the reference target; what became of each, and the exit code.
fn run(faults: &[&str]) -> (Vec<String>, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let faults: String = faults.iter().map(|fault| format!("[[case.fault]]\n{fault}\n")).collect();
    let suite = format!(
        r#"profile = "ledger"
version = 1
[[requirement]]
id = "ledger.acked"
text = "Kept."
why = "A test."
[[case]]
id = "small"
title = "A few transfers"
tier = "quick"
requirements = ["ledger.acked"]
workload = {{ transfers = {{ accounts = 4, intents = 60, again = 0, impossible = 0, reads = 0, callers = {{ pause = "40ms" }} }} }}
settle = "20s"
{faults}"#
    );
    std::fs::write(folder.path().join("suite.toml"), suite).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fireassay"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["run", "--target", "targets/reference", "--format", "json"]);
    command.arg("--suite").arg(folder.path().join("suite.toml")).arg("--runs-dir").arg(folder.path().join("runs"));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let faults = report["runs"][0]["result"]["faults"].as_array().unwrap();
    (
        faults.iter().map(|fault| format!("bit: {}, missed: {}", fault["bit"], fault["missed"])).collect(),
        output.status.code(),
    )
}

#[track_caller]
fn expect(faults: &[(&str, &str)], code: i32) {
    let (outcomes, exit) = run(&faults.iter().map(|(fault, _)| *fault).collect::<Vec<_>>());
    assert_eq!(outcomes.len(), faults.len());
    for (outcome, (fault, expected)) in outcomes.iter().zip(faults) {
        assert!(outcome.contains(expected), "{fault}: {outcome}");
    }
    assert_eq!(exit, Some(code), "{outcomes:?}");
}

#[test]
fn a_fault_that_meets_nothing_says_what_it_missed_and_the_run_is_no_pass() {
    serially(|| async {
        expect(
            &[
                (
                    "when = { at = [\"0s\", \"0s\"] }\ninject = { reproduce = { count = 3, topic = \"nowhere\" } }",
                    "the target has no topic nowhere; those in its target.toml are: ledger.transfers",
                ),
                (
                    "when = { operations = [5, 5] }\ninject = { rewind = { group = \"nobody\", to = \"beginning\" } }",
                    "the group nobody has committed nothing to be set back",
                ),
                (
                    "when = { operations = [1, 1] }\ninject = { phantom-member = { group = \"alone\" } }",
                    // The first group of a broker may take longer to be made than this load.
                    "missed: \"the group ",
                ),
            ],
            5,
        );
    });
}

#[test]
fn a_run_with_every_kind_of_server_fault_that_it_can_meet_passes() {
    serially(|| async {
        expect(
            &[
                ("when = { operations = [20, 20] }\ninject = \"terminate-backends\"", "ended"),
                ("when = { operations = [25, 25] }\ninject = { evict = { share = 0.5 } }", "keys are gone"),
                (
                    "when = { operations = [30, 30] }\ninject = { reproduce = { count = 3 } }",
                    "of ledger.transfers came again",
                ),
                (
                    "when = { operations = [35, 35] }\ninject = \"redis-memory-limit\"\nheal = { operations = [10, 10] }",
                    "refused for want of memory",
                ),
                (
                    "when = { operations = [45, 45] }\ninject = \"read-only-postgres\"\nheal = { operations = [10, 10] }",
                    "refused as read-only",
                ),
            ],
            0,
        );
    });
}
