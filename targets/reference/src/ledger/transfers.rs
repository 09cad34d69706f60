//! Deciding a transfer or a reversal under the accounts' locks, and writing down what was decided.

use sqlx::{Executor, PgConnection, Row, SqlSafeStr};

use super::accounts::{self, Account};
use super::execute::Work;
use super::posting::{Posting, Side};
use super::record::{Record, WRITE};
use super::{LedgerError, by_clock, idempotency, piecemeal};
use crate::defects::{Defect, Defects};
use crate::domain::{AccountId, Answer, Currency, Decline, MinorUnits, Order, Request};
use reference_common::store::Transaction;

/// What was decided.
pub(super) struct Decision {
    /// The transfer's id.
    pub(super) id: String,
    /// What is to be moved.
    pub(super) order: Order,
    /// What the caller hears.
    pub(super) answer: Answer,
    /// What is to be posted, unless it is a decline.
    pub(super) posting: Option<Posting>,
}

/// Locks the accounts and decides a request. `numbers` are entry numbers drawn beforehand, of which there are none when
/// all is well.
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
    // A connection must be told of a statement once. Told now, it is not told while the accounts are locked.
    transaction.prepare(WRITE.into_sql_str()).await?;
    let (debit, credit) = accounts::lock(transaction, &order.from, &order.to, defects).await?;
    let numbers = numbers.or_else(|| by_clock::numbers(defects));
    // Made in a ledger that began with one currency.
    let same_currency = debit.currency == order.currency.as_str() && credit.currency == order.currency.as_str();
    if !same_currency && !defects.has(Defect::CurrencyIgnored) {
        return Err(LedgerError::CurrencyMismatch);
    }
    if let Some(original) = reverses
        && guards_reversals(defects)
    {
        refuse_if_reversed(transaction, original).await?;
    }
    let (debit_after, credit_after) = match balances_after(&debit, &credit, order.amount) {
        Ok(after) => after,
        Err(decline) => {
            let answer = Answer::declined(id, decline);
            return Ok(Decision { id: id.to_owned(), order, answer, posting: None });
        }
    };
    let (first, second) = numbers.map_or((None, None), |[first, second]| (Some(first), Some(second)));
    let posting = Posting {
        transfer: id.to_owned(),
        key: work.key.as_str().to_owned(),
        debit: Side { account: debit.id, amount: -order.amount, balance: debit_after, number: first },
        credit: Side { account: credit.id, amount: order.amount, balance: credit_after, number: second },
        currency: order.currency.clone(),
        reverses: reverses.map(str::to_owned),
    };
    Ok(Decision { id: id.to_owned(), order, answer: Answer::posted(id, reverses), posting: Some(posting) })
}

/// Writes down what was decided: all of it in one statement, unless a defect cuts it up.
pub(super) async fn write(
    transaction: &mut Transaction,
    work: &Work<'_>,
    decision: &Decision,
    defects: &Defects,
) -> Result<(), LedgerError> {
    let Decision { id, order, answer, posting } = decision;
    let stores_answer = work.claims && idempotency::is_stored_with_the_work(defects);
    let has_outbox = !defects.has(Defect::PublishBeforeCommit) && !defects.has(Defect::PublishAfterCommit);
    let event = posting.as_ref().filter(|_| has_outbox).map(Posting::event);
    let sides: Vec<&Side> = posting.iter().flat_map(Posting::sides).collect();
    let reverses = work.request.reverses();
    let mut record = Record {
        id,
        key: &work.key,
        order,
        posted: posting.is_some(),
        reverses,
        guards: posting.is_some() && reverses.is_some() && guards_reversals(defects),
        entries: sides.clone(),
        balances: sides,
        event: event.as_ref(),
        answer: Some(answer).filter(|_| stores_answer),
    };
    piecemeal::take_out(&mut record, defects);
    record.write(transaction).await?;
    piecemeal::write_rest(transaction, work, decision, defects).await
}

/// Whether it is asked if a transfer has been reversed.
fn guards_reversals(defects: &Defects) -> bool {
    // Made where the first reversal was a support script.
    !defects.has(Defect::ReversalUnguarded)
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

/// Whoever reverses the same transfer locks the same accounts, so what is read here stays true. The primary key of the
/// table would catch us if it did not.
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
