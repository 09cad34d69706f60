//! The defects that go by the wall clock of the instance. The correct service never asks what time it is: the database
//! decides who is first, and a key is kept for ever.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::PgConnection;

use super::LedgerError;
use crate::defects::{Defect, Defects};
use crate::domain::Key;

/// How old a key may be that is sent again, where the defect `key-window` refuses older ones.
const WINDOW: Duration = Duration::from_secs(30);

/// How long an answer is kept, where the defect `answer-expires` forgets it then.
const KEPT: Duration = Duration::from_hours(24);

/// The key as it is stored.
pub(super) fn scope(key: &Key, defects: &Defects) -> Key {
    // Made by partitioning the table of keys by day, so that old ones can be dropped: a unique index then has to
    // contain the day.
    if defects.has(Defect::KeyPerDay) { key.of_day(since_1970().as_secs() / 86_400) } else { key.clone() }
}

/// Whether keys have an age, which is then noted when they are claimed. No cache stands in front of these: what it holds
/// has none.
pub(super) fn has_ages(defects: &Defects) -> bool {
    defects.has(Defect::KeyWindow) || defects.has(Defect::AnswerExpires)
}

/// Forgets a key that is too old, before it is claimed.
pub(super) async fn forget_old(connection: &mut PgConnection, key: &Key, defects: &Defects) -> Result<(), LedgerError> {
    if defects.has(Defect::AnswerExpires) {
        // Made to keep the table small: nobody asks again after a day.
        let sql = "delete from idempotency_keys where key = $1 and claimed_ms < $2";
        sqlx::query(sql).bind(key.as_str()).bind(millis(since_1970()) - millis(KEPT)).execute(connection).await?;
    }
    Ok(())
}

/// Notes when a key was claimed.
pub(super) async fn date(connection: &mut PgConnection, key: &Key, defects: &Defects) -> Result<(), LedgerError> {
    if has_ages(defects) {
        let sql = "update idempotency_keys set claimed_ms = $2 where key = $1";
        sqlx::query(sql).bind(key.as_str()).bind(millis(since_1970())).execute(connection).await?;
    }
    Ok(())
}

/// Refuses a known key that is too old.
pub(super) async fn refuse_old(connection: &mut PgConnection, key: &Key, defects: &Defects) -> Result<(), LedgerError> {
    if !defects.has(Defect::KeyWindow) {
        return Ok(());
    }
    // Made against replayed requests. A retry on another machine is one whose clock may be ahead of the first's.
    let sql = "select claimed_ms from idempotency_keys where key = $1";
    let claimed_ms: Option<i64> = sqlx::query_scalar(sql).bind(key.as_str()).fetch_one(connection).await?;
    let is_old = claimed_ms.is_some_and(|claimed_ms| millis(since_1970()) - claimed_ms > millis(WINDOW));
    if is_old { Err(LedgerError::KeyTooOld) } else { Ok(()) }
}

/// The numbers of a transfer's entries, drawn under the accounts' locks: one machine would have them in order.
pub(super) fn numbers(defects: &Defects) -> Option<[i64; 2]> {
    // Made by ordering the journal by a timestamp that the application writes.
    let now = i64::try_from(since_1970().as_nanos()).unwrap_or(i64::MAX - 1);
    defects.has(Defect::OrderByClock).then_some([now, now + 1])
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
