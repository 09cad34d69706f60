//! Every request ends in limited time, and ends even if its caller has hung up.

use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::errors::ApiError;

/// What a request may take.
const REQUEST_LIMIT: Duration = Duration::from_secs(4);

/// Runs the request as a task of its own. Were it part of the connection's task, a caller that hangs up would cancel it at
/// whatever it awaits, and cost a database connection each time.
///
/// A request that is out of time is dropped, which closes its database connection: perhaps it had just sent COMMIT, so
/// the answer says that the outcome is open.
pub(super) async fn keep(request: Request, next: Next) -> Response {
    match tokio::spawn(tokio::time::timeout(REQUEST_LIMIT, next.run(request))).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "timeout").into_response(),
        Err(error) => {
            tracing::error!(%error, "a request failed");
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal").into_response()
        }
    }
}
