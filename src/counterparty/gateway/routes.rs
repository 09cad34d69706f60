//! From an HTTP request to a deed of the gateway and its line in the history.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio_util::task::TaskTracker;

use super::Shared;
use super::answer::Answer;
use super::book::{Asking, is_declined};
use crate::fault::{Asked, Does};
use crate::history::{InstanceName, Moment, Played, What};

/// The largest body that is read, in bytes.
const BODY_BYTES_MAX: usize = 64 << 10;

/// The longest text of a caller that is kept, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// What a listener knows.
#[derive(Clone)]
struct Front {
    shared: Arc<Shared>,
    from: InstanceName,
    tasks: TaskTracker,
}

/// A call as it came.
struct Call {
    front: Front,
    asked: Asked,
    received: Moment,
    headers: HeaderMap,
    fields: Map<String, Value>,
}

pub(super) fn router(shared: Arc<Shared>, from: InstanceName, tasks: TaskTracker) -> Router {
    Router::new()
        .route("/charges", post(charge).get(lookup))
        .route("/charges/{charge}/refunds", post(refund))
        .route("/health", get(|| async { StatusCode::OK }))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Front { shared, from, tasks })
}

/// The body of a charge.
#[derive(Deserialize)]
struct ChargeBody {
    order: String,
    amount: i64,
    currency: String,
    card: String,
}

async fn charge(State(front): State<Front>, headers: HeaderMap, body: Bytes) -> Answer {
    let body: Result<ChargeBody, _> = serde_json::from_slice(&body);
    let fields = match &body {
        // Never the card.
        Ok(body) => Map::from_iter([
            ("order".to_owned(), text(&body.order)),
            ("amount".to_owned(), body.amount.into()),
            ("currency".to_owned(), text(&body.currency)),
        ]),
        Err(_) => Map::new(),
    };
    let call = front.call(Asked::Charge, headers, fields);
    let asking = match body {
        Ok(ChargeBody { order, amount, currency, card }) if amount > 0 && !order.is_empty() => {
            Asking { order, amount, currency, card }
        }
        Ok(_) => return call.settled(Answer::error(StatusCode::BAD_REQUEST, "no order, or no positive amount")),
        Err(error) => return call.settled(Answer::error(StatusCode::BAD_REQUEST, &error.to_string())),
    };
    let key = call.header("idempotency-key");
    call.answer(move |shared, does| {
        let key = key.as_deref().filter(|_| does != Some(Does::ForgetKeys));
        let declined = does == Some(Does::Decline) || is_declined(&asking.card);
        Answer::charged(shared.book().charge(key, asking, declined))
    })
    .await
}

async fn refund(State(front): State<Front>, Path(charge): Path<String>, headers: HeaderMap) -> Answer {
    let fields = Map::from_iter([("charge".to_owned(), text(&charge))]);
    let call = front.call(Asked::Refund, headers, fields);
    call.answer(move |shared, _| Answer::refunded(shared.book().refund(&charge), &charge)).await
}

/// The query of a lookup.
#[derive(Deserialize)]
struct LookupQuery {
    order: String,
}

async fn lookup(State(front): State<Front>, headers: HeaderMap, Query(query): Query<LookupQuery>) -> Answer {
    let fields = Map::from_iter([("order".to_owned(), text(&query.order))]);
    let call = front.call(Asked::Lookup, headers, fields);
    call.answer(move |shared, _| Answer::found(shared.book().lookup(&query.order))).await
}

impl Front {
    fn call(&self, asked: Asked, headers: HeaderMap, fields: Map<String, Value>) -> Call {
        let received = self.shared.recorder.now();
        Call { front: self.clone(), asked, received, headers, fields }
    }
}

impl Call {
    fn header(&self, name: &str) -> Option<String> {
        let text = self.headers.get(name)?.to_str().ok()?;
        Some(cut(text).to_owned())
    }

    /// Does what was asked, unless a fault has it otherwise. The deed does not depend on whether the caller still listens.
    async fn answer(self, deed: impl FnOnce(&Shared, Option<Does>) -> Answer + Send + 'static) -> Answer {
        let tasks = self.front.tasks.clone();
        let closed = self.front.shared.closed.clone();
        let doing = tasks.spawn(async move { closed.run_until_cancelled(self.carry_out(deed)).await });
        let over = || Answer::error(StatusCode::SERVICE_UNAVAILABLE, "the run is over");
        doing.await.ok().flatten().unwrap_or_else(over)
    }

    async fn carry_out(self, deed: impl FnOnce(&Shared, Option<Does>) -> Answer) -> Answer {
        let shared = Arc::clone(&self.front.shared);
        let does = shared.misbehaviours.at(self.asked);
        match does {
            Some(Does::Fail) => {
                return self.settled(Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "internal error"));
            }
            Some(Does::Throttle(wait)) => return self.settled(Answer::throttled(wait)),
            Some(Does::Late(by)) => tokio::time::sleep(by).await,
            _ => {}
        }
        let answer = deed(&shared, does);
        let answer = if does == Some(Does::FailAfter) { answer.into_failure() } else { answer };
        let answer = self.settled(answer);
        if let Some(Does::Slow(by)) = does {
            tokio::time::sleep(by).await;
        }
        answer
    }

    /// Writes down what was decided, at the moment of the deed: it stands even if nobody hears of it.
    fn settled(&self, answer: Answer) -> Answer {
        let operation = match self.asked {
            Asked::Charge => "charge",
            Asked::Refund => "refund",
            Asked::Lookup => "lookup",
        };
        self.front.shared.recorder.record(What::Played(Played {
            of: "gateway".to_owned(),
            from: self.front.from.clone(),
            received: self.received,
            operation: operation.to_owned(),
            key: self.header("idempotency-key"),
            correlation: self.header("x-correlation-id"),
            fields: self.fields.clone(),
            effect: answer.effect.clone(),
            same_as: answer.same_as.clone(),
            status: Some(answer.status.as_u16()),
            retry_after: answer.retry_after,
        }));
        answer
    }
}

fn text(text: &str) -> Value {
    cut(text).into()
}

/// At most so many bytes of a text, whole characters.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}
