//! A small connection pool that expects the worst of a connection.
//!
//! A connection is lent for one transaction and comes back only when the server has acknowledged its end. On any other
//! way out (an error, a timeout, a handler that was dropped) it is closed: its state is unknown, and a new one costs a few
//! milliseconds. `BEGIN` doubles as the check that an idle connection still lives; it is safe to say again on another.
//!
//! A general pool would do but for one case: a connection that went silent without being closed. sqlx's pool pings a
//! connection that comes back without a time limit, and finds silent ones out one timeout after another. Here the first
//! one that fails condemns all its idle neighbours, which came the same way and most likely share its fate.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{StoreError, within};

/// How many connections one process holds at most.
const CONNECTIONS_MAX: usize = 8;
/// What waiting for a free connection may take. Short: who waits longer is answered when the caller has gone and asks again,
/// and a service that is busy with such requests answers nobody in time.
const ACQUIRE_LIMIT: Duration = Duration::from_millis(1_000);
/// What `BEGIN` may take: a round trip and no work.
const BEGIN_LIMIT: Duration = Duration::from_secs(1);
/// What `COMMIT` and `ROLLBACK` may take: the same, on a server that writes to disk quickly.
const END_LIMIT: Duration = Duration::from_secs(1);

/// The database, through a bounded number of connections.
pub struct Database {
    options: PgConnectOptions,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<PgConnection>>,
    /// Whether anything that waits for the server has a limit.
    limited: bool,
}

impl Database {
    /// Connects to nothing yet: the service starts without its database, and serves when it is there.
    #[must_use]
    pub fn new(options: PgConnectOptions) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Arc::new(Self { options, permits, idle: Mutex::new(Vec::new()), limited: true })
    }

    /// One that trusts the network to say when it is gone: never right, for the defects that do.
    #[must_use]
    pub fn without_limits(options: PgConnectOptions) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Arc::new(Self { options, permits, idle: Mutex::new(Vec::new()), limited: false })
    }

    /// Starts a transaction.
    ///
    /// # Errors
    /// When there is no connection to be had in time. Nothing has happened then.
    pub async fn begin(self: &Arc<Self>) -> Result<Transaction, StoreError> {
        let permits = Arc::clone(&self.permits).acquire_owned();
        let permit = async { permits.await.map_err(|_| StoreError::Busy) };
        let permit = self.limited(ACQUIRE_LIMIT, "waiting for a connection", permit).await;
        let permit = permit.map_err(|_| StoreError::Busy)?;
        let connection = match self.begin_on_idle().await {
            Some(connection) => connection,
            None => self.begin_on_new().await?,
        };
        Ok(Transaction { connection, database: Arc::clone(self), permit })
    }

    async fn begin_on_idle(&self) -> Option<PgConnection> {
        let mut connection = self.idle().pop()?;
        match self.say("BEGIN", BEGIN_LIMIT, &mut connection).await {
            Ok(()) => Some(connection),
            Err(error) => {
                tracing::info!(%error, "an idle connection is dead; closing all idle ones");
                self.idle().clear();
                None
            }
        }
    }

    async fn begin_on_new(&self) -> Result<PgConnection, StoreError> {
        let mut connection = super::connect(&self.options).await?;
        self.say("BEGIN", BEGIN_LIMIT, &mut connection).await?;
        Ok(connection)
    }

    async fn say(&self, what: &'static str, limit: Duration, to: &mut PgConnection) -> Result<(), StoreError> {
        self.limited(limit, what, async { Ok(sqlx::raw_sql(what).execute(to).await.map(drop)?) }).await
    }

    async fn limited<T>(
        &self,
        limit: Duration,
        doing: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.limited { within(limit, doing, work).await } else { work.await }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<PgConnection>> {
        // A list of connections is never half changed, so a panic elsewhere does not spoil it.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transaction under way, with its connection. Dropping it closes the connection, and the server rolls back.
pub struct Transaction {
    connection: PgConnection,
    database: Arc<Database>,
    permit: OwnedSemaphorePermit,
}

impl Transaction {
    /// Makes it last.
    ///
    /// # Errors
    /// When the server did not say that it did. It may have: only a look at the key tells.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.end("COMMIT").await
    }

    /// Takes it back. An error is of no interest: a connection that is closed rolls back too.
    pub async fn rollback(self) {
        if let Err(error) = self.end("ROLLBACK").await {
            tracing::debug!(%error, "the connection was closed instead of rolled back");
        }
    }

    async fn end(mut self, how: &'static str) -> Result<(), StoreError> {
        self.database.say(how, END_LIMIT, &mut self.connection).await?;
        self.database.idle().push(self.connection);
        drop(self.permit);
        Ok(())
    }

    /// Commits what has been done so far and goes on in a new transaction: never right in the middle of a piece of work;
    /// the defects that cut a transaction in two use it.
    ///
    /// # Errors
    /// As [`Transaction::commit`].
    pub async fn cut(&mut self) -> Result<(), StoreError> {
        self.database.say("COMMIT", END_LIMIT, &mut self.connection).await?;
        self.database.say("BEGIN", BEGIN_LIMIT, &mut self.connection).await
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
