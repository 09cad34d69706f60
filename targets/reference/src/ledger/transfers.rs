//! Deciding a transfer or a reversal under the accounts' locks, and writing down what was decided.

use sqlx::{PgConnection, Row};

use super::accounts::{self, Account};
use super::execute::Work;
use super::posting::{Posting, Side};
use super::{LedgerError, outbox, posting};
use crate::defects::{Defect, Defects};
use crate::domain::{AccountId, Answer, Currency, Decline, MinorUnits, Order, Request};
use crate::store::Transaction;

/// What was decided.
pub(super) struct Decision {
    /// What the caller hears.
    pub(super) answer: Answer,
    /// What was posted, and has yet to be added to the balances.
    pub(super) posting: Option<Posting>,
}

/// Decides a request and writes everything but the balances. `numbers` are entry numbers drawn beforehand, of which there
/// are none when all is well.
pub(super) async fn decide(
    transaction: &mut Transaction,
    work: &Work<'_>,
    id: &str,
    numbers: Option<[i64; 2]>,
    defects: &Defects,
) -> Result<Decision, LedgerError> {
    let order = match work.request {
        Request::Transfer(order) => order.clone(),
        Request::Reverse(original) => opposite(transaction, original).await?,
    };
    let reverses = work.request.reverses();
    let (debit, credit) = accounts::lock(transaction, &order.from, &order.to, defects).await?;
    // Made in a ledger that began with one currency.
    let same_currency = debit.currency == order.currency.as_str() && credit.currency == order.currency.as_str();
    if !same_currency && !defects.has(Defect::CurrencyIgnored) {
        return Err(LedgerError::CurrencyMismatch);
    }
    // Made where the first reversal was a support script.
    let guards = !defects.has(Defect::ReversalUnguarded);
    if guards && let Some(original) = reverses {
        refuse_if_reversed(transaction, original).await?;
    }
    let outcome = balances_after(&debit, &credit, order.amount);
    record(transaction, work, id, &order, outcome.is_ok()).await?;
    let (debit_after, credit_after) = match outcome {
        Ok(after) => after,
        Err(decline) => return Ok(Decision { answer: Answer::declined(id, decline), posting: None }),
    };
    if guards && let Some(original) = reverses {
        // The lock has made sure of it; the primary key of this table would catch us if it had not.
        sqlx::query("insert into reversals (original, reversal) values ($1, $2)")
            .bind(original)
            .bind(id)
            .execute(&mut **transaction)
            .await?;
    }
    let posting = Posting {
        transfer: id.to_owned(),
        key: work.key.as_str().to_owned(),
        debit: Side { account: debit.id, amount: -order.amount, balance: debit_after },
        credit: Side { account: credit.id, amount: order.amount, balance: credit_after },
        currency: order.currency,
        reverses: reverses.map(str::to_owned),
    };
    posting::append(transaction, &posting, numbers, defects).await?;
    if !defects.has(Defect::PublishBeforeCommit) && !defects.has(Defect::PublishAfterCommit) {
        outbox::append(transaction, &posting.event()).await?;
    }
    Ok(Decision { answer: Answer::posted(id, reverses), posting: Some(posting) })
}

/// The order that takes a posted transfer back. Transfers never change, so this needs no lock.
async fn opposite(connection: &mut PgConnection, original: &str) -> Result<Order, LedgerError> {
    let sql = "select debit, credit, amount, currency, posted from transfers where id = $1";
    let row = sqlx::query(sql).bind(original).fetch_optional(connection).await?;
    let row = row.ok_or(LedgerError::UnknownTransfer)?;
    if !row.try_get::<bool, _>("posted")? {
        return Err(LedgerError::NotReversible);
    }
    let (from, to): (String, String) = (row.try_get("credit")?, row.try_get("debit")?);
    let currency: String = row.try_get("currency")?;
    let unreadable = || LedgerError::from(sqlx::Error::Decode(format!("transfer {original:?}").into()));
    Ok(Order {
        from: AccountId::new(&from).ok_or_else(unreadable)?,
        to: AccountId::new(&to).ok_or_else(unreadable)?,
        amount: row.try_get("amount")?,
        currency: Currency::new(&currency).ok_or_else(unreadable)?,
    })
}

/// Whoever reverses the same transfer locks the same accounts, so what is read here stays true.
async fn refuse_if_reversed(connection: &mut PgConnection, original: &str) -> Result<(), LedgerError> {
    let sql = "select exists (select from reversals where original = $1)";
    let reversed: bool = sqlx::query_scalar(sql).bind(original).fetch_one(connection).await?;
    if reversed { Err(LedgerError::AlreadyReversed) } else { Ok(()) }
}

/// The balances after the transfer, or why it must not be.
fn balances_after(debit: &Account, credit: &Account, amount: MinorUnits) -> Result<(MinorUnits, MinorUnits), Decline> {
    let debit_after = debit.balance.checked_sub(amount).ok_or(Decline::BalanceOverflow)?;
    if debit_after < debit.floor {
        return Err(Decline::InsufficientFunds);
    }
    let credit_after = credit.balance.checked_add(amount).ok_or(Decline::BalanceOverflow)?;
    Ok((debit_after, credit_after))
}

async fn record(
    connection: &mut PgConnection,
    work: &Work<'_>,
    id: &str,
    order: &Order,
    posted: bool,
) -> Result<(), LedgerError> {
    sqlx::query(
        "insert into transfers (id, key, debit, credit, amount, currency, posted, reverses)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id)
    .bind(work.key.as_str())
    .bind(order.from.as_str())
    .bind(order.to.as_str())
    .bind(order.amount)
    .bind(order.currency.as_str())
    .bind(posted)
    .bind(work.request.reverses())
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(floor: MinorUnits, balance: MinorUnits) -> Account {
        Account { id: AccountId::new("a").expect("valid"), currency: "EUR".to_owned(), floor, balance }
    }

    #[test]
    fn the_floor_itself_may_be_reached() {
        assert_eq!(balances_after(&account(-5, 10), &account(0, 0), 15), Ok((-5, 15)));
        assert_eq!(balances_after(&account(-5, 10), &account(0, 0), 16), Err(Decline::InsufficientFunds));
    }

    #[test]
    fn a_balance_never_wraps() {
        let full = account(0, MinorUnits::MAX);
        assert_eq!(balances_after(&account(0, 5), &full, 1), Err(Decline::BalanceOverflow));
        let deep = account(MinorUnits::MIN, MinorUnits::MIN);
        assert_eq!(balances_after(&deep, &account(0, 0), 1), Err(Decline::BalanceOverflow));
    }
}
