//! A whole world for the service: a real Postgres and Kafka, a gateway, and the service's own processes.

pub(crate) mod gateway;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fireassay::sandbox::{Stack, StackConfig};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Headers as _;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use gateway::Gateway;

pub(crate) const DEADLINE: Duration = Duration::from_secs(40);
pub(crate) const CARD: &str = "4242424242424242";
/// Nothing that could be a part of an id.
pub(crate) const CUSTOMER: &str = "customer-of-the-test";
pub(crate) const TOKEN: &str = "t0p-s3cret-t0ken";
const TOPIC: &str = "orders.events";
const PARTITIONS: i32 = 4;

pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) gateway: Gateway,
    defects: String,
    client: Client,
    ports: BTreeMap<u16, u16>,
    processes: BTreeMap<String, Child>,
}

/// A record of the topic.
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
    pub(crate) correlation: Option<String>,
}

impl World {
    /// With two instances of each role.
    pub(crate) async fn start(defects: &str) -> Self {
        let stack = Stack::start(&StackConfig::from_env().unwrap(), &|_| ()).await.unwrap();
        stack.postgres().create_database("orders").await.unwrap();
        stack.kafka().create_topics(&[(TOPIC.to_owned(), PARTITIONS)]).await.unwrap();
        let mut world = Self {
            stack,
            gateway: Gateway::start().await,
            defects: defects.to_owned(),
            client: Client::new(),
            ports: BTreeMap::new(),
            processes: BTreeMap::new(),
        };
        assert!(world.command("setup").status().unwrap().success());
        for role in ["api", "relay", "worker"] {
            for number in 1..=2 {
                world.launch(&format!("{role}-{number}"));
            }
        }
        for api in 1..=2 {
            until("the api is up", async || world.get(api, "/health").await.is_some()).await;
        }
        world
    }

    /// A connection to the service's database.
    pub(crate) async fn connect(&self) -> PgConnection {
        let postgres = self.stack.postgres();
        PgConnection::connect(&postgres.url("orders", postgres.address())).await.unwrap()
    }

    /// How many wait for a lock on a table.
    pub(crate) async fn waiting(&self, table: &str) -> i64 {
        let sql = "select count(*) from pg_locks where not granted and relation = $1::regclass";
        sqlx::query_scalar(sql).bind(table).fetch_one(&mut self.connect().await).await.unwrap()
    }

    fn command(&self, role: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reference-orders"));
        let postgres = self.stack.postgres();
        command
            .arg(role)
            .env("DATABASE_URL", postgres.url("orders", postgres.address()))
            .env("KAFKA_BROKERS", self.stack.kafka().address().to_string())
            .env("GATEWAY_URL", format!("http://{}", self.gateway.address.unwrap()))
            .env("TOPIC", TOPIC)
            .env("GROUP", "orders.payments")
            .env("RUST_LOG", "info,reference_orders=debug")
            .env("REFERENCE_DEFECTS", &self.defects)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    fn log_of(&self, name: &str) -> PathBuf {
        self.stack.directory().join(format!("{name}.log"))
    }

    /// Starts an instance, for example `worker-2`.
    pub(crate) fn launch(&mut self, name: &str) {
        let (role, number) = name.split_once('-').unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = File::options().create(true).append(true).open(self.log_of(name)).unwrap();
        let mut command = self.command(role);
        let child = command.env("PORT", port.to_string()).env("INSTANCE", name).stderr(log).spawn().unwrap();
        if role == "api" {
            self.ports.insert(number.parse().unwrap(), port);
        }
        self.processes.insert(name.to_owned(), child);
    }

    /// Ends an instance on the spot.
    pub(crate) fn kill(&mut self, name: &str) {
        let mut child = self.processes.remove(name).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends a signal to an instance.
    pub(crate) fn signal(&self, name: &str, signal: &str) {
        let id = self.processes[name].id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits until an instance has ended after SIGTERM.
    pub(crate) async fn ends(&mut self, name: &str) {
        let mut child = self.processes.remove(name).unwrap();
        until("it ends", async || child.try_wait().unwrap().is_some()).await;
    }

    pub(crate) fn log(&self, name: &str) -> String {
        fs::read_to_string(self.log_of(name)).unwrap()
    }

    async fn call(
        &self,
        method: Method,
        api: u16,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<(u16, Value)> {
        let url = format!("http://127.0.0.1:{}{path}", self.ports[&api]);
        let mut request = self.client.request(method, url).timeout(Duration::from_secs(6)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, serde_json::from_str(&response.text().await.ok()?).unwrap_or_default()))
    }

    pub(crate) async fn get(&self, api: u16, path: &str) -> Option<Value> {
        let (status, body) = self.call(Method::GET, api, path, &[], "").await?;
        (status == 200).then_some(body)
    }

    /// Sends an order once.
    pub(crate) async fn send(&self, api: u16, key: &str, card: &str, amount: i64) -> Option<(u16, Value)> {
        let (correlation, authorization) = (format!("corr-{key}"), format!("Bearer {TOKEN}"));
        let headers =
            [("Idempotency-Key", key), ("X-Correlation-Id", &*correlation), ("Authorization", &*authorization)];
        let body = json!({"customer": CUSTOMER, "card": card, "amount": amount, "currency": "EUR"}).to_string();
        self.call(Method::POST, api, "/orders", &headers, &body).await
    }

    /// An order that is accepted, and its id.
    pub(crate) async fn order(&self, api: u16, key: &str, card: &str) -> String {
        let (status, reply) = self.send(api, key, card, 1999).await.unwrap();
        assert_eq!(status, 201, "{reply}");
        reply["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn replay(&self, api: u16, order: &str) -> (u16, Value) {
        self.call(Method::POST, api, &format!("/orders/{order}/replay"), &[], "").await.unwrap()
    }

    /// State and version of an order.
    pub(crate) async fn state(&self, order: &str) -> (String, i64) {
        let Some(found) = self.get(1, &format!("/orders/{order}")).await else { return (String::new(), 0) };
        (found["state"].as_str().unwrap().to_owned(), found["version"].as_i64().unwrap())
    }

    #[track_caller]
    pub(crate) fn becomes(&self, order: &str, state: &str) -> impl Future<Output = ()> {
        let what = format!("{order} becomes {state}");
        async move { until(&what, async || self.state(order).await.0 == state).await }
    }

    pub(crate) async fn letters(&self) -> Vec<Value> {
        let found = self.get(2, "/dead-letters").await.unwrap_or_default();
        found["letters"].as_array().cloned().unwrap_or_default()
    }

    pub(crate) async fn produce(&self, partition: i32, key: &str, value: &[u8]) {
        let broker = self.stack.kafka().address().to_string();
        let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", broker).create().unwrap();
        producer.send(FutureRecord::to(TOPIC).payload(value).key(key).partition(partition), DEADLINE).await.unwrap();
    }

    /// Everything in the topic so far.
    pub(crate) fn records(&self) -> Vec<Record> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.stack.kafka().address().to_string()).set("group.id", "test");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut assignment = TopicPartitionList::new();
        let mut expected = 0;
        for partition in 0..PARTITIONS {
            assignment.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
            expected += consumer.fetch_watermarks(TOPIC, partition, DEADLINE).unwrap().1;
        }
        consumer.assign(&assignment).unwrap();
        let end = Instant::now() + DEADLINE;
        let mut records = Vec::new();
        while i64::try_from(records.len()).unwrap() < expected {
            assert!(Instant::now() < end, "only {} of {expected} records", records.len());
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
            let header =
                message.headers().and_then(|headers| headers.iter().find(|header| header.key == "correlation-id"));
            records.push(Record {
                key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
                value: message.payload().unwrap_or_default().to_owned(),
                correlation: header.map(|header| String::from_utf8_lossy(header.value.unwrap()).into_owned()),
            });
        }
        records
    }

    /// The versions and states that the topic tells of an order, first deliveries only.
    pub(crate) fn told(&self, order: &str) -> Vec<(i64, String)> {
        let mut ids = Vec::new();
        let mut told = Vec::new();
        for record in self.records() {
            let Ok(event) = serde_json::from_slice::<Value>(&record.value) else { continue };
            if event["order"] == order && !ids.contains(&event["id"]) {
                ids.push(event["id"].clone());
                told.push((event["version"].as_i64().unwrap(), event["state"].as_str().unwrap().to_owned()));
            }
        }
        told
    }

    /// Waits until the topic tells that an order is paid, and that all before it was told in order.
    pub(crate) async fn paid_in_order(&self, order: &str) {
        let expected = [(1, "CREATED"), (2, "PAYMENT_PENDING"), (3, "PAID")].map(|(n, state)| (n, state.to_owned()));
        until("all events are published", async || self.told(order).len() >= expected.len()).await;
        assert_eq!(self.told(order), expected, "{order}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for (name, child) in &mut self.processes {
            let _ = child.kill();
            let _ = child.wait();
            if std::thread::panicking() {
                let log = fs::read_to_string(self.stack.directory().join(format!("{name}.log"))).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                eprintln!("--- {name}\n{}", lines[lines.len().saturating_sub(25)..].join("\n"));
            }
        }
    }
}

/// Waits for a condition, with a deadline.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition().await {
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
