//! Reading the outbox, and marking what was sent.

use sqlx::PgConnection;

use super::limited;
use reference_common::store::StoreError;

/// How many events are under way at most.
const BATCH_MAX: i64 = 200;

/// An event of the outbox.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Unsent {
    pub(super) position: i64,
    pub(super) account: String,
    pub(super) payload: String,
}

/// The first unsent events, in the order of the outbox.
///
/// If an event of an account can be read, so can the account's earlier ones: each was written under the account's lock,
/// and its transaction had ended before the next one got that lock. Positions of other accounts may appear later in
/// between; they are found then, because nothing but the mark on each row says what has been sent.
pub(super) async fn unsent(connection: &mut PgConnection) -> Result<Vec<Unsent>, StoreError> {
    let sql = "select position, account, payload::text from outbox where sent_at is null order by position limit $1";
    limited("reading the outbox", sqlx::query_as(sql).bind(BATCH_MAX).fetch_all(connection)).await
}

/// Marks events as sent, so that they are not read again.
pub(super) async fn mark(connection: &mut PgConnection, positions: &[i64]) -> Result<(), StoreError> {
    if positions.is_empty() {
        return Ok(());
    }
    let sql = "update outbox set sent_at = now() where position = any($1) and sent_at is null";
    limited("marking events as sent", sqlx::query(sql).bind(positions).execute(connection)).await?;
    Ok(())
}
