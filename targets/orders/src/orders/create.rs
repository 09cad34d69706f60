//! A new order: its row, its card and its event in one transaction, once per key.

use std::sync::Arc;

use sqlx::Row;

use super::{Event, Orders, OrdersError};
use crate::defects::Defect;
use crate::domain::{Correlation, EventId, Key, OrderId, State, Version, Wish};
use reference_common::store::Transaction;

/// What the caller hears of its order.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Accepted {
    pub(crate) id: String,
    pub(crate) state: State,
    pub(crate) version: Version,
}

impl Orders {
    /// Takes an order, or finds the one that was taken under this key.
    ///
    /// # Errors
    /// When the key stands for another wish (nothing happened), or the outcome is open ([`OrdersError::Store`]).
    pub(crate) async fn create(
        self: &Arc<Self>,
        key: &Key,
        wish: &Wish,
        correlation: &Correlation,
    ) -> Result<Accepted, OrdersError> {
        if self.defects.has(Defect::RefusesWithoutBroker) && !self.direct.reaches_broker().await {
            // Made to fail early: without the broker nobody will hear of it. But that is what the outbox is for.
            return Err(OrdersError::NoBroker);
        }
        let mut transaction = self.database.begin().await?;
        let order = OrderId::fresh();
        let fingerprint = wish.fingerprint(key);
        // If another transaction has inserted the key and not ended yet, the database lets us wait here.
        let inserted = sqlx::query(
            "insert into orders (id, key, fingerprint, customer, amount, currency, state, version)
             values ($1, $2, $3, $4, $5, $6, $7, 1) on conflict (key) do nothing",
        )
        .bind(order.as_str())
        .bind(key.as_str())
        .bind(&fingerprint)
        .bind(wish.customer.as_str())
        .bind(wish.amount)
        .bind(wish.currency.as_str())
        .bind(State::Created)
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            if self.defects.has(Defect::AnswersFreshId) {
                // Made by `on conflict do nothing` and an answer that takes the row for written.
                transaction.rollback().await;
                return Ok(Accepted { id: order.to_string(), state: State::Created, version: 1 });
            }
            let known = known(&mut transaction, key, &fingerprint).await;
            transaction.rollback().await;
            return known;
        }
        sqlx::query("insert into cards (order_id, number) values ($1, $2)")
            .bind(order.as_str())
            .bind(wish.card.number())
            .execute(&mut *transaction)
            .await?;
        let event = Event {
            id: EventId::fresh(),
            order: order.clone(),
            version: 1,
            state: State::Created,
            amount: wish.amount,
            currency: wish.currency.as_str().to_owned(),
            correlation: Some(correlation.clone()),
        };
        self.accept(transaction, event).await?;
        tracing::info!(%order, correlation_id = %correlation, "accepted");
        Ok(Accepted { id: order.to_string(), state: State::Created, version: 1 })
    }

    /// Commits, then answers: the only order in which an answer is true.
    async fn accept(self: &Arc<Self>, transaction: Transaction, event: Event) -> Result<(), OrdersError> {
        if self.defects.has(Defect::AcceptedBeforeCommit) {
            // Made for speed: the answer is ready, so let the commit run in the background.
            let orders = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(error) = orders.commit(transaction, &event).await {
                    tracing::error!(%error, order = %event.order, "not committed");
                }
            });
            return Ok(());
        }
        Ok(self.commit(transaction, &event).await?)
    }
}

/// The order that was taken under this key.
async fn known(transaction: &mut Transaction, key: &Key, fingerprint: &str) -> Result<Accepted, OrdersError> {
    let sql = "select id, fingerprint, state, version from orders where key = $1";
    let row = sqlx::query(sql).bind(key.as_str()).fetch_one(&mut **transaction).await?;
    if row.try_get::<&str, _>("fingerprint")? != fingerprint {
        return Err(OrdersError::KeyReuse);
    }
    Ok(Accepted { id: row.try_get("id")?, state: row.try_get("state")?, version: row.try_get("version")? })
}
