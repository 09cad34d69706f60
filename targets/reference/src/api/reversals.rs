//! Reversals over HTTP.

use axum::extract::{Path, State};
use axum::http::HeaderMap;

use super::errors::ApiError;
use super::{App, input, transfers};
use crate::domain::{Answer, Request};

/// `POST /transfers/{transfer}/reversals`
pub(super) async fn create(
    State(app): State<App>,
    Path(transfer): Path<String>,
    headers: HeaderMap,
    body: input::Body,
) -> Result<Answer, ApiError> {
    let key = input::key(&headers)?;
    input::nothing(body)?;
    transfers::execute(&app, &key, &Request::Reverse(transfer)).await
}
