//! Entities and their events, as the database has them. Everything that happens to an entity happens in one transaction,
//! under the lock of its row: so two consumers that have the same event, or two events of one entity, take turns.

mod apply;
mod memory;
pub(crate) mod watch;

use std::sync::{Arc, Mutex};

use reference_common::store::{self, Database, StoreError, Transaction};

use self::memory::Memory;
use crate::config;
use crate::defects::{Defect, Defects};
use crate::event::Event;

/// How many events of one entity are held back at most.
const HELD_MAX: i64 = 10_000;

/// The entities in their database.
pub(crate) struct Entities {
    database: Arc<Database>,
    pub(crate) defects: Defects,
    /// For the defects that remember in this process what belongs into the database.
    memory: Mutex<Memory>,
}

/// What was done with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// It was applied, and so many that had waited for it.
    Applied(usize),
    /// It waits for one before it.
    Held,
    /// It was applied before.
    Known,
    /// Nothing: it cannot be applied yet, and there is no room to let it wait.
    Nothing,
}

/// How an entity stands.
#[derive(sqlx::FromRow)]
struct Standing {
    sequence: i64,
    total: i64,
    waiting: bool,
    latest: String,
}

impl Entities {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When the URL is none.
    pub(crate) fn new(config: &config::Common) -> Result<Self, sqlx::Error> {
        let options = store::options(&config.database_url, &config.instance)?;
        let (defects, memory) = (config.defects.clone(), Mutex::default());
        Ok(Self { database: Database::new(options), defects, memory })
    }

    /// Does with an event what its sequence says.
    pub(crate) async fn take(&self, event: &Event) -> Result<Done, StoreError> {
        let mut transaction = self.database.begin().await?;
        let standing = lock(&mut transaction, &event.entity).await?;
        let done = match self.distance(&mut transaction, event, &standing).await? {
            1 => Done::Applied(self.apply(&mut transaction, &standing, event).await?),
            0 | i64::MIN..0 => self.take_again(&mut transaction, &standing, event).await?,
            // Made by one rule for all that fails: try again until it works. What is missing is behind it in the partition.
            _ if self.defects.has(Defect::StopsPartition) => Done::Nothing,
            _ => self.hold(&mut transaction, event).await?,
        };
        transaction.commit().await?;
        Ok(done)
    }

    /// How far ahead of its entity an event is: the next one is 1 ahead.
    async fn distance(
        &self,
        transaction: &mut Transaction,
        event: &Event,
        standing: &Standing,
    ) -> Result<i64, StoreError> {
        if self.defects.has(Defect::LastWriterWins) {
            // Made by taking "the latest" for the one with the latest timestamp. Clocks of producers differ.
            return Ok(i64::from(event.at > standing.latest));
        }
        if self.defects.has(Defect::HighestWins) {
            // Made by guarding against steps back alone. What comes late is then too old, and lost.
            return Ok(i64::from(event.sequence > standing.sequence));
        }
        if self.defects.has(Defect::GlobalSequence) {
            // Made while there was one entity, or by testing with one.
            let last: i64 =
                sqlx::query_scalar("select max(sequence) from entities").fetch_one(&mut **transaction).await?;
            return Ok(event.sequence - last);
        }
        Ok(event.sequence.saturating_sub(standing.sequence))
    }

    /// An event that comes again changes nothing.
    async fn take_again(
        &self,
        transaction: &mut Transaction,
        standing: &Standing,
        event: &Event,
    ) -> Result<Done, StoreError> {
        // Made by a check against what comes too early, and none against what comes again.
        let is_new = self.defects.has(Defect::NoDedupe)
            // Made by taking what this process does not remember for late rather than known.
            || self.defects.has(Defect::DedupeInMemory) && !self.memory().has_applied(event);
        if is_new {
            return Ok(Done::Applied(self.apply(transaction, standing, event).await?));
        }
        Ok(Done::Known)
    }

    /// Lets an event wait for those before it.
    async fn hold(&self, transaction: &mut Transaction, event: &Event) -> Result<Done, StoreError> {
        if self.defects.has(Defect::HeldInMemory) {
            // Made because it is quick, and empties by itself within moments. Its offset is committed.
            self.memory().hold(event);
        } else {
            let sql = "insert into held (entity, sequence, event, amount, at) select $1, $2, $3, $4, $5
                       where (select count(*) from held where entity = $1) < $6 on conflict do nothing";
            let insert = sqlx::query(sql).bind(&event.entity).bind(event.sequence).bind(&event.id);
            let insert = insert.bind(event.amount).bind(&event.at).bind(HELD_MAX);
            if insert.execute(&mut **transaction).await?.rows_affected() == 0 {
                return self.held_or_nothing(transaction, event).await;
            }
        }
        let sql = "update entities set waiting_since = clock_timestamp() where entity = $1 and waiting_since is null";
        sqlx::query(sql).bind(&event.entity).execute(&mut **transaction).await?;
        if self.defects.has(Defect::SurfacesAtOnce) {
            // Made without a thought of order: whatever is out of it is an incident, and soon nobody looks any more.
            let sql = "insert into gaps (entity, sequence) select entity, sequence + 1 from entities where entity = $1
                       on conflict do nothing";
            sqlx::query(sql).bind(&event.entity).execute(&mut **transaction).await?;
        }
        Ok(Done::Held)
    }

    async fn held_or_nothing(&self, transaction: &mut Transaction, event: &Event) -> Result<Done, StoreError> {
        let held = sqlx::query("select from held where entity = $1 and sequence = $2").bind(&event.entity);
        let held = held.bind(event.sequence).fetch_optional(&mut **transaction).await?.is_some();
        Ok(if held { Done::Held } else { Done::Nothing })
    }

    /// Keeps a record that nobody can apply, for people to look at.
    pub(crate) async fn bury(&self, place: &str, payload: &str, reason: &str) -> Result<(), StoreError> {
        let mut transaction = self.database.begin().await?;
        let sql = "insert into letters (place, payload, reason) values ($1, $2, $3) on conflict do nothing";
        sqlx::query(sql).bind(place).bind(payload).bind(reason).execute(&mut *transaction).await?;
        transaction.commit().await
    }
}

/// Locks an entity, which is there afterwards if it was not before.
async fn lock(transaction: &mut Transaction, entity: &str) -> Result<Standing, StoreError> {
    let sql = "insert into entities (entity) values ($1) on conflict (entity) do update set entity = excluded.entity
               returning sequence, total, waiting_since is not null as waiting, latest";
    Ok(sqlx::query_as(sql).bind(entity).fetch_one(&mut **transaction).await?)
}
