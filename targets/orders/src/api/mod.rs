//! The HTTP side: routes, limits, and the end of the process.

mod deadline;
mod errors;
mod input;
mod letters;
mod orders;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Router, middleware};
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;

use crate::config;
use crate::orders::Orders;
use reference_common::shutdown;

use errors::ApiError;

/// What a body holds at most, in bytes.
const BODY_MAX: usize = 64 * 1024;
/// How long requests in flight may take after the process was told to end.
const DRAIN_LIMIT: Duration = Duration::from_secs(4);

/// What every handler has.
type App = Arc<Orders>;

/// Serves until the process is told to end, and finishes what it has begun.
///
/// # Errors
/// When the configuration is wrong or the port is taken.
pub(crate) async fn run(config: config::Api) -> Result<(), Box<dyn Error + Send + Sync>> {
    let app = Arc::new(Orders::new(&config.common)?);
    let listener = TcpListener::bind((config.host, config.port)).await?.tap_io(|stream| {
        // Answers are small and written at once; waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
    });
    tracing::info!(instance = config.common.instance, port = config.port, defects = %config.common.defects, "serving");
    let (told, mut ending) = tokio::sync::watch::channel(());
    let signal = async move {
        shutdown::requested().await;
        drop(told);
    };
    let serving = axum::serve(listener, router(app)).with_graceful_shutdown(signal);
    tokio::select! {
        served = async { serving.await } => served?,
        () = async {
            // Ends when the sender is dropped: the process has been told.
            while ending.changed().await.is_ok() {}
            tokio::time::sleep(DRAIN_LIMIT).await;
        } => tracing::warn!("some requests did not end in time"),
    }
    Ok(())
}

fn router(app: App) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/orders", get(orders::list).post(orders::create))
        .route("/orders/{order}", get(orders::read))
        .route("/orders/{order}/replay", post(letters::replay))
        .route("/dead-letters", get(letters::list))
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, "no_such_path"))
        .method_not_allowed_fallback(async || ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn(deadline::keep))
        .with_state(app)
}

/// `GET /health`
async fn health(State(app): State<App>) -> Result<Response, ApiError> {
    app.check().await?;
    Ok(page(StatusCode::OK, &json!({"status": "ok"})))
}

/// A reply of JSON.
fn page(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        // No type here can fail to be written.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
