//! What a gateway answers, and what the history is told of it.

use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::book::{Charged, Refunded};

/// An answer that has been decided on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    /// What this call has brought about.
    pub(super) effect: Option<String>,
    /// What an earlier call had brought about.
    pub(super) same_as: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

impl Answer {
    pub(super) fn error(status: StatusCode, why: &str) -> Self {
        Self { status, body: json!({ "error": why }), effect: None, same_as: None, retry_after: None }
    }

    pub(super) fn found(body: Value) -> Self {
        Self { body, status: StatusCode::OK, ..Self::error(StatusCode::OK, "") }
    }

    /// Whole seconds, as the header has them; at least one.
    pub(super) fn throttled(wait: Duration) -> Self {
        let wait = Duration::from_secs(wait.as_secs().max(1));
        Self { retry_after: Some(wait), ..Self::error(StatusCode::TOO_MANY_REQUESTS, "too many requests") }
    }

    pub(super) fn charged(charged: Charged) -> Self {
        let succeeded = |id: &str| Self {
            status: StatusCode::CREATED,
            body: json!({ "id": id, "status": "succeeded" }),
            ..Self::error(StatusCode::CREATED, "")
        };
        match charged {
            Charged::New(id) => Self { effect: Some(id.clone()), ..succeeded(&id) },
            Charged::Same(id) => Self { same_as: Some(id.clone()), ..succeeded(&id) },
            Charged::Declined => Self {
                body: json!({ "status": "declined", "error": "card declined" }),
                ..Self::error(StatusCode::PAYMENT_REQUIRED, "")
            },
            Charged::Mismatch => Self::error(StatusCode::CONFLICT, "the key stands for another charge"),
            Charged::Full => Self::error(StatusCode::INSUFFICIENT_STORAGE, "no room for more charges"),
        }
    }

    pub(super) fn refunded(refunded: Refunded, charge: &str) -> Self {
        match refunded {
            Refunded::New(id) => Self {
                body: json!({ "id": id, "charge": charge }),
                effect: Some(id),
                ..Self::error(StatusCode::CREATED, "")
            },
            Refunded::Already => Self::error(StatusCode::CONFLICT, "refunded already"),
            Refunded::Unknown => Self::error(StatusCode::NOT_FOUND, "no such charge"),
        }
    }

    /// The same deed, but the caller hears of a failure.
    pub(super) fn into_failure(self) -> Self {
        let failure = Self::error(StatusCode::INTERNAL_SERVER_ERROR, "internal error");
        Self { effect: self.effect, same_as: self.same_as, ..failure }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.body)).into_response();
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, wait.as_secs().into());
        }
        response
    }
}
