use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::*;
use crate::fault::{Does, Pick};
use crate::history::{Played, What};

/// A gateway and one that calls it.
struct World {
    gateway: Gateway,
    recorder: Arc<Recorder>,
    client: Client,
    url: String,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let recorder = Arc::new(Recorder::create(&folder.path().join("history.jsonl")).expect("a history"));
        let gateway = Gateway::new(Arc::clone(&recorder), 1);
        let worker = InstanceName { role: "worker".into(), number: 2 };
        let url = format!("http://{}", gateway.listen(worker).await.expect("a port"));
        Self { gateway, recorder, client: Client::new(), url, _folder: folder }
    }

    async fn charge(&self, key: &str, body: &Value) -> Response {
        let request = self.client.post(format!("{}/charges", self.url)).header("Idempotency-Key", key);
        request.body(body.to_string()).send().await.expect("an answer")
    }

    fn played(&self) -> Vec<Played> {
        let events = self.recorder.snapshot().events;
        events.into_iter().filter_map(|event| if let What::Played(it) = event.what { Some(it) } else { None }).collect()
    }

    fn effects(&self) -> Vec<Option<String>> {
        self.played().into_iter().map(|played| played.effect).collect()
    }
}

fn order(card: &str) -> Value {
    json!({ "order": "o-1", "amount": 1999, "currency": "EUR", "card": card })
}

const GOOD: &str = "4242424242424242";

#[tokio::test]
async fn a_charge_under_one_key_is_made_once_and_the_card_is_told_to_nobody() {
    let world = World::new().await;
    let first = world.charge("k", &order(GOOD)).await;
    assert_eq!(first.status(), 201);
    assert_eq!(first.text().await.expect("a body"), r#"{"id":"ch-1","status":"succeeded"}"#);
    assert_eq!(world.charge("k", &order(GOOD)).await.status(), 201);
    assert_eq!(world.charge("k", &order("4242")).await.status(), 409);
    let played = world.played();
    assert_eq!(world.effects(), [Some("ch-1".to_owned()), None, None]);
    assert_eq!(played[1].same_as.as_deref(), Some("ch-1"));
    assert_eq!(played[0].from.to_string(), "worker-2");
    assert_eq!(Value::Object(played[0].fields.clone()), json!({ "order": "o-1", "amount": 1999, "currency": "EUR" }));
    let found = world.client.get(format!("{}/charges?order=o-1", world.url)).send().await.expect("an answer");
    let found: Value = serde_json::from_str(&found.text().await.expect("a body")).expect("JSON");
    assert_eq!(found["charges"][0]["id"], "ch-1");
}

#[tokio::test]
async fn declines_bad_bodies_and_refunds() {
    let world = World::new().await;
    assert_eq!(world.charge("k", &order("4000000000000002")).await.status(), 402);
    for bad in [json!({}), json!([1]), json!({ "order": "", "amount": 5, "currency": "EUR", "card": "1" })] {
        assert_eq!(world.charge("b", &bad).await.status(), 400, "{bad}");
    }
    assert!(world.effects().iter().all(Option::is_none));
    assert_eq!(world.charge("l", &order(GOOD)).await.status(), 201);
    let refund = || world.client.post(format!("{}/charges/ch-1/refunds", world.url)).send();
    assert_eq!(refund().await.expect("an answer").status(), 201);
    assert_eq!(refund().await.expect("an answer").status(), 409);
}

#[tokio::test]
async fn what_it_does_wrong_is_told_as_it_was() {
    let world = World::new().await;
    let cases = [
        (Does::Fail, 500, None),
        (Does::FailAfter, 500, Some("ch-1")),
        (Does::Throttle(Duration::from_millis(1_200)), 429, None),
        (Does::Decline, 402, None),
    ];
    for (number, (does, status, effect)) in cases.into_iter().enumerate() {
        let wrong = world.gateway.misbehave(AtGateway { does, pick: Pick::Nth(1) });
        let answer = world.charge(&format!("k-{number}"), &order(GOOD)).await;
        assert_eq!(answer.status(), status, "{does:?}");
        let wait = answer.headers().get("retry-after").map(|wait| wait.to_str().expect("text").to_owned());
        assert_eq!(wait.as_deref(), (status == 429).then_some("1"), "{does:?}");
        assert_eq!(world.effects().pop().flatten().as_deref(), effect, "{does:?}");
        assert!(wrong.bite().is_some());
    }
}

#[tokio::test]
async fn a_late_charge_is_made_though_nobody_waits_and_a_slow_answer_comes_after_the_deed() {
    let world = World::new().await;
    let _late = world.gateway.misbehave(AtGateway { does: Does::Late(Duration::from_millis(80)), pick: Pick::Nth(1) });
    let request = world.client.post(format!("{}/charges", world.url)).timeout(Duration::from_millis(20));
    assert!(request.body(order(GOOD).to_string()).send().await.is_err());
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while world.effects().is_empty() && std::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(world.effects(), [Some("ch-1".to_owned())]);

    let _slow = world.gateway.misbehave(AtGateway { does: Does::Slow(Duration::from_secs(60)), pick: Pick::Nth(1) });
    let request = world.client.post(format!("{}/charges", world.url)).timeout(Duration::from_millis(200));
    assert!(request.body(order(GOOD).to_string()).send().await.is_err());
    assert_eq!(world.effects().len(), 2, "the deed does not wait for its answer");
}

#[tokio::test]
async fn a_closed_gateway_does_nothing_any_more() {
    let world = World::new().await;
    let _late = world.gateway.misbehave(AtGateway { does: Does::Late(Duration::from_secs(3_600)), pick: Pick::Every });
    let request = world.client.post(format!("{}/charges", world.url)).timeout(Duration::from_millis(50));
    assert!(request.body(order(GOOD).to_string()).send().await.is_err());
    tokio::time::timeout(Duration::from_secs(10), world.gateway.close()).await.expect("nothing is left under way");
    assert!(world.effects().is_empty());
    assert!(world.client.get(format!("{}/health", world.url)).send().await.is_err());
}
