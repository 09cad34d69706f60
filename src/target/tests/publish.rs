//! Records for a target to consume, against librdkafka's mock broker: good enough for our own client code, not for verdicts.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use expect_test::{Expect, expect};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Headers as _;
use rdkafka::mocking::MockCluster;
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::history::{Call, Doubt, InstanceName, Outcome};
use crate::profile::ledger::Ledger;
use crate::profile::ordering::Ordering;
use crate::target::{Driver, ManifestError, Target, parse};

const PATIENCE: Duration = Duration::from_secs(10);
const TOPIC: &str = "run7.movements";
const SOURCE: &str =
    "[kafka]\ntopics = [{ name = \"{{ prefix }}movements\" }]\n[source]\ntopic = \"{{ prefix }}movements\"\n";

fn target(profile: &str, more: &str) -> Result<Target, ManifestError> {
    let text = format!(
        "name = \"acme\"\nprofiles = [\"{profile}\"]\n\n[role.api]\ncommand = [\"sh\"]\nready = \"GET /health\"\n{more}"
    );
    parse::target("target.toml", &text, PathBuf::from("/acme"), &[&Ledger, &Ordering])
}

fn check(profile: &str, more: &str, expected: Expect) {
    expected.assert_eq(&target(profile, more).map(|target| target.name).unwrap_or_else(|error| error.to_string()));
}

fn api() -> InstanceName {
    InstanceName { role: "api".into(), number: 1 }
}

fn driver(brokers: &str, more: &str) -> Driver {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let target = target("ordering", &format!("{SOURCE}{more}")).unwrap_or_else(|error| panic!("{error}"));
    let driver = Driver::new(&target, &Ordering, BTreeMap::from([(api(), nowhere)]), "postgres://unused").unwrap();
    driver.publishing(brokers, "run7.").unwrap()
}

fn publish() -> Call {
    let fields = json!({ "key": "k-1", "entity": "e-7", "sequence": 3, "amount": 250, "at": "2026-01-01T00:00:00Z" });
    Call { operation: "publish".into(), fields: fields.as_object().unwrap().clone(), raw: None }
}

/// The key, the value and the headers of the first record.
fn first(cluster: &MockCluster<'_, impl rdkafka::producer::ProducerContext>) -> (String, Value, Vec<(String, String)>) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "test")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let record = consumer.poll(PATIENCE).unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let headers = record.headers().into_iter().flat_map(|headers| headers.iter());
    let headers = headers.map(|header| (header.key.to_owned(), text(header.value.unwrap()))).collect();
    (text(record.key().unwrap()), serde_json::from_slice(record.payload().unwrap()).unwrap(), headers)
}

#[tokio::test]
async fn a_call_becomes_a_record_and_says_where_it_is() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let driver = driver(&cluster.bootstrap_servers(), "");
    for offset in 0..2 {
        let reply = json!({ "partition": 0, "offset": offset }).as_object().unwrap().clone();
        assert_eq!(driver.call(&api(), &publish(), PATIENCE).await, Outcome::Ok { status: 0, reply });
    }
    let value = json!({ "id": "k-1", "entity": "e-7", "sequence": 3, "amount": 250, "at": "2026-01-01T00:00:00Z" });
    assert_eq!(first(&cluster), ("e-7".to_owned(), value, Vec::new()));
}

#[tokio::test]
async fn a_manifest_says_what_a_record_looks_like() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let more = "[ordering.publish]\nkey = \"acct/{{ entity }}\"\nheaders = { seq = \"{{ sequence }}\" }\n\
                body = { meta = { id = \"{{ key }}\", v = 2 }, delta = \"{{ amount }}\" }";
    driver(&cluster.bootstrap_servers(), more).call(&api(), &publish(), PATIENCE).await;
    let value = json!({ "meta": { "id": "k-1", "v": 2 }, "delta": 250 });
    assert_eq!(first(&cluster), ("acct/e-7".to_owned(), value, vec![("seq".to_owned(), "3".to_owned())]));
}

#[tokio::test]
async fn without_a_broker_nobody_knows_and_without_a_topic_it_was_not_sent() {
    let outcome = driver("127.0.0.1:1", "").call(&api(), &publish(), Duration::from_millis(100)).await;
    assert_eq!(outcome, Outcome::Unknown(Doubt::Timeout));
    let mut lacking = publish();
    lacking.fields.remove("entity");
    let outcome = driver("127.0.0.1:1", "").call(&api(), &lacking, PATIENCE).await;
    assert!(matches!(outcome, Outcome::Refused { status: None, .. }), "{outcome:?}");
}

#[test]
fn a_topic_to_publish_to() {
    check("ordering", SOURCE, expect!["acme"]);
    check(
        "ordering",
        "",
        expect![[r#"
        target.toml:1:1: it is not said where callers of the profile `ordering` publish
          |
        1 | name = "acme"
          | ^
          = add `[source]` with the `topic` that the target consumes from"#]],
    );
    check(
        "ledger",
        SOURCE,
        expect![[r#"
        target.toml:9:2: no profile of the target has callers that publish
          |
        9 | [source]
          |  ^^^^^^"#]],
    );
    check(
        "ordering",
        "[source]\ntopic = \"{{ prefix }}other\"",
        expect![[r#"
        target.toml:8:9: this topic is not created by anybody
          |
        8 | topic = "{{ prefix }}other"
          |         ^^^^^^^^^^^^^^^^^^^
          = add it to `topics` of `[kafka]`"#]],
    );
    check(
        "ordering",
        &format!("{SOURCE}[ordering.publish]\nbody = {{ a = \"{{{{ amnt }}}}\" }}"),
        expect![[r#"
        target.toml:12:14: unknown template variable `amnt`
           |
        12 | body = { a = "{{ amnt }}" }
           |              ^^^^^^^^^^^^
           = variables here: `amount`, `at`, `entity`, `key`, `sequence`"#]],
    );
}
