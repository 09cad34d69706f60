//! Accounts: opening them, and locking them for a transfer.

use sqlx::{PgConnection, Row};

use super::{Ledger, LedgerError};
use crate::defects::{Defect, Defects};
use crate::domain::{AccountId, Currency, MinorUnits};

/// An account as a transfer sees it.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) id: AccountId,
    pub(super) currency: String,
    pub(super) floor: MinorUnits,
    pub(super) balance: MinorUnits,
}

impl Ledger {
    /// Opens an account; opening it again in the same way changes nothing and is fine.
    ///
    /// # Errors
    /// When it exists in another way, or the database fails.
    pub(crate) async fn open(&self, id: &AccountId, currency: &Currency, floor: MinorUnits) -> Result<(), LedgerError> {
        let mut transaction = self.database.begin().await?;
        sqlx::query("insert into accounts (id, currency, floor) values ($1, $2, $3) on conflict (id) do nothing")
            .bind(id.as_str())
            .bind(currency.as_str())
            .bind(floor)
            .execute(&mut *transaction)
            .await?;
        let same: bool = sqlx::query_scalar("select currency = $2 and floor = $3 from accounts where id = $1")
            .bind(id.as_str())
            .bind(currency.as_str())
            .bind(floor)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        if same { Ok(()) } else { Err(LedgerError::AccountExists) }
    }
}

/// Locks the accounts of a transfer until the end of the transaction and says what they hold.
///
/// Every transaction locks in the order of the ids, whichever way the money flows, so two opposite transfers wait for
/// each other instead of for ever.
///
/// # Errors
/// When one does not exist.
pub(super) async fn lock(
    connection: &mut PgConnection,
    debit: &AccountId,
    credit: &AccountId,
    defects: &Defects,
) -> Result<(Account, Account), LedgerError> {
    const LOCK: &str = "select id, currency, floor, balance from accounts where id = any($1) order by id for update";
    const LOOK: &str = "select id, currency, floor, balance from accounts where id = any($1)";

    let rows = if defects.has(Defect::LockOrder) {
        // Made by locking where each account is first needed: "take the payer, check the payer, take the payee".
        let mut rows = fetch(connection, LOCK, &[debit]).await?;
        rows.extend(fetch(connection, LOCK, &[credit]).await?);
        rows
    } else if defects.has(Defect::UnlockedBalance) || defects.has(Defect::UnlockedOverdraft) {
        // Made by reading through an object mapper, whose find() has no lock unless one asks for it.
        fetch(connection, LOOK, &[debit, credit]).await?
    } else {
        fetch(connection, LOCK, &[debit, credit]).await?
    };
    let find = |id: &AccountId| rows.iter().find(|account| account.id == *id).cloned();
    find(debit).zip(find(credit)).ok_or(LedgerError::UnknownAccount)
}

async fn fetch(
    connection: &mut PgConnection,
    sql: &'static str,
    ids: &[&AccountId],
) -> Result<Vec<Account>, LedgerError> {
    let names: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
    let rows = sqlx::query(sql).bind(names).fetch_all(connection).await?;
    let account = |row: sqlx::postgres::PgRow| {
        let id: String = row.try_get("id")?;
        let id = AccountId::new(&id).ok_or_else(|| sqlx::Error::Decode(format!("account {id:?}").into()))?;
        let (currency, floor, balance) = (row.try_get("currency")?, row.try_get("floor")?, row.try_get("balance")?);
        Ok(Account { id, currency, floor, balance })
    };
    rows.into_iter().map(account).collect::<Result<_, sqlx::Error>>().map_err(LedgerError::from)
}
