//! Payments: the work that is to be done for an order, and how far it is.
//!
//! Whoever works on a payment has a *claim*: a token in its row, and `due_at` a lease ahead, before which nobody else
//! takes it up. Counts and pauses are written only under the claim, so that what a worker writes that was frozen past
//! its lease is void. What the gateway has done with the charge is a fact and needs no claim ([`Orders::settle`]).

use std::time::{Duration, Instant};

use sqlx::{PgConnection, Row};

use super::letters::Letter;
use super::{Guard, Orders, Step};
use crate::domain::{Card, Correlation, EventId, MinorUnits, OrderId, State, Version, new_id};
use reference_common::store::{StoreError, Transaction, within};

/// How long a claim lasts. It is longer than an attempt can take with all its limits, and it is what an order waits for
/// when its worker dies. As nobody knows what the gateway told a worker that died, it is also meant to be longer than
/// what gateways tell one to wait.
pub(crate) const LEASE: Duration = Duration::from_secs(6);
/// What claiming may take.
const CLAIM_LIMIT: Duration = Duration::from_secs(1);

/// A payment under a claim.
pub(crate) struct Payment {
    pub(crate) order: OrderId,
    pub(crate) event: EventId,
    /// The event as it came.
    pub(crate) payload: String,
    pub(crate) correlation: Option<Correlation>,
    /// The order's state by now. If it is terminal there is nothing left to do.
    pub(crate) state: State,
    /// The order's version while it waits for this payment.
    pub(crate) version: Version,
    pub(crate) amount: MinorUnits,
    pub(crate) currency: String,
    /// Gone when the order is terminal.
    pub(crate) card: Option<Card>,
    pub(crate) attempts: i32,
    /// Whether an earlier attempt may have had an effect that nobody has written down.
    pub(crate) doubt: bool,
    pub(crate) parked: bool,
    pub(crate) looks: i32,
    claim: String,
    /// A moment before the claim began, by our monotonic clock.
    pub(crate) claimed: Instant,
}

/// What is to be remembered of a payment that is not done, and when to go on with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pause {
    pub(crate) attempts: i32,
    pub(crate) doubt: bool,
    pub(crate) wait: Duration,
}

/// Claims up to `max` payments that are due. It asks nobody to wait: what another worker is just claiming is skipped.
pub(crate) async fn claim(connection: &mut PgConnection, max: usize) -> Result<Vec<Payment>, StoreError> {
    // Asked first, so that a worker at rest only reads.
    let due =
        sqlx::query_scalar("select exists (select from payments where due_at <= now())").fetch_one(&mut *connection);
    if !within(CLAIM_LIMIT, "looking for payments", async { Ok(due.await?) }).await? {
        return Ok(Vec::new());
    }
    let (claim, claimed) = (new_id(), Instant::now());
    let rows = sqlx::query(
        "with due as (
             select order_id from payments where due_at <= now() order by due_at limit $1 for update skip locked
         )
         update payments p set claim = $2, due_at = now() + make_interval(secs => $3)
         from due join orders o on o.id = due.order_id left join cards c on c.order_id = due.order_id
         where p.order_id = due.order_id
         returning p.order_id, p.event_id, p.payload, p.correlation, p.version, p.attempts, p.doubt, p.parked, p.looks,
                   o.state, o.amount, o.currency, c.number",
    )
    .bind(i64::try_from(max).unwrap_or(i64::MAX))
    .bind(&claim)
    .bind(LEASE.as_secs_f64())
    .fetch_all(connection);
    let rows = within(CLAIM_LIMIT, "claiming payments", async { Ok(rows.await?) }).await?;
    rows.iter().map(|row| Payment::read(row, &claim, claimed).map_err(StoreError::from)).collect()
}

impl Payment {
    fn read(row: &sqlx::postgres::PgRow, claim: &str, claimed: Instant) -> Result<Self, sqlx::Error> {
        let name = |what: &'static str| sqlx::Error::Decode(format!("no {what}").into());
        let correlation: Option<&str> = row.try_get("correlation")?;
        let card: Option<&str> = row.try_get("number")?;
        Ok(Self {
            order: OrderId::new(row.try_get("order_id")?).ok_or_else(|| name("order id"))?,
            event: EventId::new(row.try_get("event_id")?).ok_or_else(|| name("event id"))?,
            payload: row.try_get("payload")?,
            correlation: correlation.and_then(Correlation::new),
            state: row.try_get("state")?,
            version: row.try_get("version")?,
            amount: row.try_get("amount")?,
            currency: row.try_get("currency")?,
            card: card.and_then(Card::new),
            attempts: row.try_get("attempts")?,
            doubt: row.try_get("doubt")?,
            parked: row.try_get("parked")?,
            looks: row.try_get("looks")?,
            claim: claim.to_owned(),
            claimed,
        })
    }
}

impl Orders {
    /// Notes that an attempt begins, before it does. Saying it again changes nothing. Returns whether the claim holds.
    pub(crate) async fn begin_attempt(&self, payment: &Payment, attempts: i32) -> Result<bool, StoreError> {
        let mut transaction = self.database.begin().await?;
        let sql = "update payments set attempts = $3, doubt = true where order_id = $1 and claim = $2";
        let updated = sqlx::query(sql).bind(payment.order.as_str()).bind(&payment.claim).bind(attempts);
        let held = updated.execute(&mut *transaction).await?.rows_affected() == 1;
        transaction.commit().await?;
        Ok(held)
    }

    /// Gives the claim back, with what is to be remembered. Nothing is written if it is no longer ours.
    pub(crate) async fn pause(&self, payment: &Payment, pause: Pause) -> Result<(), StoreError> {
        let mut transaction = self.database.begin().await?;
        sqlx::query(
            "update payments set attempts = $3, doubt = $4, claim = null, due_at = now() + make_interval(secs => $5)
             where order_id = $1 and claim = $2",
        )
        .bind(payment.order.as_str())
        .bind(&payment.claim)
        .bind(pause.attempts)
        .bind(pause.doubt)
        .bind(pause.wait.as_secs_f64())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// Writes down what the gateway has done: the order is paid or has failed. Whoever knows it may write it, and only the
    /// first one's writing has an effect. Returns whether this was it.
    pub(crate) async fn settle(
        &self,
        order: &OrderId,
        version: Version,
        to: State,
        correlation: Option<&Correlation>,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.database.begin().await?;
        let step = Step { order, from: State::PaymentPending, version, to, correlation };
        let Some(event) = step.take(&mut transaction, Guard::of_outcome(&self.defects)).await? else {
            transaction.rollback().await;
            return Ok(false);
        };
        forget(&mut transaction, order).await?;
        self.commit(transaction, &event).await?;
        Ok(true)
    }

    /// Gives a payment up: its letter is written, and the payment parked. Its row stays for a replay, and for effects that
    /// come late, which are looked for from `wait` on. Nothing is written if the claim is no longer ours.
    pub(crate) async fn give_up(&self, payment: &Payment, reason: &str, pause: Pause) -> Result<bool, StoreError> {
        let mut transaction = self.database.begin().await?;
        let lock = sqlx::query("select from orders where id = $1 for update").bind(payment.order.as_str());
        lock.fetch_optional(&mut *transaction).await?;
        let parked = sqlx::query(
            "update payments set attempts = $3, doubt = $4, claim = null, due_at = now() + make_interval(secs => $5),
                                 parked = true, looks = 0
             where order_id = $1 and claim = $2",
        )
        .bind(payment.order.as_str())
        .bind(&payment.claim)
        .bind(pause.attempts)
        .bind(pause.doubt)
        .bind(pause.wait.as_secs_f64())
        .execute(&mut *transaction)
        .await?;
        if parked.rows_affected() == 0 {
            transaction.rollback().await;
            return Ok(false);
        }
        let letter = Letter {
            source: Letter::of_event(&payment.event),
            event: Some(&payment.event),
            order: Some(&payment.order),
            reason,
            payload: &payment.payload,
            attempts: pause.attempts,
        };
        self.write_or_reopen(&mut transaction, &letter).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Notes that a parked payment was looked at, and when to look again; never, if there is no such moment.
    pub(crate) async fn looked(&self, payment: &Payment, again: Option<Duration>) -> Result<(), StoreError> {
        let mut transaction = self.database.begin().await?;
        sqlx::query(
            "update payments set looks = looks + 1, claim = null,
                                 due_at = coalesce(now() + make_interval(secs => $3), 'infinity')
             where order_id = $1 and claim = $2",
        )
        .bind(payment.order.as_str())
        .bind(&payment.claim)
        .bind(again.map(|wait| wait.as_secs_f64()))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// Removes a payment whose order is terminal already.
    pub(crate) async fn remove(&self, payment: &Payment) -> Result<(), StoreError> {
        let mut transaction = self.database.begin().await?;
        forget(&mut transaction, &payment.order).await?;
        transaction.commit().await
    }
}

impl Orders {
    /// For the defect `charge-before-record`: what an order costs and who pays, unless it is done with.
    pub(crate) async fn bill(&self, order: &OrderId) -> Result<Option<(Card, MinorUnits, String)>, StoreError> {
        let mut transaction = self.database.begin().await?;
        let sql = "select number, amount, currency from orders join cards on order_id = id where id = $1";
        let row = sqlx::query(sql).bind(order.as_str()).fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        let Some(row) = row else { return Ok(None) };
        let card = Card::new(row.try_get("number")?);
        Ok(card
            .map(|card| Ok::<_, sqlx::Error>((card, row.try_get("amount")?, row.try_get("currency")?)))
            .transpose()?)
    }
}

/// Removes an order's payment and its card: nothing is needed of them any more.
async fn forget(transaction: &mut Transaction, order: &OrderId) -> Result<(), StoreError> {
    for sql in ["delete from payments where order_id = $1", "delete from cards where order_id = $1"] {
        sqlx::query(sql).bind(order.as_str()).execute(&mut **transaction).await?;
    }
    Ok(())
}
