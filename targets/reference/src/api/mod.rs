//! The HTTP side: routes, limits, and the end of the process.

mod accounts;
mod deadline;
mod errors;
mod input;
mod journal;
mod reversals;
mod transfers;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Router, middleware};
use tokio::net::TcpListener;

use crate::config;
use crate::defects::Defects;
use crate::domain::Answer;
use crate::ledger::Ledger;
use crate::shutdown;

use errors::ApiError;

/// What a body holds at most, in bytes.
const BODY_MAX: usize = 64 * 1024;
/// How long requests in flight may take after the process was told to end.
const DRAIN_LIMIT: Duration = Duration::from_secs(4);

/// What every handler has.
#[derive(Clone)]
struct App {
    ledger: Arc<Ledger>,
    defects: Defects,
}

/// Serves until the process is told to end, and finishes what it has begun.
///
/// # Errors
/// When the configuration is wrong or the port is taken.
pub(crate) async fn run(config: config::Api) -> Result<(), Box<dyn Error + Send + Sync>> {
    let defects = config.defects.clone();
    let app = App { ledger: Arc::new(Ledger::new(&config)?), defects: defects.clone() };
    let listener = TcpListener::bind((config.host, config.port)).await?.tap_io(|stream| {
        // Answers are small and written at once; waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
    });
    tracing::info!(instance = config.instance, port = config.port, %defects, "serving");
    let (told, mut ending) = tokio::sync::watch::channel(());
    let signal = async move {
        shutdown::requested(defects).await;
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
        .route("/health", get(journal::health))
        .route("/accounts", post(accounts::open))
        .route("/accounts/{account}", get(accounts::read))
        .route("/accounts/{account}/entries", get(accounts::entries))
        .route("/transfers", post(transfers::create))
        .route("/transfers/{transfer}/reversals", post(reversals::create))
        .route("/journal", get(journal::read))
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, "no_such_path"))
        .method_not_allowed_fallback(async || ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(app.clone(), deadline::keep))
        .with_state(app)
}

/// A reply of JSON that is text already.
fn page(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, page(self.body)).into_response()
    }
}
