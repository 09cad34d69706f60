//! Postgres: how connections are opened, trusted and given up.

mod error;
mod pool;

use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

pub use error::StoreError;
pub use pool::{Database, Transaction};

/// What opening a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_millis(1_500);

/// Limits that the server itself keeps. They matter when this process cannot: while it is stopped, or when it has given
/// up a connection that the server still believes in. The locks of a transaction nobody finishes are free after a second.
const SERVER_LIMITS: [(&str, &str); 3] =
    [("lock_timeout", "3000"), ("statement_timeout", "3500"), ("idle_in_transaction_session_timeout", "1000")];

/// Creates the tables, or brings them up to date.
///
/// # Errors
/// When the database cannot be reached or refuses.
pub async fn migrate(url: &str, migrations: &Migrator) -> Result<(), sqlx::Error> {
    let mut connection = PgConnectOptions::from_str(url)?.connect().await?;
    migrations.run(&mut connection).await?;
    connection.close().await
}

/// Where the database is, with the limits that the server is to keep.
pub fn options(url: &str, name: &str) -> Result<PgConnectOptions, sqlx::Error> {
    Ok(PgConnectOptions::from_str(url)?.application_name(name).options(SERVER_LIMITS))
}

/// Opens a connection in limited time.
pub async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    within(CONNECT_LIMIT, "connecting", async { Ok(options.connect().await?) }).await
}

/// Limits what is asked of the database: a connection that went silent must hold nobody up for ever.
pub async fn within<T>(
    limit: Duration,
    doing: &'static str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, work).await.map_err(|_| StoreError::TimedOut(doing))?
}
