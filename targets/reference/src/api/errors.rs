//! Refusals and failures as callers see them: `{"error": "…"}`.
//!
//! A 4xx is a promise that nothing happened. What may have happened is a 503.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::page;
use crate::defects::{Defect, Defects};
use crate::ledger::LedgerError;

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

    /// The body is no JSON, or not of the right shape.
    pub(super) fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// The body is understood, and cannot be meant.
    pub(super) fn unprocessable(error: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error)
    }

    /// What became of a request in the ledger.
    pub(super) fn from_ledger(error: &LedgerError, defects: &Defects) -> Self {
        let status = match error {
            LedgerError::UnknownAccount | LedgerError::UnknownTransfer => StatusCode::NOT_FOUND,
            LedgerError::CurrencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
            LedgerError::KeyReuse
            | LedgerError::KeyTooOld
            | LedgerError::AccountExists
            | LedgerError::AlreadyReversed
            | LedgerError::NotReversible => StatusCode::CONFLICT,
            LedgerError::Store(error) => {
                tracing::warn!(%error, "the outcome is open");
                // Made by one branch for all errors: "it threw, so it failed".
                if defects.has(Defect::DoubtAsDecline) {
                    return Self::unprocessable("transfer_failed");
                }
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
            }
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, page(json!({"error": self.error}).to_string())).into_response()
    }
}
