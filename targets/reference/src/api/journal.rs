//! The whole journal over HTTP, and the question whether the service serves.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::errors::ApiError;
use super::{App, page};

/// `GET /journal`
pub(super) async fn read(State(app): State<App>) -> Result<Response, ApiError> {
    app.ledger.journal().await.map(page).map_err(|error| ApiError::from_ledger(&error, &app.defects))
}

/// `GET /health`
pub(super) async fn health(State(app): State<App>) -> Result<Response, ApiError> {
    app.ledger.check().await.map_err(|error| ApiError::from_ledger(&error, &app.defects))?;
    Ok(page(json!({"status": "ok"}).to_string()))
}
