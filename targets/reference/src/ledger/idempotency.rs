//! Idempotency keys: the database decides who is first, and keeps what was answered.

use std::collections::HashMap;

use sqlx::{PgConnection, Row};
use tokio::sync::Mutex;

use super::execute::Work;
use super::{Ledger, LedgerError, by_clock};
use crate::cache::KnownAnswer;
use crate::defects::{Defect, Defects};
use crate::domain::{Answer, Key};

/// What the defect `dedupe-in-memory` remembers.
#[derive(Default)]
pub(super) struct Memory(Mutex<HashMap<String, KnownAnswer>>);

/// What comes of claiming a key.
pub(super) enum Claim {
    /// It is ours: go on.
    New,
    /// It has been answered.
    Answered(KnownAnswer),
}

/// Claims a key by inserting its row. If another transaction has inserted it and not ended yet, the database lets us wait:
/// after its commit we read its answer, after its rollback the key is ours.
pub(super) async fn claim(
    connection: &mut PgConnection,
    key: &Key,
    canonical: &str,
    defects: &Defects,
) -> Result<Claim, LedgerError> {
    if defects.has(Defect::DedupeInMemory)
        || defects.has(Defect::DedupeInRedis)
        || defects.has(Defect::KeyBeforeTransfer)
    {
        return Ok(Claim::New);
    }
    // Made by everyone at first: look, and if there is nothing, go ahead. Two requests may both find nothing.
    if defects.has(Defect::CheckThenInsert) {
        return Ok(look(connection, key).await?.map_or(Claim::New, Claim::Answered));
    }
    by_clock::forget_old(connection, key, defects).await?;
    let claimed =
        sqlx::query("insert into idempotency_keys (key, request) values ($1, $2) on conflict (key) do nothing")
            .bind(key.as_str())
            .bind(canonical)
            .execute(&mut *connection)
            .await?;
    if claimed.rows_affected() == 1 {
        by_clock::date(connection, key, defects).await?;
        return Ok(Claim::New);
    }
    by_clock::refuse_old(connection, key, defects).await?;
    match look(connection, key).await? {
        Some(known) => Ok(Claim::Answered(known)),
        // Made by taking a key without an answer for a request that died half way.
        None if defects.has(Defect::AnswerOutsideTransaction) => Ok(Claim::New),
        // A key and its answer are committed together, so this cannot be. Going on would risk doing it twice.
        None => Err(sqlx::Error::RowNotFound.into()),
    }
}

/// Whether the answer is stored with the work that it tells of: always, when all is well.
pub(super) fn is_stored_with_the_work(defects: &Defects) -> bool {
    let elsewhere =
        [Defect::DedupeInMemory, Defect::DedupeInRedis, Defect::AnswerOutsideTransaction, Defect::CheckThenInsert];
    !elsewhere.into_iter().any(|defect| defects.has(defect))
}

/// For the defect `check-then-insert`: writes a key that nobody has claimed. The insert that comes second would fail; the
/// upsert was made to "handle" that.
pub(super) async fn upsert(
    connection: &mut PgConnection,
    key: &Key,
    canonical: &str,
    answer: &Answer,
) -> Result<(), LedgerError> {
    sqlx::query(
        "insert into idempotency_keys (key, request, status, answer) values ($1, $2, $3, $4)
         on conflict (key) do update set status = excluded.status, answer = excluded.answer",
    )
    .bind(key.as_str())
    .bind(canonical)
    .bind(i32::from(answer.status))
    .bind(&answer.body)
    .execute(connection)
    .await?;
    Ok(())
}

/// For defects that store the answer by itself: writes it into the key's row.
pub(super) async fn write(connection: &mut PgConnection, key: &Key, answer: &Answer) -> Result<(), LedgerError> {
    sqlx::query("update idempotency_keys set status = $2, answer = $3 where key = $1")
        .bind(key.as_str())
        .bind(i32::from(answer.status))
        .bind(&answer.body)
        .execute(connection)
        .await?;
    Ok(())
}

/// The answer, provided that it was to this request.
pub(super) fn matching(known: KnownAnswer, canonical: &str, defects: &Defects) -> Result<Answer, LedgerError> {
    // Made by keeping the key alone: the caller reuses it by mistake and is told that the new request was done.
    if known.request == canonical || defects.has(Defect::MismatchAccepted) {
        Ok(known.into_answer())
    } else {
        Err(LedgerError::KeyReuse)
    }
}

/// The row of a key, if it has an answer.
async fn look(connection: &mut PgConnection, key: &Key) -> Result<Option<KnownAnswer>, LedgerError> {
    let sql = "select request, status, answer from idempotency_keys where key = $1 and answer is not null";
    let Some(row) = sqlx::query(sql).bind(key.as_str()).fetch_optional(connection).await? else { return Ok(None) };
    let status: i32 = row.try_get("status")?;
    let status = u16::try_from(status).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(Some(KnownAnswer::new(row.try_get("request")?, Answer { status, body: row.try_get("answer")? })))
}

impl Ledger {
    /// What is known of a key without asking the database. It saves a transaction and decides nothing: what it holds has
    /// been committed, and what it does not hold the database still knows.
    pub(super) async fn remembered(&self, key: &Key) -> Option<KnownAnswer> {
        // Made while there was one process, and it was never restarted.
        if self.defects.has(Defect::DedupeInMemory) {
            return self.memory.0.lock().await.get(key.as_str()).cloned();
        }
        if by_clock::has_ages(&self.defects) {
            return None;
        }
        self.cache.answer(key).await
    }

    /// Keeps a committed answer where [`Self::remembered`] looks.
    pub(super) async fn remember(&self, key: &Key, known: KnownAnswer) {
        if self.defects.has(Defect::DedupeInMemory) {
            self.memory.0.lock().await.insert(key.as_str().to_owned(), known);
            return;
        }
        self.cache.keep_answer(key, &known).await;
    }

    /// For the defect `key-before-transfer`: commits the key with the answer that is expected. What another request has
    /// committed is returned.
    pub(super) async fn promise(&self, work: &Work<'_>, id: &str) -> Result<Option<Answer>, LedgerError> {
        let expected = Answer::posted(id, work.request.reverses());
        let mut transaction = self.database.begin().await?;
        let inserted = sqlx::query(
            "insert into idempotency_keys (key, request, status, answer) values ($1, $2, $3, $4)
             on conflict (key) do nothing",
        )
        .bind(work.key.as_str())
        .bind(&work.canonical)
        .bind(i32::from(expected.status))
        .bind(&expected.body)
        .execute(&mut *transaction)
        .await?;
        let known = if inserted.rows_affected() == 1 { None } else { look(&mut transaction, &work.key).await? };
        transaction.commit().await?;
        known.map(|known| matching(known, &work.canonical, &self.defects)).transpose()
    }

    /// For the defect `key-before-transfer`: a request that was no good gives its key back.
    pub(super) async fn break_promise(&self, work: &Work<'_>, error: &LedgerError) {
        let refused = !matches!(error, LedgerError::Store(_) | LedgerError::KeyReuse);
        if !(refused && self.defects.has(Defect::KeyBeforeTransfer)) {
            return;
        }
        let Ok(mut transaction) = self.database.begin().await else { return };
        let deleted = sqlx::query("delete from idempotency_keys where key = $1")
            .bind(work.key.as_str())
            .execute(&mut *transaction)
            .await;
        if deleted.is_ok() {
            // Best effort, like the rest of this defect.
            let _ = transaction.commit().await;
        }
    }
}
