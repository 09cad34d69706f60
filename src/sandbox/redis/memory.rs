//! A limit of memory that Redis is above already, so that it refuses whatever would need more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, Pipeline, RedisError};
use tokio_util::task::AbortOnDropHandle;

use super::{Redis, failure};
use crate::sandbox::ServiceError;

const LIMIT: &str = "maxmemory";
const POLICY: &str = "maxmemory-policy";
/// In bytes; Redis needs more for itself. Zero would mean no limit.
const LIMIT_BYTES: &str = "1";
/// How often Redis is asked whether it has refused something.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// For the answer of a connection that is not asynchronous, in a destructor.
const DROP_DEADLINE: Duration = Duration::from_secs(10);

/// Redis has no memory left while this exists. Dropping it gives the former limit back.
#[derive(Debug)]
pub struct MemoryLimit {
    client: Client,
    /// The settings to go back to; empty once that has been done.
    former: Option<Settings>,
    /// How many commands had been refused before, since Redis started.
    refused_before: u64,
    /// How many it has refused since, when it was last asked.
    refused: Arc<AtomicU64>,
    _look: AbortOnDropHandle<()>,
}

impl MemoryLimit {
    /// How many commands have been refused so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

#[derive(Clone, Debug)]
struct Settings {
    limit: String,
    policy: String,
}

impl Settings {
    /// In an order in which nothing is ever evicted: no other policy while there is a tight limit.
    fn set(&self) -> Pipeline {
        let (policy, limit) = ((POLICY, &self.policy), (LIMIT, &self.limit));
        let order = if self.limit == LIMIT_BYTES { [policy, limit] } else { [limit, policy] };
        let mut commands = redis::pipe();
        for (name, value) in order {
            commands.cmd("CONFIG").arg("SET").arg(name).arg(value).ignore();
        }
        commands
    }
}

impl Redis {
    /// Lets Redis refuse writes, of every database, until the limit is lifted or dropped.
    ///
    /// # Errors
    /// When Redis is not there.
    pub async fn limit_memory(&self) -> Result<MemoryLimit, ServiceError> {
        self.limit().await.map_err(|error| failure("limit the memory", &error))
    }

    async fn limit(&self) -> Result<MemoryLimit, RedisError> {
        let mut connection = self.connect(0).await?;
        let former =
            Settings { limit: setting(&mut connection, LIMIT).await?, policy: setting(&mut connection, POLICY).await? };
        let refused_before = refused(&mut connection).await?;
        let refused = Arc::<AtomicU64>::default();
        let look = look(connection.clone(), refused_before, Arc::clone(&refused));
        let limit = MemoryLimit {
            client: Client::open(self.url(0, self.address()))?,
            // The way back is known before the deed.
            former: Some(former),
            refused_before,
            refused,
            _look: AbortOnDropHandle::new(tokio::spawn(look)),
        };
        let tight = Settings { limit: LIMIT_BYTES.to_owned(), policy: "noeviction".to_owned() };
        tight.set().exec_async(&mut connection).await?;
        Ok(limit)
    }

    /// Gives the former limit back, and says how many commands were refused meanwhile. A Redis that does not take it back is
    /// killed: no later run may meet a limit that its plan does not have.
    ///
    /// # Errors
    /// When Redis is not there, or does not answer.
    pub async fn lift(&self, mut limit: MemoryLimit) -> Result<u64, ServiceError> {
        let lift = async {
            let mut connection = self.connect(0).await?;
            if let Some(former) = &limit.former {
                former.set().exec_async(&mut connection).await?;
            }
            limit.former = None;
            refused(&mut connection).await
        };
        let refused: Result<u64, RedisError> = lift.await;
        match refused {
            Ok(refused) => Ok(refused.saturating_sub(limit.refused_before)),
            Err(error) => {
                self.kill().await?;
                Err(failure("lift the limit of memory", &error))
            }
        }
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        let Some(former) = self.former.take() else { return };
        let give_back = || {
            let mut connection = self.client.get_connection_with_timeout(DROP_DEADLINE)?;
            connection.set_read_timeout(Some(DROP_DEADLINE))?;
            connection.set_write_timeout(Some(DROP_DEADLINE))?;
            former.set().exec(&mut connection)
        };
        // One that cannot be reached is dead, and the limit with it, which is not in the file that the next one reads. In one
        // that hangs and goes on with the limit no other run begins: its database cannot be emptied then.
        let _: Result<(), RedisError> = give_back();
    }
}

/// Keeps a count up to date, for as long as Redis answers.
async fn look(mut connection: MultiplexedConnection, before: u64, count: Arc<AtomicU64>) {
    while let Ok(now) = refused(&mut connection).await {
        count.store(now.saturating_sub(before), Ordering::Relaxed);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn setting(connection: &mut MultiplexedConnection, name: &str) -> Result<String, RedisError> {
    let (_, value): (String, String) = redis::cmd("CONFIG").arg("GET").arg(name).query_async(connection).await?;
    Ok(value)
}

/// How many commands Redis has refused for want of memory since it started; see <https://redis.io/commands/info/>.
async fn refused(connection: &mut MultiplexedConnection) -> Result<u64, RedisError> {
    let errors: String = redis::cmd("INFO").arg("errorstats").query_async(connection).await?;
    let count = errors.lines().find_map(|line| line.trim().strip_prefix("errorstat_OOM:count="));
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or(0))
}
