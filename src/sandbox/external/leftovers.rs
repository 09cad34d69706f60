//! What harnesses leave on servers that are not theirs, by name: databases, topics, groups of consumers, and the Redis
//! databases that they hold.

use std::fmt;
use std::time::{Duration, Instant};

use super::Mark;
use crate::sandbox::{Kafka, Postgres, Redis, ServiceError};

/// Pause between two tries.
const TRY_EVERY: Duration = Duration::from_millis(100);

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct Left {
    databases: usize,
    topics: usize,
    groups: usize,
    redis: usize,
}

impl Left {
    /// Whether there was nothing.
    pub(in crate::sandbox) fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { databases, topics, groups, redis } = self;
        write!(f, "databases {databases}, topics {topics}, groups {groups}, redis {redis}")
    }
}

/// Removes everything that was made by harnesses that are meant. A group of consumers may take `patience` to miss its last
/// member, who was killed.
///
/// # Errors
/// What could not be removed.
pub(in crate::sandbox) async fn remove(
    (postgres, redis, kafka): (&Postgres, &Redis, &Kafka),
    is_meant: impl Fn(&Mark) -> bool,
    patience: Duration,
) -> Result<Left, ServiceError> {
    let mut left = Left::default();
    let meant = |name: &String| Mark::in_name(name).is_some_and(|mark| is_meant(&mark));
    for name in postgres.databases().await?.iter().filter(|name| meant(name)) {
        postgres.drop_database(name).await?;
        left.databases += 1;
    }
    left.redis = redis.give_back(&is_meant).await?;
    let topics: Vec<String> = kafka.topics().await?.into_iter().filter(meant).collect();
    kafka.delete_topics(&topics).await?;
    left.topics = topics.len();
    let end = Instant::now() + patience;
    loop {
        let groups: Vec<String> = kafka.groups().await?.into_iter().filter(meant).collect();
        if groups.is_empty() {
            return Ok(left);
        }
        left.groups = left.groups.max(groups.len());
        match kafka.delete_groups(&groups).await? {
            None => return Ok(left),
            // A member that was killed counts until its session has timed out.
            Some(why) if Instant::now() >= end => return Err(why),
            Some(_) => tokio::time::sleep(TRY_EVERY).await,
        }
    }
}
