//! Orders over HTTP.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::errors::ApiError;
use super::{App, input, page};
use crate::defects::Defect;
use crate::orders::OrdersError;

/// `POST /orders`
pub(super) async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    if app.defects.has(Defect::SecretInDebugLog) {
        // Made while looking for another mistake, and harmless until somebody turns the level up where it runs.
        tracing::debug!(?headers, ?body, "request");
    }
    let key = input::key(&headers)?;
    let correlation = input::correlation(&headers)?;
    let wish = input::wish(body)?;
    match app.create(&key, &wish, &correlation).await {
        Ok(accepted) => Ok(page(StatusCode::CREATED, &accepted)),
        // Made by one handler for all errors: whatever went wrong, the request must have been wrong.
        Err(OrdersError::Store(error)) if app.defects.has(Defect::BlamesCaller) => {
            tracing::warn!(%error, "not accepted");
            Err(ApiError::unprocessable("order_not_accepted"))
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /orders/{order}`
pub(super) async fn read(State(app): State<App>, Path(order): Path<String>) -> Result<Response, ApiError> {
    Ok(page(StatusCode::OK, &app.order(&input::order(&order)?).await?))
}

/// `GET /orders`
pub(super) async fn list(State(app): State<App>) -> Result<Response, ApiError> {
    Ok(page(StatusCode::OK, &json!({"orders": app.orders().await?})))
}
