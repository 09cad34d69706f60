//! Dead letters over HTTP.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::errors::ApiError;
use super::{App, input, page};

/// `GET /dead-letters`
pub(super) async fn list(State(app): State<App>) -> Result<Response, ApiError> {
    Ok(page(StatusCode::OK, &json!({"letters": app.dead_letters().await?})))
}

/// `POST /orders/{order}/replay`
pub(super) async fn replay(State(app): State<App>, Path(order): Path<String>) -> Result<Response, ApiError> {
    let order = input::order(&order)?;
    let replayed = app.replay(&order).await?;
    tracing::info!(%order, replayed, "replayed");
    Ok(page(StatusCode::ACCEPTED, &json!({"replayed": replayed})))
}
