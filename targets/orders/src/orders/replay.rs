//! Putting an order's dead letters back to work.

use super::{Orders, OrdersError};
use crate::defects::Defect;
use crate::domain::OrderId;

impl Orders {
    /// Takes the order's letters for done with, and gives its payment three new attempts. Returns how many letters there
    /// were. The event is not processed a second time: the payment goes on where it was given up, under the same key at
    /// the gateway, and after a look at what earlier attempts have done. An order that is terminal by now has no payment.
    ///
    /// # Errors
    /// When there is no such order or no such letter (nothing happened), or the outcome is open.
    pub(crate) async fn replay(&self, order: &OrderId) -> Result<u64, OrdersError> {
        let mut transaction = self.database.begin().await?;
        let replayed = async {
            let lock = sqlx::query("select from orders where id = $1 for update").bind(order.as_str());
            lock.fetch_optional(&mut *transaction).await?.ok_or(OrdersError::UnknownOrder)?;
            let letters = sqlx::query("update dead_letters set replayed = true where order_id = $1 and not replayed");
            let letters = letters.bind(order.as_str()).execute(&mut *transaction).await?.rows_affected();
            if letters == 0 {
                return Err(OrdersError::NothingToReplay);
            }
            if self.defects.has(Defect::ReplaysKnownEvent) {
                return Ok(letters);
            }
            sqlx::query(
                "update payments set parked = false, attempts = 0, looks = 0, claim = null, due_at = now()
                 where order_id = $1 and parked",
            )
            .bind(order.as_str())
            .execute(&mut *transaction)
            .await?;
            Ok(letters)
        };
        match replayed.await {
            Ok(letters) => {
                transaction.commit().await?;
                if self.defects.has(Defect::ReplaysKnownEvent) {
                    // Made by sending the letter's record once more, as it was. Whoever takes it has seen its id before.
                    self.publish_letters(order).await?;
                }
                Ok(letters)
            }
            Err(error) => {
                transaction.rollback().await;
                Err(error)
            }
        }
    }

    async fn publish_letters(&self, order: &OrderId) -> Result<(), OrdersError> {
        let mut transaction = self.database.begin().await?;
        let payloads = sqlx::query_scalar("select payload from dead_letters where order_id = $1 order by position");
        let payloads: Vec<String> = payloads.bind(order.as_str()).fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        for payload in payloads {
            self.direct.publish_again(order, &payload).await;
        }
        Ok(())
    }
}
