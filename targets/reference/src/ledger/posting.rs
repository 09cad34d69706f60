//! The two entries of a transfer, and the balances that follow from them.

use serde_json::json;
use sqlx::PgConnection;

use super::LedgerError;
use super::outbox::Event;
use crate::defects::{Defect, Defects};
use crate::domain::{AccountId, Currency, MinorUnits, new_id};
use crate::store::Transaction;

/// A transfer that is being posted.
pub(super) struct Posting {
    pub(super) transfer: String,
    pub(super) key: String,
    pub(super) debit: Side,
    pub(super) credit: Side,
    pub(super) currency: Currency,
    pub(super) reverses: Option<String>,
}

/// One account's part.
pub(super) struct Side {
    pub(super) account: AccountId,
    /// What is added to the balance; negative for the debit.
    pub(super) amount: MinorUnits,
    /// What the balance is then, going by what was read.
    pub(super) balance: MinorUnits,
}

impl Posting {
    /// Both sides.
    pub(super) fn sides(&self) -> [&Side; 2] {
        [&self.debit, &self.credit]
    }

    /// The event that tells of it, with an id made once: it is stored with the event, and every delivery has the same.
    pub(super) fn event(&self) -> Event {
        let id = new_id();
        let payload = json!({
            "id": id,
            "transfer": self.transfer,
            "account": self.debit.account,
            "amount": self.credit.amount,
            "currency": self.currency,
            "key": self.key,
        });
        Event { id, account: self.debit.account.as_str().to_owned(), payload }
    }
}

/// Adds the entries to the journal. The accounts are locked, so the numbers that the journal gives them now are in the
/// order in which the accounts see their transfers.
pub(super) async fn append(
    transaction: &mut Transaction,
    posting: &Posting,
    numbers: Option<[i64; 2]>,
    defects: &Defects,
) -> Result<(), LedgerError> {
    if defects.has(Defect::ReversalEdits)
        && let Some(original) = &posting.reverses
    {
        // Made by thinking of the journal as a table of facts to keep up to date.
        sqlx::query("update entries set amount = 0 where transfer = $1")
            .bind(original)
            .execute(&mut **transaction)
            .await?;
        return Ok(());
    }
    if let Some([first, second]) = numbers {
        insert(transaction, posting, &posting.debit, Some(first)).await?;
        return insert(transaction, posting, &posting.credit, Some(second)).await;
    }
    if defects.has(Defect::SplitTransfer) {
        // Made by a function "debit" and a function "credit", each with a transaction of its own.
        insert(transaction, posting, &posting.debit, None).await?;
        transaction.cut().await?;
        return insert(transaction, posting, &posting.credit, None).await;
    }
    sqlx::query(
        "insert into entries (transfer, account, amount, currency, key, reverses)
         values ($1, $2, $3, $6, $7, $8), ($1, $4, $5, $6, $7, $8)",
    )
    .bind(&posting.transfer)
    .bind(posting.debit.account.as_str())
    .bind(posting.debit.amount)
    .bind(posting.credit.account.as_str())
    .bind(posting.credit.amount)
    .bind(posting.currency.as_str())
    .bind(&posting.key)
    .bind(&posting.reverses)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Adds what was posted to the balances. The rows are locked, so adding and setting come to the same; adding is right
/// even for a reader who does not believe in the lock.
pub(super) async fn project(
    connection: &mut PgConnection,
    sides: [&Side; 2],
    defects: &Defects,
) -> Result<(), LedgerError> {
    let sql = if defects.has(Defect::UnlockedBalance) {
        // Made by an object mapper: load, change the field, save.
        "update accounts set balance = new.balance, version = version + 1
         from unnest($1, $2, $3) as new (id, amount, balance) where accounts.id = new.id"
    } else {
        "update accounts set balance = accounts.balance + new.amount, version = version + 1
         from unnest($1, $2, $3) as new (id, amount, balance) where accounts.id = new.id"
    };
    sqlx::query(sql)
        .bind(sides.map(|side| side.account.as_str()))
        .bind(sides.map(|side| side.amount))
        .bind(sides.map(|side| side.balance))
        .execute(connection)
        .await?;
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

/// One entry; numbered by the journal unless it comes with a number.
async fn insert(
    connection: &mut PgConnection,
    posting: &Posting,
    side: &Side,
    number: Option<i64>,
) -> Result<(), LedgerError> {
    sqlx::query(
        "insert into entries (sequence, transfer, account, amount, currency, key, reverses)
         values (coalesce($1, nextval('entries_sequence_seq')), $2, $3, $4, $5, $6, $7)",
    )
    .bind(number)
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
