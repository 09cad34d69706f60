//! One step of an order from a state to the next.

use sqlx::Row;

use super::Event;
use crate::defects::{Defect, Defects};
use crate::domain::{Correlation, EventId, OrderId, State, Version};
use reference_common::store::{StoreError, Transaction};

/// A change that is wanted, and what it was decided on.
pub(crate) struct Step<'a> {
    pub(crate) order: &'a OrderId,
    /// The state that the order was seen in.
    pub(crate) from: State,
    /// The version that it was seen at.
    pub(crate) version: Version,
    pub(crate) to: State,
    pub(crate) correlation: Option<&'a Correlation>,
}

/// What a step requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// The order is as it was seen. Whoever comes second changes nothing.
    AsSeen,
    /// Nothing: the version rises from whatever it is.
    Nothing,
    /// Nothing, and the version becomes the one after that which was seen.
    OverwriteBySeen,
}

impl Guard {
    /// What a step out of PAYMENT_PENDING requires.
    pub(crate) fn of_outcome(defects: &Defects) -> Self {
        if defects.has(Defect::NoVersionCheck) {
            // Made by "update … where id = ?". It is right as long as nobody else is at it.
            Self::Nothing
        } else if defects.has(Defect::WritesAfterLoss) {
            // Made by keeping the order as an object and saving it when the work is done. A worker that was frozen
            // meanwhile saves it over what its successor did.
            Self::OverwriteBySeen
        } else {
            Self::AsSeen
        }
    }
}

impl Step<'_> {
    /// Takes the step. `None` if the order is not, or no longer, as it was seen.
    pub(crate) async fn take(&self, transaction: &mut Transaction, guard: Guard) -> Result<Option<Event>, StoreError> {
        let sql = match guard {
            Guard::AsSeen => {
                "update orders set state = $4, version = $3 + 1 where id = $1 and state = $2 and version = $3
                 returning version, amount, currency"
            }
            // The types of what is not used have to be told.
            Guard::Nothing => {
                "update orders set state = $4, version = version + 1 where id = $1 and $2::text <> '' and $3::integer > 0
                 returning version, amount, currency"
            }
            Guard::OverwriteBySeen => {
                "update orders set state = $4, version = $3 + 1 where id = $1 and $2::text <> ''
                 returning version, amount, currency"
            }
        };
        let row = sqlx::query(sql)
            .bind(self.order.as_str())
            .bind(self.from)
            .bind(self.version)
            .bind(self.to)
            .fetch_optional(&mut **transaction)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Event {
            id: EventId::fresh(),
            order: self.order.clone(),
            version: row.try_get("version")?,
            state: self.to,
            amount: row.try_get("amount")?,
            currency: row.try_get("currency")?,
            correlation: self.correlation.cloned(),
        }))
    }
}
