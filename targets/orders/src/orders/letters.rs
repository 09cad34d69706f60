//! Dead letters: what could not be done, with all that a person needs to see why and to have it done after all.

use super::Orders;
use crate::defects::Defect;
use crate::domain::{EventId, OrderId, new_id};
use reference_common::store::{StoreError, Transaction};

/// A letter to write.
pub(crate) struct Letter<'a> {
    /// What is dead: the event, or the place in the topic of what is no event. There is one letter for each.
    pub(crate) source: String,
    pub(crate) event: Option<&'a EventId>,
    pub(crate) order: Option<&'a OrderId>,
    pub(crate) reason: &'a str,
    /// The record's value, as text.
    pub(crate) payload: &'a str,
    pub(crate) attempts: i32,
}

impl Letter<'_> {
    /// The source of an event's letter.
    pub(crate) fn of_event(event: &EventId) -> String {
        format!("event {event}")
    }
}

impl Orders {
    /// Writes the letter of a record that is no use to anyone. A record that comes again finds its letter there.
    pub(crate) async fn bury(&self, letter: &Letter<'_>) -> Result<(), StoreError> {
        let mut transaction = self.database.begin().await?;
        self.write_letter(&mut transaction, letter, "on conflict (source) do nothing").await?;
        transaction.commit().await
    }

    /// Writes the letter of an event whose payment has failed for good. If the event has been replayed, its letter is
    /// opened again.
    pub(super) async fn write_or_reopen(
        &self,
        transaction: &mut Transaction,
        letter: &Letter<'_>,
    ) -> Result<(), StoreError> {
        let reopen = "on conflict (source) do update
                      set reason = excluded.reason, attempts = excluded.attempts, replayed = false";
        self.write_letter(transaction, letter, reopen).await
    }

    async fn write_letter(
        &self,
        transaction: &mut Transaction,
        letter: &Letter<'_>,
        on_conflict: &str,
    ) -> Result<(), StoreError> {
        // Made to keep the table small, or to keep personal data out of it: the record is still in the topic. For a while.
        let payload = if self.defects.has(Defect::LetterWithoutPayload) { "" } else { letter.payload };
        let sql = format!(
            "insert into dead_letters (id, source, event_id, order_id, reason, payload, attempts)
             values ($1, $2, $3, $4, $5, $6, $7) {on_conflict}"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(new_id())
            .bind(&letter.source)
            .bind(letter.event.map(EventId::as_str))
            .bind(letter.order.map(OrderId::as_str))
            .bind(letter.reason)
            .bind(payload)
            .bind(letter.attempts)
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }
}
