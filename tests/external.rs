//! The backend `external`, on a stack that this test starts and then treats as somebody else's.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

use fireassay::sandbox::external::Urls;
use fireassay::sandbox::{Backend, Stack, StackConfig};
use libtest_mimic::{Arguments, Trial};

const DEADLINE: Duration = Duration::from_secs(60);

/// Somebody else's servers, with things of his on them.
struct Theirs {
    stack: Stack,
    urls: Urls,
}

fn main() -> ExitCode {
    let trial = Trial::test("somebody_elses_servers_are_used_and_stay_as_they_are", || {
        tokio::runtime::Runtime::new().unwrap().block_on(somebody_elses_servers_are_used());
        Ok(())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

/// One test, as all of it is on one stack: a start costs more than the rest.
async fn somebody_elses_servers_are_used() {
    let theirs = Theirs::start().await;
    let folder = tempfile::tempdir().unwrap();
    theirs.a_case_passes_and_one_is_not_for_them(folder.path()).await;
    theirs.what_a_killed_harness_left_is_removed_by_the_next(folder.path()).await;
    theirs.mistakes_are_told_before_anything_is_done(folder.path());
}

impl Theirs {
    async fn start() -> Self {
        let config = StackConfig { backend: Some(Backend::Process), ..StackConfig::from_env().unwrap() };
        let stack = Stack::start(&config, &|_| ()).await.unwrap();
        let (postgres, redis, kafka) = (stack.postgres(), stack.redis(), stack.kafka());
        postgres.create_database("theirs").await.unwrap();
        kafka.create_topics(&[("theirs".to_owned(), 1)]).await.unwrap();
        let urls = Urls {
            postgres: Some(postgres.url("postgres", postgres.address())),
            redis: Some(redis.url(0, redis.address())),
            kafka: Some(kafka.address().to_string()),
            not_production: false,
        };
        let theirs = Self { stack, urls };
        for number in [0, 1, 3] {
            theirs.redis(number, &["SET", "theirs", "1"]).await;
        }
        theirs
    }

    async fn a_case_passes_and_one_is_not_for_them(&self, folder: &Path) {
        let before = self.inventory().await;
        let output = self.command(folder, &["run", "--case", "calm", "postgres-killed", "--format", "json"]).output();
        let output = output.unwrap();
        let told = self.told(&output);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let standings: Vec<_> =
            document["runs"].as_array().unwrap().iter().map(|run| run["standing"].as_str().unwrap()).collect();
        assert_eq!(standings, ["pass", "not applicable"]);
        assert!(told.contains("others may use those that are external"), "{told}");
        assert_eq!(self.inventory().await, before);
        self.assert_no_password_below(folder);
    }

    async fn what_a_killed_harness_left_is_removed_by_the_next(&self, folder: &Path) {
        let before = self.inventory().await;
        let mut command = self.command(folder, &["run", "--case", "calm"]);
        let mut harness = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // In the middle of a run: its topics are there, and so is all the rest.
        until("topics of a run", async || self.inventory().await.contains("topic fireassay_")).await;
        until("a database of redis", async || self.redis(0, &["HLEN", "fireassay:databases"]).await == "1").await;
        harness.kill().unwrap();
        harness.wait().unwrap();
        assert_ne!(self.inventory().await, before);
        // A group of consumers that were killed can be removed only when Kafka has missed them, so there may be several next.
        until("nothing left", async || {
            let config = StackConfig {
                backend: Some(Backend::External),
                external: self.urls.clone(),
                ..StackConfig::from_env().unwrap()
            };
            Stack::start(&config, &|_| ()).await.unwrap().stop().await.unwrap();
            self.inventory().await == before
        })
        .await;
    }

    fn mistakes_are_told_before_anything_is_done(&self, folder: &Path) {
        let fails = |change: &dyn Fn(&mut Command), expected: [&str; 2]| {
            let mut command = self.command(folder, &["run", "--case", "calm"]);
            change(&mut command);
            let output = command.output().unwrap();
            let told = self.told(&output);
            assert_eq!(output.status.code(), Some(2), "{told}");
            assert!(expected.iter().all(|text| told.contains(text)), "{told}");
        };
        fails(
            &|it| _ = it.env("FIREASSAY_KAFKA", "203.0.113.7:9092"),
            ["203.0.113.7", "--i-know-this-is-not-production"],
        );
        fails(&|it| _ = it.env_remove("FIREASSAY_REDIS"), ["--redis", "is missing"]);
        fails(&|it| _ = it.env("FIREASSAY_REDIS", "rediss://:x@127.0.0.1"), ["redis", "TLS"]);
        fails(
            &|it| _ = it.args(["--backend", "docker", "--kafka", "127.0.0.1:1"]),
            ["--backend docker", "run already"],
        );
    }

    /// The built binary, told of these servers.
    fn command(&self, folder: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fireassay"));
        let runs = folder.join("runs");
        command.args(words).arg("--runs-dir").arg(runs).env("FIREASSAY_BACKEND", "external");
        let Urls { postgres, redis, kafka, .. } = &self.urls;
        for (name, url) in [("FIREASSAY_POSTGRES", postgres), ("FIREASSAY_REDIS", redis), ("FIREASSAY_KAFKA", kafka)] {
            command.env(name, url.as_ref().unwrap());
        }
        command
    }

    /// What a command said, which has no password in it.
    fn told(&self, output: &Output) -> String {
        let told = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
        for password in self.passwords() {
            assert!(!told.contains(&password), "a password in: {told}");
        }
        told
    }

    fn assert_no_password_below(&self, folder: &Path) {
        let mut files = 0;
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                self.assert_no_password_below(&entry);
                continue;
            }
            files += 1;
            let text = String::from_utf8_lossy(&fs::read(&entry).unwrap()).into_owned();
            assert!(self.passwords().iter().all(|password| !text.contains(password)), "{}", entry.display());
        }
        assert!(files > 0 || folder.is_dir());
    }

    fn passwords(&self) -> Vec<String> {
        let password = |url: &Option<String>| {
            let url = url::Url::parse(url.as_ref().unwrap()).unwrap();
            url.password().unwrap().to_owned()
        };
        vec![password(&self.urls.postgres), password(&self.urls.redis)]
    }

    /// All that is there, by name, and the keys with their values.
    async fn inventory(&self) -> String {
        let mut found = Vec::new();
        let (postgres, kafka) = (self.stack.postgres(), self.stack.kafka());
        found.extend(postgres.databases().await.unwrap().into_iter().map(|name| format!("database {name}")));
        // Kafka's own come with the first use.
        let topics = kafka.topics().await.unwrap().into_iter().filter(|name| !name.starts_with("__"));
        found.extend(topics.map(|name| format!("topic {name}")));
        found.extend(kafka.groups().await.unwrap().into_iter().map(|name| format!("group {name}")));
        for number in 0..8 {
            found.push(format!("redis {number}: {}", self.redis(number, &["KEYS", "*"]).await));
            found.push(format!("redis {number}: {}", self.redis(number, &["GET", "theirs"]).await));
        }
        found.sort();
        found.join("\n")
    }

    async fn redis(&self, number: u16, words: &[&str]) -> String {
        let redis = self.stack.redis();
        let client = redis::Client::open(redis.url(number, redis.address())).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| _ = command.arg(word));
        match command.query_async::<redis::Value>(&mut connection).await.unwrap() {
            redis::Value::Int(number) => number.to_string(),
            other => format!("{other:?}"),
        }
    }
}

async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition().await {
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
