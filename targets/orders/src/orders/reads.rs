//! What can be read. Each answer is one statement, and so one snapshot.

use super::{Orders, OrdersError};
use crate::domain::{MinorUnits, OrderId, State, Version};

/// An order as callers see it.
#[derive(Debug, serde::Serialize, sqlx::FromRow)]
pub(crate) struct OrderView {
    id: String,
    key: String,
    state: State,
    version: Version,
    amount: MinorUnits,
    currency: String,
}

/// A dead letter as callers see it.
#[derive(Debug, serde::Serialize, sqlx::FromRow)]
pub(crate) struct LetterView {
    id: String,
    #[sqlx(rename = "event_id")]
    event: Option<String>,
    #[sqlx(rename = "order_id")]
    order: Option<String>,
    reason: String,
    payload: String,
    attempts: i32,
    replayed: bool,
}

impl Orders {
    /// One order.
    pub(crate) async fn order(&self, order: &OrderId) -> Result<OrderView, OrdersError> {
        let mut transaction = self.database.begin().await?;
        let sql = "select id, key, state, version, amount, currency from orders where id = $1";
        let found = sqlx::query_as(sql).bind(order.as_str()).fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        found.ok_or(OrdersError::UnknownOrder)
    }

    /// All orders, the oldest first.
    pub(crate) async fn orders(&self) -> Result<Vec<OrderView>, OrdersError> {
        let mut transaction = self.database.begin().await?;
        let sql = "select id, key, state, version, amount, currency from orders order by position";
        let found = sqlx::query_as(sql).fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(found)
    }

    /// All dead letters, the oldest first.
    pub(crate) async fn dead_letters(&self) -> Result<Vec<LetterView>, OrdersError> {
        let mut transaction = self.database.begin().await?;
        let sql =
            "select id, event_id, order_id, reason, payload, attempts, replayed from dead_letters order by position";
        let found = sqlx::query_as(sql).fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(found)
    }
}
