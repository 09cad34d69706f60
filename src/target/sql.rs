//! Readings by a query of the manifest, from the run's database.

use std::time::Duration;

use futures::TryStreamExt;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use super::exchange::READING_BYTES_MAX;
use super::printable::printable;

/// The most rows that a reading may have.
const ROWS_MAX: usize = 1_000_000;

/// All rows of `query`, as JSON objects and in its order. One statement sees one snapshot, in read committed as well.
///
/// A connection of its own each time: it costs a few milliseconds, and none is left over from before the database was killed.
pub(super) async fn read(database: &str, query: &str, timeout: Duration) -> Result<Vec<Value>, String> {
    match tokio::time::timeout(timeout, rows(database, query, timeout)).await {
        Ok(Ok(rows)) => Ok(rows),
        Ok(Err(why)) => Err(why),
        Err(_) => Err(format!("no answer from the database within {}", humantime::format_duration(timeout))),
    }
}

async fn rows(database: &str, query: &str, timeout: Duration) -> Result<Vec<Value>, String> {
    // sqlx adds the line of Postgres' own source to a database's message, which helps nobody here.
    let failed = |error: sqlx::Error| match error.as_database_error() {
        Some(said) => printable(said.message(), 400),
        None => printable(&error.to_string(), 400),
    };
    let options: PgConnectOptions = database.parse().map_err(failed)?;
    // The query is the target's own text: it may read, for as long as somebody waits for it.
    let milliseconds = timeout.as_millis().clamp(1, 3_600_000).to_string();
    let options = options.options([("default_transaction_read_only", "on"), ("statement_timeout", &milliseconds)]);
    let mut connection = options.disable_statement_logging().connect().await.map_err(failed)?;
    // The line break ends a comment that the query may end with.
    let statement = format!("select row_to_json(reading)::text from (\n{query}\n) as reading");
    let mut answer = sqlx::query(AssertSqlSafe(statement)).fetch(&mut connection);
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while let Some(row) = answer.try_next().await.map_err(failed)? {
        let text: String = row.try_get(0).map_err(failed)?;
        bytes += text.len();
        if bytes > READING_BYTES_MAX || rows.len() >= ROWS_MAX {
            return Err(format!("more than {ROWS_MAX} rows or {READING_BYTES_MAX} bytes"));
        }
        rows.push(serde_json::from_str(&text).map_err(|error| format!("a row is not JSON: {error}"))?);
    }
    drop(answer);
    // Nothing depends on the goodbye: all rows are here.
    connection.close().await.ok();
    Ok(rows)
}
