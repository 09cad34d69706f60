//! Ending the sessions of a database, as an administrator or a failover does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use super::{HARNESS, Postgres, STATEMENT_DEADLINE, failure};
use crate::sandbox::ServiceError;

/// Pause between two looks at whether they are gone.
const GONE_EVERY: Duration = Duration::from_millis(2);

/// Sessions that are not the harness's.
const COUNT: &str = "SELECT count(*) FROM pg_stat_activity \
    WHERE datname = $1 AND application_name <> $2 AND backend_type = 'client backend'";

/// Ends the sessions that began before `$3` and are not the harness's; one row for each that was still there.
const END: &str = "SELECT pid, xact_start IS NOT NULL, pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE datname = $1 AND application_name <> $2 AND backend_type = 'client backend' \
    AND backend_start <= $3::timestamptz AND pid <> pg_backend_pid()";

/// Sessions that are just beginning. They hold this lock on their database until they have read its settings, and only then
/// are they among the activities.
const BEGINNING: &str = "SELECT pid FROM pg_locks JOIN pg_database ON objid = pg_database.oid \
    WHERE locktype = 'object' AND classid = 'pg_database'::regclass AND mode = 'RowExclusiveLock' AND datname = $1";

/// Sessions that were ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndedSessions {
    /// How many.
    pub count: usize,
    /// How many of them were in a transaction.
    pub in_transaction: usize,
}

impl fmt::Display for EndedSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sessions = if self.count == 1 { "session was" } else { "sessions were" };
        write!(f, "{} {sessions} ended, {} in a transaction", self.count, self.in_transaction)
    }
}

impl Postgres {
    /// How many sessions there are in `database` besides the harness's own.
    ///
    /// # Errors
    /// When Postgres is not there.
    pub async fn sessions(&self, database: &str) -> Result<i64, ServiceError> {
        let count = sqlx::query_scalar(COUNT).bind(database).bind(HARNESS).fetch_one(&self.pool);
        self.answer(count, || format!("count the sessions of the database `{database}`")).await
    }

    /// Ends every session of `database` that has begun by now, but not the harness's own, and waits until they are gone.
    /// What had been acknowledged stays; what was not committed is rolled back.
    ///
    /// # Errors
    /// When Postgres is not there, or a session does not end.
    pub async fn end_sessions(&self, database: &str) -> Result<EndedSessions, ServiceError> {
        let what = || format!("end the sessions of the database `{database}`");
        let end = Instant::now() + STATEMENT_DEADLINE;
        let now = sqlx::query_scalar("SELECT clock_timestamp()::text").fetch_one(&self.pool);
        let now: String = self.answer(now, what).await?;
        let beginning: BTreeSet<i32> = self.beginning(database).await?;
        let mut ended: BTreeMap<i32, bool> = BTreeMap::new();
        loop {
            let left = sqlx::query_as(END).bind(database).bind(HARNESS).bind(&now).fetch_all(&self.pool);
            let left: Vec<(i32, bool, bool)> = self.answer(left, what).await?;
            for (pid, in_transaction, _) in &left {
                ended.entry(*pid).or_insert(*in_transaction);
            }
            let still_beginning = !beginning.is_empty() && !self.beginning(database).await?.is_disjoint(&beginning);
            if left.is_empty() && !still_beginning {
                let in_transaction = ended.values().filter(|was| **was).count();
                return Ok(EndedSessions { count: ended.len(), in_transaction });
            }
            if Instant::now() >= end {
                return Err(failure(what(), &format!("{} of them did not end", left.len().max(1))));
            }
            tokio::time::sleep(GONE_EVERY).await;
        }
    }

    async fn beginning(&self, database: &str) -> Result<BTreeSet<i32>, ServiceError> {
        let pids = sqlx::query_scalar(BEGINNING).bind(database).fetch_all(&self.pool);
        let pids: Vec<i32> = self.answer(pids, || format!("see who connects to the database `{database}`")).await?;
        Ok(pids.into_iter().collect())
    }
}
