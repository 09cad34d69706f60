//! Looking for entities that have waited too long, and writing down what they miss.

use std::convert::Infallible;
use std::time::Duration;

use reference_common::store::{self, StoreError};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::time::sleep;

use super::{Entities, lock};
use crate::config;
use crate::defects::Defect;
use crate::event::Event;

/// How long to wait before looking again.
const POLL: Duration = Duration::from_millis(200);
/// What a statement may take.
const STATEMENT_LIMIT: Duration = Duration::from_secs(1);

/// Whose patience is at an end, by the database's clock, with nobody told.
const OVERDUE: &str = "select entity from entities where waiting_since < clock_timestamp() - make_interval(secs => $1)
     and not exists (select from gaps where gaps.entity = entities.entity and gaps.sequence = entities.sequence + 1)";

/// Written under the lock of the entity, so that no gap is opened that is just being filled. Whoever is busy is left for
/// the next look.
const SURFACE: &str = "with overdue as (
         select entity, sequence + 1 as missing from entities
         where waiting_since < clock_timestamp() - make_interval(secs => $1) for update skip locked
     )
     insert into gaps (entity, sequence) select entity, missing from overdue on conflict do nothing";

/// Looks until it is dropped.
pub(crate) async fn run(entities: &Entities, config: &config::Consumer, options: &PgConnectOptions) {
    loop {
        let Err(error) = session(entities, config, options).await;
        tracing::warn!(%error, "looking for gaps");
        sleep(POLL).await;
    }
}

async fn session(
    entities: &Entities,
    config: &config::Consumer,
    options: &PgConnectOptions,
) -> Result<Infallible, StoreError> {
    let mut connection = store::connect(options).await?;
    let patience = config.patience.as_secs_f64();
    loop {
        let look = async { Ok(sqlx::query_scalar(OVERDUE).bind(patience).fetch_all(&mut connection).await?) };
        let overdue: Vec<String> = store::within(STATEMENT_LIMIT, "looking for gaps", look).await?;
        if !overdue.is_empty() {
            surface(entities, &mut connection, patience, &overdue).await?;
        }
        sleep(POLL).await;
    }
}

async fn surface(
    entities: &Entities,
    connection: &mut PgConnection,
    patience: f64,
    overdue: &[String],
) -> Result<(), StoreError> {
    if entities.defects.has(Defect::WaitsInSilence) {
        // Made by waiting for what is sure to come, as long as producers lose nothing.
        return Ok(());
    }
    if entities.defects.has(Defect::SkipsInSilence) {
        // Made to keep things going: one event was lost, and so many wait for it.
        for entity in overdue {
            entities.skip(entity).await?;
        }
        return Ok(());
    }
    let write = async { Ok(sqlx::query(SURFACE).bind(patience).execute(connection).await?) };
    let written = store::within(STATEMENT_LIMIT, "surfacing gaps", write).await?;
    if written.rows_affected() > 0 {
        tracing::warn!(gaps = written.rows_affected(), "events are missing");
    }
    Ok(())
}

impl Entities {
    /// For the defect `skips-in-silence`: goes on with the first that waits.
    async fn skip(&self, entity: &str) -> Result<(), StoreError> {
        let mut transaction = self.database.begin().await?;
        let standing = lock(&mut transaction, entity).await?;
        let sql = "delete from held where entity = $1
                       and sequence = (select min(sequence) from held where entity = $1)
                   returning event, entity, sequence, amount, at";
        let first: Option<(String, String, i64, i64, String)> =
            sqlx::query_as(sql).bind(entity).fetch_optional(&mut *transaction).await?;
        if let Some((id, entity, sequence, amount, at)) = first {
            self.apply(&mut transaction, &standing, &Event { id, entity, sequence, amount, at }).await?;
        }
        transaction.commit().await
    }
}
