//! Writing down what an event asks for: the order's next state, the event's id, and the payment, all or nothing.

use std::time::Duration;

use super::Shop;
use super::incoming::{Happened, Incoming};
use crate::defects::Defect;
use crate::domain::{Correlation, OrderId, State};
use crate::orders::{Guard, Step};
use reference_common::store::{StoreError, Transaction};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    /// The payment will be made.
    New,
    /// It had been written down before.
    Repeated,
    /// There is no such order.
    Unknown,
}

impl Shop {
    /// Writes down that the order of this event is to be charged, after `wait` at the earliest.
    pub(super) async fn record(
        &self,
        incoming: &Incoming,
        happened: &Happened,
        wait: Duration,
    ) -> Result<Recorded, StoreError> {
        let defects = &self.orders.defects;
        let mut transaction = self.orders.database.begin().await?;
        if defects.has(Defect::EventOverwritesState) {
            // Made by taking events for the truth: "bring our copy up to date, then act on it". An old event brings it
            // out of date.
            let sql = "update orders set state = $2, version = $3 where id = $1";
            let sync = sqlx::query(sql).bind(happened.order.as_str()).bind(happened.state).bind(happened.version);
            sync.execute(&mut *transaction).await?;
        } else if !self.is_new(&mut transaction, incoming, happened).await? {
            transaction.rollback().await;
            return Ok(Recorded::Repeated);
        }
        let step = Step {
            order: &happened.order,
            from: State::Created,
            version: 1,
            to: State::PaymentPending,
            correlation: incoming.correlation.as_ref(),
        };
        // Made by relying on the one guard: what was not seen before must be new.
        let trusting = defects.has(Defect::DedupeInMemory) || defects.has(Defect::DedupeByOffset);
        let guard = if trusting { Guard::Nothing } else { Guard::AsSeen };
        let Some(event) = step.take(&mut transaction, guard).await? else {
            let known = exists(&mut transaction, &happened.order).await?;
            transaction.rollback().await;
            return Ok(if known { Recorded::Repeated } else { Recorded::Unknown });
        };
        if defects.has(Defect::ProcessedBeforeCharge) {
            // Made by putting the job into the queue "after commit", so that it does not run too early. If the process
            // dies in between, the event is processed and nobody charges.
            self.orders.commit(transaction, &event).await?;
            transaction = self.orders.database.begin().await?;
            enqueue(&mut transaction, incoming, happened, event.version, wait).await?;
            transaction.commit().await?;
            return Ok(Recorded::New);
        }
        enqueue(&mut transaction, incoming, happened, event.version, wait).await?;
        self.orders.commit(transaction, &event).await?;
        Ok(Recorded::New)
    }

    /// Whether this event was not acted on before. Its id is written with what it asks for; a second worker with the same
    /// event waits here until the first one's transaction has ended.
    async fn is_new(
        &self,
        transaction: &mut Transaction,
        incoming: &Incoming,
        happened: &Happened,
    ) -> Result<bool, StoreError> {
        if self.orders.defects.has(Defect::DedupeInMemory) {
            // Made while there was one worker, and it was never restarted.
            return Ok(!self.seen().contains(happened.event.as_str()));
        }
        let id = if self.orders.defects.has(Defect::DedupeByOffset) {
            // Made because every record has one, and it is unique. But the relay publishes an event twice at two places.
            &incoming.place
        } else {
            happened.event.as_str()
        };
        let insert = sqlx::query("insert into inbox (event_id) values ($1) on conflict do nothing").bind(id);
        Ok(insert.execute(&mut **transaction).await?.rows_affected() == 1)
    }
}

async fn exists(transaction: &mut Transaction, order: &OrderId) -> Result<bool, StoreError> {
    let sql = sqlx::query("select from orders where id = $1").bind(order.as_str());
    Ok(sql.fetch_optional(&mut **transaction).await?.is_some())
}

async fn enqueue(
    transaction: &mut Transaction,
    incoming: &Incoming,
    happened: &Happened,
    version: i32,
    wait: Duration,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into payments (order_id, event_id, payload, correlation, version, due_at)
         values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6)) on conflict (order_id) do nothing",
    )
    .bind(happened.order.as_str())
    .bind(happened.event.as_str())
    .bind(&incoming.payload)
    .bind(incoming.correlation.as_ref().map(Correlation::as_str))
    .bind(version)
    .bind(wait.as_secs_f64())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
