//! Refusals and failures as callers see them: `{"error": "…"}`.
//!
//! A 4xx is a promise that nothing happened. What may have happened is a 503.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::page;
use crate::orders::OrdersError;

/// A reply that says no, or says nothing.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    error: String,
}

impl ApiError {
    /// With a status and a word for programs.
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into() }
    }

    /// The request is not of the right shape.
    pub(super) fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// The request is understood, and cannot be meant.
    pub(super) fn unprocessable(error: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error)
    }
}

impl From<OrdersError> for ApiError {
    fn from(error: OrdersError) -> Self {
        let status = match &error {
            OrdersError::UnknownOrder | OrdersError::NothingToReplay => StatusCode::NOT_FOUND,
            OrdersError::KeyReuse => StatusCode::CONFLICT,
            OrdersError::NoBroker => StatusCode::SERVICE_UNAVAILABLE,
            OrdersError::Store(error) => {
                tracing::warn!(%error, "the outcome is open");
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
            }
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        page(self.status, &json!({"error": self.error}))
    }
}
