//! Events: written with the change they tell of, and published from there by the relay.

use serde_json::{Value, json};

use super::Orders;
use crate::defects::Defect;
use crate::domain::{Correlation, EventId, MinorUnits, OrderId, State, Version};
use reference_common::store::{StoreError, Transaction};

/// What the world hears of a change.
pub(crate) struct Event {
    /// Stays the same however often it is delivered, so that a reader can drop repeats.
    pub(crate) id: EventId,
    /// The record's key: one order's events share a partition and its order.
    pub(crate) order: OrderId,
    pub(crate) version: Version,
    pub(crate) state: State,
    pub(crate) amount: MinorUnits,
    pub(crate) currency: String,
    pub(crate) correlation: Option<Correlation>,
}

impl Event {
    /// What readers get. It says what they need to know of the order and nothing of who pays how.
    pub(super) fn payload(&self) -> Value {
        let Self { id, order, version, state, amount, currency, correlation: _ } = self;
        json!({"id": id, "order": order, "version": version, "state": state, "amount": amount, "currency": currency})
    }

    async fn write(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        sqlx::query("insert into outbox (event_id, order_id, payload, correlation) values ($1, $2, $3, $4)")
            .bind(self.id.as_str())
            .bind(self.order.as_str())
            .bind(self.payload())
            .bind(self.correlation.as_ref().map(Correlation::as_str))
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }
}

impl Orders {
    /// Commits a change together with its event: the outbox is what makes both or neither.
    pub(crate) async fn commit(&self, mut transaction: Transaction, event: &Event) -> Result<(), StoreError> {
        if self.defects.has(Defect::DualWrite) {
            // Made by calling "save" and then "send". A process that dies in between leaves a change nobody hears of.
            transaction.commit().await?;
            self.direct.publish(event).await;
            return Ok(());
        }
        if self.defects.has(Defect::PublishBeforeCommit) {
            // Made to avoid the above. Now others hear of what may never be, or hear of it before it is.
            self.direct.publish(event).await;
            return transaction.commit().await;
        }
        event.write(&mut transaction).await?;
        transaction.commit().await
    }
}
