//! Transfers over HTTP.

use axum::extract::State;
use axum::http::HeaderMap;

use super::errors::ApiError;
use super::{App, input};
use crate::defects::Defect;
use crate::domain::{Answer, Key, Request, new_id};
use crate::ledger::LedgerError;

/// `POST /transfers`
pub(super) async fn create(State(app): State<App>, headers: HeaderMap, body: input::Body) -> Result<Answer, ApiError> {
    let key = input::key(&headers)?;
    let order = input::order(body, &app.defects)?;
    execute(&app, &key, &Request::Transfer(order)).await
}

/// Carries a request out under its key.
pub(super) async fn execute(app: &App, key: &Key, request: &Request) -> Result<Answer, ApiError> {
    match app.ledger.execute(key, request).await {
        Ok(answer) => Ok(answer),
        // Made by catching everything so that the page does not break, and meaning to look at the log.
        Err(LedgerError::Store(error)) if app.defects.has(Defect::SwallowedError) => {
            tracing::error!(%error, "swallowed");
            Ok(Answer::posted(&new_id(), request.reverses()))
        }
        Err(error) => Err(ApiError::from_ledger(&error, &app.defects)),
    }
}
