//! What the driver makes of targets that answer well, badly, or not at all.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::example::{Example, manifest, target};
use crate::history::{Call, Doubt, InstanceName, Outcome, RawBody};
use crate::target::exchange::REPLY_BYTES_MAX;
use crate::target::{Driver, Ready};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server that plays `act` on every connection once a whole request has arrived.
struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    task: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start<F>(act: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = request(&mut stream).await;
                seen.lock().unwrap().push(request);
                tokio::spawn(act(stream));
            }
        });
        Self { address, requests, task: task.abort_handle() }
    }

    /// Answers every connection with these bytes and closes it.
    async fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Arc<[u8]> = bytes.into().into();
        Self::start(move |mut stream| {
            let bytes = Arc::clone(&bytes);
            async move {
                stream.write_all(&bytes).await.ok();
                stream.shutdown().await.ok();
            }
        })
        .await
    }

    fn request(&self) -> String {
        self.requests.lock().unwrap().last().cloned().unwrap()
    }
}

/// One request with its body. The tests' bodies all have a `content-length`.
async fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            body.len() >= length.unwrap_or(0)
        });
        if whole || read == 0 {
            return text.into_owned();
        }
    }
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn api() -> InstanceName {
    InstanceName { role: "api".into(), number: 1 }
}

fn driver(address: SocketAddr, more: &str) -> Driver {
    let target = target(&manifest(more)).unwrap_or_else(|error| panic!("{error}"));
    Driver::new(&target, &Example, BTreeMap::from([(api(), address)]), "postgres://unused").unwrap()
}

fn call(operation: &str, fields: Value) -> Call {
    Call { operation: operation.into(), fields: fields.as_object().unwrap().clone(), raw: None }
}

fn transfer() -> Call {
    call("transfer", json!({"key": "k-1", "from": "a", "to": "b", "amount": 250}))
}

async fn outcome(bytes: impl Into<Vec<u8>>) -> Outcome {
    mapped_outcome("", bytes).await
}

async fn mapped_outcome(more: &str, bytes: impl Into<Vec<u8>>) -> Outcome {
    let server = Server::answering(bytes).await;
    driver(server.address, more).call(&api(), &transfer(), PATIENCE).await
}

#[track_caller]
fn unreadable(outcome: &Outcome, word: &str) {
    match outcome {
        Outcome::Unknown(Doubt::Unreadable(why)) if why.contains(word) => {
            assert!(why.chars().count() < 400 && !why.chars().any(char::is_control), "{why:?}");
        }
        other => panic!("expected an unreadable reply with `{word}`, got {other:?}"),
    }
}

#[track_caller]
fn reset(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Unknown(Doubt::Reset(_))), "{outcome:?}");
}

fn refused(status: u16, why: &str, reply: &Value) -> Outcome {
    Outcome::Refused { status: Some(status), why: why.into(), reply: reply.as_object().unwrap().clone() }
}

#[tokio::test]
async fn a_call_becomes_the_request_of_the_contract() {
    let server = Server::answering(http("201 Created", r#"{"id":"t-1","status":"posted","extra":1}"#)).await;
    let outcome = driver(server.address, "").call(&api(), &transfer(), PATIENCE).await;
    let reply = json!({"transfer": "t-1", "status": "posted"}).as_object().unwrap().clone();
    assert_eq!(outcome, Outcome::Ok { status: 201, reply });
    let request = server.request();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /transfers HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("idempotency-key: k-1\r\n") && head.contains("content-type: application/json"), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), json!({"from": "a", "to": "b", "amount": 250}));
}

#[tokio::test]
async fn absent_and_null_fields_are_left_out() {
    let server = Server::answering(http("400 Bad Request", "{}")).await;
    let driver = driver(server.address, "");
    driver.call(&api(), &call("transfer", json!({"from": "a", "to": null, "amount": "1.5"})), PATIENCE).await;
    let request = server.request();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(!head.contains("idempotency-key"), "{head}");
    assert_eq!(body, r#"{"from":"a","amount":"1.5"}"#);
}

#[tokio::test]
async fn a_mapped_operation_is_spelled_as_the_manifest_says() {
    let server = Server::answering(http("200 OK", r#"{"payment":{"id":7}}"#)).await;
    let more = r#"
        [ledger.transfer]
        request = "PUT /v2/{{ from }}/payments"
        headers = { "X-Key" = "key={{ key }}" }
        body = { money = { value = "{{ amount }}", text = "{{ amount }}.00", currency = "EUR" }, to = ["{{ to }}", 1, true] }
        reply = { transfer = "$.payment.id" }
    "#;
    let outcome = driver(server.address, more).call(&api(), &transfer(), PATIENCE).await;
    let reply = json!({"transfer": 7}).as_object().unwrap().clone();
    assert_eq!(outcome, Outcome::Ok { status: 200, reply });
    let request = server.request();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("PUT /v2/a/payments ") && head.contains("x-key: key=k-1"), "{head}");
    let expected = json!({"money": {"value": 250, "text": "250.00", "currency": "EUR"}, "to": ["b", 1, true]});
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), expected);
}

#[tokio::test]
async fn a_post_without_fields_has_an_empty_object_and_a_get_has_no_body() {
    let server = Server::answering(http("200 OK", r#"{"id":"r","balance":1}"#)).await;
    let driver = driver(server.address, "");
    driver.call(&api(), &call("reverse", json!({"transfer": "../t/1", "key": "k"})), PATIENCE).await;
    assert!(server.request().starts_with("POST /transfers/..%2Ft%2F1/reversals HTTP/1.1"), "{}", server.request());
    assert!(server.request().ends_with("\r\n\r\n{}"), "{}", server.request());
    driver.call(&api(), &call("balance", json!({"account": "a"})), PATIENCE).await;
    assert!(server.request().starts_with("GET /accounts/a HTTP/1.1") && server.request().ends_with("\r\n\r\n"));
}

#[tokio::test]
async fn raw_bodies_are_sent_as_they_are() {
    let server = Server::answering(http("400 Bad Request", "{}")).await;
    let driver = driver(server.address, "");
    let raw = Call { raw: Some(RawBody::Text("{\"amount\":1e400".into())), ..transfer() };
    driver.call(&api(), &raw, PATIENCE).await;
    assert!(server.request().ends_with("\r\n\r\n{\"amount\":1e400"), "{}", server.request());

    let padded = Call { raw: Some(RawBody::Padded { bytes: 100_000 }), ..transfer() };
    driver.call(&api(), &padded, PATIENCE).await;
    let request = server.request();
    let body = request.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(body.len(), 100_000);
    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["amount"], 250);
}

#[tokio::test]
async fn a_call_that_cannot_be_sent_is_refused() {
    let server = Server::answering(http("200 OK", "{}")).await;
    let driver = driver(server.address, "");
    for call in
        [call("balance", json!({})), call("transfer", json!({"key": "line\nbreak"})), call("nonsense", json!({}))]
    {
        let outcome = driver.call(&api(), &call, PATIENCE).await;
        assert!(
            matches!(&outcome, Outcome::Refused { status: None, why, .. } if why.starts_with("not sent: ")),
            "{outcome:?}"
        );
    }
    assert!(server.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nobody_listening_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let outcome = driver(address, "").call(&api(), &transfer(), PATIENCE).await;
    let why = "not sent: connection refused".to_owned();
    assert_eq!(outcome, Outcome::Refused { status: None, why, reply: serde_json::Map::new() });
}

#[tokio::test]
async fn refusals_keep_their_fields() {
    let declined = outcome(http("402 Payment Required", r#"{"id":"t-9","error":"insufficient_funds"}"#)).await;
    let fields = json!({"transfer": "t-9", "error": "insufficient_funds"});
    assert_eq!(declined, refused(402, "insufficient_funds", &fields));
    assert_eq!(outcome(http("404 Not Found", "")).await, refused(404, "status 404", &json!({})));
    let html = outcome(http("404 Not Found", "<h1>no</h1>")).await;
    assert_eq!(html, refused(404, "status 404: <h1>no</h1>", &json!({})));
}

#[tokio::test]
async fn an_error_word_is_made_harmless() {
    let word = format!("\\u001b[31m{}", "x".repeat(1_000));
    match outcome(http("400 Bad Request", &format!(r#"{{"error":"{word}"}}"#))).await {
        Outcome::Refused { why, .. } => {
            assert!(why.starts_with("\\u{1b}[31mxxx") && why.chars().count() < 220, "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn statuses_that_say_nothing() {
    for status in [408, 425, 429, 500, 503, 301, 302, 307] {
        let answer = format!("HTTP/1.1 {status} X\r\nlocation: /elsewhere\r\ncontent-length: 4\r\n\r\noh\x07!");
        let expected = Doubt::Status { status, body: "oh\\u{7}!".into() };
        assert_eq!(outcome(answer).await, Outcome::Unknown(expected));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server =
        Server::answering("HTTP/1.1 307 X\r\nlocation: /transfers\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    driver(server.address, "").call(&api(), &transfer(), PATIENCE).await;
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_manifest_moves_statuses() {
    let more = "[ledger.transfer]\nrefused = [503]\nunknown = [409]\n";
    let moved = mapped_outcome(more, http("503 X", r#"{"error":"closed"}"#)).await;
    assert_eq!(moved, refused(503, "closed", &json!({"error": "closed"})));
    let moved = mapped_outcome(more, http("409 X", "busy")).await;
    assert_eq!(moved, Outcome::Unknown(Doubt::Status { status: 409, body: "busy".into() }));
}

#[tokio::test]
async fn unreadable_successes() {
    unreadable(&outcome(http("200 OK", "<html>\u{1b}[2J<body>Welcome</body></html>")).await, "not JSON");
    unreadable(&outcome(http("200 OK", "")).await, "no `transfer` at `$.id` in an empty body");
    unreadable(&outcome(http("200 OK", r#"{"id":null}"#)).await, "no `transfer` at");
    unreadable(&outcome(http("200 OK", &"[".repeat(10_000))).await, "recursion limit");
    let mut invalid = http("200 OK", "xxx").into_bytes();
    invalid.truncate(invalid.len() - 3);
    invalid.extend([0xff, 0xfe, b'"']);
    unreadable(&outcome(invalid).await, "not UTF-8");
}

#[tokio::test]
async fn what_is_not_http_at_all() {
    unreadable(&outcome("SSH-2.0-OpenSSH_9.2\r\n".to_owned()).await, "not HTTP");
    unreadable(&outcome("HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{}".to_owned()).await, "not HTTP");
    unreadable(&outcome(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(4 << 20))).await, "not HTTP");
    unreadable(&outcome(format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(10_000))).await, "not HTTP");
}

#[tokio::test]
async fn replies_that_stop_too_early() {
    reset(&outcome(Vec::new()).await);
    reset(&outcome("HTTP/1.1 200 OK\r\ncontent-le".to_owned()).await);
    reset(&outcome("HTTP/1.1 201 X\r\ncontent-length: 100\r\n\r\n{\"id\":\"t-1\"}".to_owned()).await);
    reset(&outcome("HTTP/1.1 402 X\r\ncontent-length: 100\r\n\r\n{\"id\":\"t-1\"}".to_owned()).await);
    reset(&outcome("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n".to_owned()).await);
}

#[tokio::test]
async fn a_reset_in_the_middle_of_a_body() {
    let server = Server::start(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
        stream.set_zero_linger().unwrap();
    })
    .await;
    reset(&driver(server.address, "").call(&api(), &transfer(), PATIENCE).await);
}

#[tokio::test]
async fn an_endless_body_is_given_up_and_its_connection_closed() {
    let (ended, end) = tokio::sync::oneshot::channel();
    let ended = Arc::new(Mutex::new(Some(ended)));
    let server = Server::start(move |mut stream| {
        let ended = ended.lock().unwrap().take();
        async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
            let mut sent = 0;
            while stream.write_all(chunk.as_bytes()).await.is_ok() {
                sent += chunk.len();
            }
            ended.unwrap().send(sent).ok();
        }
    })
    .await;
    let outcome = driver(server.address, "").call(&api(), &transfer(), PATIENCE).await;
    unreadable(&outcome, &format!("body longer than {REPLY_BYTES_MAX} bytes"));
    // The socket's buffers hold some more than was read.
    let sent = tokio::time::timeout(PATIENCE, end).await.expect("the connection is still open").unwrap();
    assert!(sent < 64 << 20, "{sent} bytes were taken");
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_not_read() {
    let announced = outcome("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{".to_owned()).await;
    unreadable(&announced, "body longer than");
}

/// One byte at a time resets no deadline: it covers the whole reply.
#[tokio::test]
async fn a_trickle_does_not_outlast_the_deadline() {
    let server = Server::start(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await.unwrap();
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        while stream.write_all(b" ").await.is_ok() {
            tick.tick().await;
        }
    })
    .await;
    let outcome = driver(server.address, "").call(&api(), &transfer(), Duration::from_millis(100)).await;
    assert_eq!(outcome, Outcome::Unknown(Doubt::Timeout));
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let server = Server::start(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let outcome = driver(server.address, "").call(&api(), &transfer(), Duration::from_millis(50)).await;
    assert_eq!(outcome, Outcome::Unknown(Doubt::Timeout));
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::start(|mut stream| async move {
        loop {
            stream.write_all(http("200 OK", r#"{"id":"t"}"#).as_bytes()).await.ok();
            if request(&mut stream).await.is_empty() {
                return;
            }
        }
    })
    .await;
    let driver = driver(server.address, "");
    for _ in 0..3 {
        let outcome = driver.call(&api(), &transfer(), PATIENCE).await;
        assert!(matches!(outcome, Outcome::Ok { .. }), "{outcome:?}");
    }
    assert_eq!(server.requests.lock().unwrap().len(), 1, "one connection for all");
}

#[tokio::test]
async fn readings_through_the_api() {
    let server = Server::answering(http("200 OK", r#"{"entries":[{"sequence":1},{"sequence":2}]}"#)).await;
    let rows = driver(server.address, "").read("journal", PATIENCE).await.unwrap();
    assert_eq!(rows, [json!({"sequence": 1}), json!({"sequence": 2})]);

    let server = Server::answering(http("500 X", "oops")).await;
    let error = driver(server.address, "").read("journal", PATIENCE).await.unwrap_err().to_string();
    assert_eq!(error, "failed to read the journal: api-1: status 500: oops");

    let server = Server::answering(http("200 OK", r#"{"entries":{}}"#)).await;
    let error = driver(server.address, "").read("journal", PATIENCE).await.unwrap_err().to_string();
    assert!(error.ends_with("the field `rows` is not a list"), "{error}");
}

#[tokio::test]
async fn a_reading_asks_the_next_instance() {
    let silent = Server::start(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let good = Server::answering(http("200 OK", r#"{"entries":[]}"#)).await;
    let second = InstanceName { role: "api".into(), number: 2 };
    let addresses = BTreeMap::from([(api(), silent.address), (second, good.address)]);
    let driver = Driver::new(&target(&manifest("")).unwrap(), &Example, addresses, "").unwrap();
    assert_eq!(driver.read("journal", Duration::from_secs(1)).await.unwrap(), Vec::<Value>::new());
}

#[tokio::test]
async fn ready_probes() {
    let good = Server::answering(http("204 No Content", "")).await;
    let bad = Server::answering(http("503 X", "starting")).await;
    let health = Ready::Http("/health".into());
    Driver::ready(good.address, &health).await.unwrap();
    assert!(good.request().starts_with("GET /health HTTP/1.1"));
    let error = Driver::ready(bad.address, &health).await.unwrap_err().to_string();
    assert_eq!(error, "GET /health: status 503: starting");
    Driver::ready(bad.address, &Ready::Port).await.unwrap();

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert!(Driver::ready(closed, &Ready::Port).await.is_err());
    assert!(Driver::ready(closed, &health).await.is_err());
    Driver::ready(closed, &Ready::Running).await.unwrap();
}

#[test]
fn a_driver_needs_an_instance_that_takes_requests() {
    let relay = InstanceName { role: "relay".into(), number: 1 };
    let addresses = BTreeMap::from([(relay, SocketAddr::from(([127, 0, 0, 1], 1)))]);
    let error = Driver::new(&target(&manifest("")).unwrap(), &Example, addresses, "").unwrap_err().to_string();
    assert_eq!(error, "the run has no instance of the role `api` that takes requests");
}
