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
/// member, who was killed. What cannot be removed on one server keeps nothing from being removed on another.
///
/// # Errors
/// The first of what could not be removed.
pub(in crate::sandbox) async fn remove(
    (postgres, redis, kafka): (&Postgres, &Redis, &Kafka),
    is_meant: impl Fn(&Mark) -> bool,
    patience: Duration,
) -> Result<Left, ServiceError> {
    let meant = |name: &String| Mark::in_name(name).is_some_and(|mark| is_meant(&mark));
    let databases = databases(postgres, &meant).await;
    let redis = redis.give_back(&is_meant).await;
    let topics = topics(kafka, &meant).await;
    let groups = groups(kafka, &meant, patience).await;
    Ok(Left { databases: databases?, redis: redis?, topics: topics?, groups: groups? })
}

async fn databases(postgres: &Postgres, meant: &impl Fn(&String) -> bool) -> Result<usize, ServiceError> {
    let (mut dropped, mut first) = (0, None);
    for name in postgres.databases().await?.iter().filter(|name| meant(name)) {
        match postgres.drop_database(name).await {
            Ok(_) => dropped += 1,
            // One that another role made is not ours to drop, and the next may be.
            Err(error) => first = first.or(Some(error)),
        }
    }
    first.map_or(Ok(dropped), Err)
}

async fn topics(kafka: &Kafka, meant: &impl Fn(&String) -> bool) -> Result<usize, ServiceError> {
    let topics: Vec<String> = kafka.topics().await?.into_iter().filter(meant).collect();
    kafka.delete_topics(&topics).await?;
    Ok(topics.len())
}

async fn groups(kafka: &Kafka, meant: &impl Fn(&String) -> bool, patience: Duration) -> Result<usize, ServiceError> {
    let (mut most, end) = (0, Instant::now() + patience);
    loop {
        let groups: Vec<String> = kafka.groups().await?.into_iter().filter(meant).collect();
        if groups.is_empty() {
            return Ok(most);
        }
        most = most.max(groups.len());
        match kafka.delete_groups(&groups).await? {
            None => return Ok(most),
            // A member that was killed counts until its session has timed out.
            Some(why) if Instant::now() >= end => return Err(why),
            Some(_) => tokio::time::sleep(TRY_EVERY).await,
        }
    }
}
