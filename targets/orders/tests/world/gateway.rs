//! A payment gateway that does as it is told.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What it does with a charge instead of charging and saying so.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mood {
    /// 500, and no charge.
    Fails,
    /// Charges, and answers after so long.
    ChargesThenWaits(Duration),
    /// Waits for so long, and charges then.
    WaitsThenCharges(Duration),
    /// 429 with this many seconds.
    Throttles(u32),
}

/// A charge that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) order: String,
    pub(crate) key: Option<String>,
    pub(crate) correlation: Option<String>,
    pub(crate) at: Instant,
}

#[derive(Default)]
struct Book {
    forgets_keys: bool,
    moods: VecDeque<Mood>,
    calls: Vec<Call>,
    /// Order, key, and whether it succeeded.
    charges: Vec<(String, Option<String>, bool)>,
}

#[derive(Clone, Default)]
pub(crate) struct Gateway {
    book: Arc<Mutex<Book>>,
    pub(crate) address: Option<SocketAddr>,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = Self { address: Some(listener.local_addr().unwrap()), ..Self::default() };
        let routes = Router::new().route("/charges", get(look).post(charge)).with_state(gateway.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        gateway
    }

    /// What it does with the next charges, one after the other.
    pub(crate) fn will(&self, moods: &[Mood]) {
        self.book.lock().unwrap().moods.extend(moods);
    }

    pub(crate) fn forgets_keys(&self) {
        self.book.lock().unwrap().forgets_keys = true;
    }

    pub(crate) fn calls(&self, order: &str) -> Vec<Call> {
        let book = self.book.lock().unwrap();
        book.calls.iter().filter(|call| call.order == order).cloned().collect()
    }

    /// How many successful charges an order has.
    pub(crate) fn charged(&self, order: &str) -> usize {
        self.book.lock().unwrap().charges.iter().filter(|(of, _, good)| of == order && *good).count()
    }

    fn act(&self, body: &Value, key: Option<String>) -> Response {
        let mut book = self.book.lock().unwrap();
        let order = body["order"].as_str().unwrap().to_owned();
        let known = book.charges.iter().find(|(_, of, _)| !book.forgets_keys && of.is_some() && *of == key);
        let good = known.map_or_else(|| !body["card"].as_str().unwrap().starts_with("4000"), |(_, _, good)| *good);
        if known.is_none() {
            book.charges.push((order, key, good));
        }
        let status = if good { StatusCode::CREATED } else { StatusCode::PAYMENT_REQUIRED };
        (status, json!({"id": "c", "status": if good { "succeeded" } else { "declined" }}).to_string()).into_response()
    }
}

async fn charge(State(gateway): State<Gateway>, headers: HeaderMap, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).unwrap();
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let key = header("idempotency-key");
    let mood = {
        let mut book = gateway.book.lock().unwrap();
        let order = body["order"].as_str().unwrap().to_owned();
        book.calls.push(Call { order, key: key.clone(), correlation: header("x-correlation-id"), at: Instant::now() });
        book.moods.pop_front()
    };
    // As a task of its own: it goes on when the caller has hung up.
    let work = tokio::spawn(async move {
        match mood {
            None => gateway.act(&body, key),
            Some(Mood::Fails) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Some(Mood::Throttles(seconds)) => {
                (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())]).into_response()
            }
            Some(Mood::ChargesThenWaits(time)) => {
                let response = gateway.act(&body, key);
                tokio::time::sleep(time).await;
                response
            }
            Some(Mood::WaitsThenCharges(time)) => {
                tokio::time::sleep(time).await;
                gateway.act(&body, key)
            }
        }
    });
    work.await.unwrap()
}

async fn look(State(gateway): State<Gateway>, Query(query): Query<HashMap<String, String>>) -> String {
    let book = gateway.book.lock().unwrap();
    let of_order = book.charges.iter().filter(|(order, _, _)| *order == query["order"]);
    let view = |(order, _, good): &(String, Option<String>, bool)| json!({"id": "c", "order": order, "status": if *good { "succeeded" } else { "declined" }});
    json!({"charges": of_order.map(view).collect::<Vec<_>>()}).to_string()
}
