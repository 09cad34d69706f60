//! What there is, over HTTP: `GET /log`, `GET /entities`, `GET /gaps`.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use reference_common::shutdown;
use reference_common::store::{self, Database, StoreError};
use tokio::net::TcpListener;

use crate::config;

/// What a request may take.
const REQUEST_LIMIT: Duration = Duration::from_secs(4);

type App = Arc<Database>;

/// Serves until the process is told to end.
///
/// # Errors
/// When the configuration is wrong or the port is taken.
pub(crate) async fn run(config: config::Api) -> Result<(), Box<dyn Error + Send + Sync>> {
    let app = Database::new(store::options(&config.common.database_url, &config.common.instance)?);
    let listener = TcpListener::bind((config.host, config.port)).await?.tap_io(|stream| {
        // Answers are written at once; waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
    });
    tracing::info!(instance = config.common.instance, port = config.port, "serving");
    tokio::select! {
        served = async { axum::serve(listener, router(app)).await } => served?,
        // Nothing here changes anything: whoever was not answered asks again.
        () = shutdown::requested() => {}
    }
    Ok(())
}

fn router(app: App) -> Router {
    let rows = |columns: &'static str| get(async move |State(app): State<App>| answer(read(&app, columns).await));
    Router::new()
        .route("/health", get(async |State(app): State<App>| answer(read(&app, "select 1 where false").await)))
        .route("/log", rows("select position, entity, sequence, event from log order by position"))
        .route("/entities", rows("select entity, sequence, total from entities order by entity"))
        .route("/gaps", rows("select entity, sequence, open from gaps order by position"))
        .with_state(app)
}

/// The rows of a query, as JSON that the database has written.
async fn read(app: &App, query: &'static str) -> Result<String, StoreError> {
    let work = async {
        let mut transaction = app.begin().await?;
        let sql = format!("select json_build_object('rows', coalesce(json_agg(it), '[]'))::text from ({query}) it");
        let body = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(body)
    };
    store::within(REQUEST_LIMIT, "reading", work).await
}

fn answer(body: Result<String, StoreError>) -> Response {
    match body {
        Ok(body) => (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::warn!(%error, "a request failed");
            let body = r#"{"error":"unavailable"}"#;
            (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
    }
}
