//! Accounts over HTTP.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::errors::ApiError;
use super::{App, input, page};

/// `POST /accounts`
pub(super) async fn open(State(app): State<App>, body: input::Body) -> Result<Response, ApiError> {
    let input::Opening { id, currency, floor } = input::opening(body)?;
    let opened = app.ledger.open(&id, &currency, floor).await;
    opened.map_err(|error| ApiError::from_ledger(&error, &app.defects))?;
    let body = json!({"id": id, "currency": currency, "limit": floor});
    Ok((StatusCode::CREATED, page(body.to_string())).into_response())
}

/// `GET /accounts/{account}`
pub(super) async fn read(State(app): State<App>, Path(account): Path<String>) -> Result<Response, ApiError> {
    let account = app.ledger.account(&input::account(&account)?).await;
    account.map(page).map_err(|error| ApiError::from_ledger(&error, &app.defects))
}

/// `GET /accounts/{account}/entries`
pub(super) async fn entries(State(app): State<App>, Path(account): Path<String>) -> Result<Response, ApiError> {
    let entries = app.ledger.entries(&input::account(&account)?).await;
    entries.map(page).map_err(|error| ApiError::from_ledger(&error, &app.defects))
}
