//! Redis as a cache: it may be slow, empty or gone, and nothing but speed is lost.
//!
//! Only what never changes is kept: the answer of a key, once committed, and an account's entries at one version. So there
//! is nothing to invalidate, and an invalidation that gets lost cannot make anything stale. The time to live only keeps
//! Redis small.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, RedisResult};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::domain::{Answer, Key};

/// What Redis may cost a request before it is left out.
const LIMIT: Duration = Duration::from_millis(150);
/// How long Redis is left alone after an error, so that a silent one does not slow every request down.
const PAUSE: Duration = Duration::from_millis(500);
/// How long something is kept, in seconds.
const TIME_TO_LIVE_S: u64 = 600;

/// The cache.
pub(crate) struct Cache {
    client: Client,
    state: Mutex<State>,
}

enum State {
    Unknown,
    Connected(MultiplexedConnection),
    LeftAlone { until: Instant },
}

/// The answer that a key got.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KnownAnswer {
    /// The request that it answers, in canonical form.
    pub(crate) request: String,
    status: u16,
    body: String,
}

impl KnownAnswer {
    /// What is known of a key.
    pub(crate) fn new(request: String, answer: Answer) -> Self {
        Self { request, status: answer.status, body: answer.body }
    }

    /// The answer.
    pub(crate) fn into_answer(self) -> Answer {
        Answer { status: self.status, body: self.body }
    }
}

impl Cache {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When the URL is none.
    pub(crate) fn new(url: &str) -> RedisResult<Self> {
        Ok(Self { client: Client::open(url)?, state: Mutex::new(State::Unknown) })
    }

    /// The answer of a key, if the cache happens to have it.
    pub(crate) async fn answer(&self, key: &Key) -> Option<KnownAnswer> {
        let text = self.get(&format!("answer:{}", key.as_str())).await?;
        serde_json::from_str(&text).ok()
    }

    /// Keeps the answer of a key. Only for answers that are committed.
    pub(crate) async fn keep_answer(&self, key: &Key, answer: &KnownAnswer) {
        if let Ok(text) = serde_json::to_string(answer) {
            self.set(&format!("answer:{}", key.as_str()), &text).await;
        }
    }

    /// What was kept under a name.
    pub(crate) async fn get(&self, name: &str) -> Option<String> {
        let mut connection = self.connection().await?;
        self.judge(timeout(LIMIT, connection.get::<_, Option<String>>(name)).await).await?
    }

    /// Keeps something under a name.
    pub(crate) async fn set(&self, name: &str, text: &str) {
        let Some(mut connection) = self.connection().await else { return };
        self.judge(timeout(LIMIT, connection.set_ex::<_, _, ()>(name, text, TIME_TO_LIVE_S)).await).await;
    }

    /// Drops what was kept under a name; for a defect, because what is kept here otherwise never changes.
    pub(crate) async fn forget(&self, name: &str) {
        let Some(mut connection) = self.connection().await else { return };
        self.judge(timeout(LIMIT, connection.del::<_, ()>(name)).await).await;
    }

    async fn connection(&self) -> Option<MultiplexedConnection> {
        let mut state = self.state.lock().await;
        match &*state {
            State::Connected(connection) => return Some(connection.clone()),
            State::LeftAlone { until } if Instant::now() < *until => return None,
            State::Unknown | State::LeftAlone { .. } => {}
        }
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(LIMIT)).set_response_timeout(Some(LIMIT));
        match timeout(LIMIT, self.client.get_multiplexed_async_connection_with_config(&config)).await {
            Ok(Ok(connection)) => {
                *state = State::Connected(connection.clone());
                Some(connection)
            }
            Ok(Err(_)) | Err(_) => {
                *state = State::LeftAlone { until: Instant::now() + PAUSE };
                None
            }
        }
    }

    /// After any error the connection is given up: one that went silent would never say so itself.
    async fn judge<T>(&self, reply: Result<RedisResult<T>, tokio::time::error::Elapsed>) -> Option<T> {
        if let Ok(Ok(value)) = reply {
            return Some(value);
        }
        tracing::debug!("Redis failed; going on without it");
        *self.state.lock().await = State::LeftAlone { until: Instant::now() + PAUSE };
        None
    }
}
