//! What a decided request leaves behind, written in one statement.
//!
//! By now the accounts are locked, and every round trip to the database is one that everybody waits for who wants one of
//! them. So the transfer, its entries, the balances, the event and the answer go out together, and COMMIT is next.

use sqlx::PgConnection;

use super::LedgerError;
use super::outbox::Event;
use super::posting::Side;
use crate::domain::{Answer, Key, Order};

/// Everything that is to be written about one request.
pub(super) struct Record<'a> {
    /// The transfer's id.
    pub(super) id: &'a str,
    pub(super) key: &'a Key,
    pub(super) order: &'a Order,
    /// Whether the money moves; a decline is recorded too.
    pub(super) posted: bool,
    /// The transfer that this one takes back.
    pub(super) reverses: Option<&'a str>,
    /// Whether the original is to be marked as reversed.
    pub(super) guards: bool,
    /// What goes into the journal, in this order.
    pub(super) entries: Vec<&'a Side>,
    /// What is added to the balances.
    pub(super) balances: Vec<&'a Side>,
    /// What the outbox gets.
    pub(super) event: Option<&'a Event>,
    /// What is kept under the key.
    pub(super) answer: Option<&'a Answer>,
}

/// The parts of this statement see the database as it was before, and none sees another: each needs only its parameters.
/// References between the tables are checked at the end of the statement. Entries are numbered in the order of the array.
/// Adding to a balance and setting it come to the same, because the rows are locked; adding is right even for a reader who
/// does not believe in the lock.
pub(super) const WRITE: &str = "with
    transfer as (
        insert into transfers (id, key, debit, credit, amount, currency, posted, reverses)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
    ),
    reversal as (
        insert into reversals (original, reversal) select $8, $1 where $9::boolean
    ),
    journal as (
        insert into entries (sequence, transfer, account, amount, currency, key, reverses)
        select coalesce(number, nextval('entries_sequence_seq')), $1, account, side.amount, $6, $2, $8
        from unnest($10::text[], $11::bigint[], $12::bigint[]) with ordinality
            as side (account, amount, number, place)
        order by place
    ),
    projection as (
        update accounts set balance = balance + side.amount, version = version + 1
        from unnest($13::text[], $14::bigint[]) as side (account, amount)
        where accounts.id = side.account
    ),
    event as (
        insert into outbox (event_id, account, payload) select $15::text, $16::text, $17::jsonb where $15::text is not null
    )
    update idempotency_keys set status = $18, answer = $19::text where key = $2 and $19::text is not null";

impl Record<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn write(&self, connection: &mut PgConnection) -> Result<(), LedgerError> {
        fn names<'a>(sides: &[&'a Side]) -> Vec<&'a str> {
            sides.iter().map(|side| side.account.as_str()).collect()
        }
        fn amounts(sides: &[&Side]) -> Vec<i64> {
            sides.iter().map(|side| side.amount).collect()
        }
        sqlx::query(WRITE)
            .bind(self.id)
            .bind(self.key.as_str())
            .bind(self.order.from.as_str())
            .bind(self.order.to.as_str())
            .bind(self.order.amount)
            .bind(self.order.currency.as_str())
            .bind(self.posted)
            .bind(self.reverses)
            .bind(self.guards)
            .bind(names(&self.entries))
            .bind(amounts(&self.entries))
            .bind(self.entries.iter().map(|side| side.number).collect::<Vec<_>>())
            .bind(names(&self.balances))
            .bind(amounts(&self.balances))
            .bind(self.event.map(|event| event.id.as_str()))
            .bind(self.event.map(|event| event.account.as_str()))
            .bind(self.event.map(|event| &event.payload))
            .bind(self.answer.map(|answer| i32::from(answer.status)))
            .bind(self.answer.map(|answer| answer.body.as_str()))
            .execute(connection)
            .await?;
        Ok(())
    }
}
