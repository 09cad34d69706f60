//! The defects that write a transfer in pieces. The correct service writes it in one ([`Record`]) and never comes here.
//!
//! What such a defect writes later is first taken out of the record, so that nothing else changes.

use sqlx::PgConnection;

use super::LedgerError;
use super::execute::Work;
use super::idempotency;
use super::posting::{Posting, Side};
use super::record::Record;
use super::transfers::Decision;
use crate::defects::{Defect, Defects};
use reference_common::store::Transaction;

/// Takes out of the record what [`write_rest`] will write.
pub(super) fn take_out(record: &mut Record<'_>, defects: &Defects) {
    if !record.posted {
        return;
    }
    if defects.has(Defect::SplitTransfer) {
        record.entries.truncate(1);
        record.balances.truncate(1);
        record.answer = None;
    }
    if defects.has(Defect::ReversalEdits) && record.reverses.is_some() {
        record.entries.clear();
    }
    if defects.has(Defect::ProjectionLater) || defects.has(Defect::UnlockedBalance) {
        record.balances.clear();
    }
}

/// Writes what is missing.
pub(super) async fn write_rest(
    transaction: &mut Transaction,
    work: &Work<'_>,
    decision: &Decision,
    defects: &Defects,
) -> Result<(), LedgerError> {
    let Some(posting) = &decision.posting else { return Ok(()) };
    if defects.has(Defect::SplitTransfer) {
        // Made by a function "debit" and a function "credit", each with a transaction of its own.
        transaction.cut().await?;
        append(transaction, posting, &posting.credit).await?;
        add(transaction, &posting.credit).await?;
        idempotency::write(transaction, &work.key, &decision.answer).await?;
    }
    if defects.has(Defect::ReversalEdits)
        && let Some(original) = &posting.reverses
    {
        // Made by thinking of the journal as a table of facts to keep up to date.
        sqlx::query("update entries set amount = 0 where transfer = $1")
            .bind(original)
            .execute(&mut **transaction)
            .await?;
    }
    if defects.has(Defect::ProjectionLater) {
        // Made by moving the balances into an event handler of the same process.
        transaction.cut().await?;
        for side in posting.sides() {
            add(transaction, side).await?;
        }
    }
    if defects.has(Defect::UnlockedBalance) {
        // Made by an object mapper: load, change the field, save. (It saves in the order of the ids.)
        let mut sides = posting.sides();
        sides.sort_by_key(|side| &side.account);
        for side in sides {
            overwrite(transaction, side).await?;
        }
    }
    Ok(())
}

/// For the defect `order-by-start`: the numbers of the entries, drawn before anything is locked.
pub(super) async fn numbers_at_start(
    connection: &mut PgConnection,
    defects: &Defects,
) -> Result<Option<[i64; 2]>, LedgerError> {
    if !defects.has(Defect::OrderByStart) {
        return Ok(None);
    }
    // Made by ordering the journal by the transaction's timestamp, which is that of its start: whoever started first
    // and then waited for the lock stands before the one it waited for.
    let sql = "select nextval('entries_sequence_seq'), nextval('entries_sequence_seq')";
    let (first, second) = sqlx::query_as(sql).fetch_one(connection).await?;
    Ok(Some([first, second]))
}

async fn append(connection: &mut PgConnection, posting: &Posting, side: &Side) -> Result<(), LedgerError> {
    sqlx::query(
        "insert into entries (transfer, account, amount, currency, key, reverses) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&posting.transfer)
    .bind(side.account.as_str())
    .bind(side.amount)
    .bind(posting.currency.as_str())
    .bind(&posting.key)
    .bind(&posting.reverses)
    .execute(connection)
    .await?;
    Ok(())
}

async fn add(connection: &mut PgConnection, side: &Side) -> Result<(), LedgerError> {
    let sql = "update accounts set balance = balance + $2, version = version + 1 where id = $1";
    sqlx::query(sql).bind(side.account.as_str()).bind(side.amount).execute(connection).await?;
    Ok(())
}

async fn overwrite(connection: &mut PgConnection, side: &Side) -> Result<(), LedgerError> {
    let sql = "update accounts set balance = $2, version = version + 1 where id = $1";
    sqlx::query(sql).bind(side.account.as_str()).bind(side.balance).execute(connection).await?;
    Ok(())
}
