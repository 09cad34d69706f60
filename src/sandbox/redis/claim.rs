//! Databases of a Redis that others use too. Which are ours is written down there, where every harness looks: in a hash of
//! database 0, by number. Its name is the only thing of ours in a database that may be somebody else's.

use std::collections::BTreeMap;

use redis::RedisError;
use redis::aio::MultiplexedConnection;

use super::{DATABASES, Redis, failure};
use crate::sandbox::ServiceError;
use crate::sandbox::external::Mark;

/// The hash; it is gone when nobody has a database.
const TAKEN: &str = "fireassay:databases";

/// Puts one owner in the place of another, if that one still has the database.
const TAKE_OVER: &str = "if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then \
    return redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) + 1 else return 0 end";

impl Redis {
    /// Takes a database that is empty and that no harness has.
    pub(super) async fn claim(&self, mark: &Mark) -> Result<u16, ServiceError> {
        let claimed = self.find_empty(mark).await.map_err(|error| failure("take a database", &error))?;
        claimed.ok_or_else(|| {
            let why = "none of its databases but 0 is free: they hold keys, or another harness has them; none of them is \
                       emptied; give it more (`databases` in its configuration), or run less at a time (--jobs)";
            failure("take a database", why)
        })
    }

    async fn find_empty(&self, mark: &Mark) -> Result<Option<u16>, RedisError> {
        let mut connection = self.connect(0).await?;
        for number in 1..=DATABASES {
            let mut taken = redis::cmd("HSETNX");
            taken.arg(TAKEN).arg(number).arg(mark.to_string());
            if !taken.query_async::<bool>(&mut connection).await? {
                continue;
            }
            match self.size(number).await {
                Ok(0) => return Ok(Some(number)),
                Ok(_) => release(&mut connection, number).await?,
                Err(error) => {
                    release(&mut connection, number).await?;
                    // There are no more databases, or Redis is in trouble, which shows here again.
                    return redis::cmd("PING").exec_async(&mut connection).await.and(if is_out_of_range(&error) {
                        Ok(None)
                    } else {
                        Err(error)
                    });
                }
            }
        }
        Ok(None)
    }

    async fn size(&self, number: u16) -> Result<u64, RedisError> {
        let mut connection = self.connect(number).await?;
        redis::cmd("DBSIZE").query_async(&mut connection).await
    }

    /// Empties the databases of harnesses that are meant, and lets others have them. Says how many.
    ///
    /// # Errors
    /// When Redis is not there.
    pub(in crate::sandbox) async fn give_back(&self, is_meant: impl Fn(&Mark) -> bool) -> Result<usize, ServiceError> {
        let Some(ours) = &self.mark else { return Ok(0) };
        let failed = |error: RedisError| failure("give databases back", &error);
        let mut connection = self.connect(0).await.map_err(failed)?;
        let taken: BTreeMap<u16, String> =
            redis::cmd("HGETALL").arg(TAKEN).query_async(&mut connection).await.map_err(failed)?;
        let mut count = 0;
        for (number, owner) in taken {
            if !owner.parse().is_ok_and(|mark| is_meant(&mark)) {
                continue;
            }
            // Another harness may be at it too, and somebody may have the database again by now.
            let mut take_over = redis::cmd("EVAL");
            take_over.arg(TAKE_OVER).arg(1).arg(TAKEN).arg(number).arg(owner).arg(ours.to_string());
            if take_over.query_async::<u64>(&mut connection).await.map_err(failed)? == 0 {
                continue;
            }
            self.flush(number).await?;
            release(&mut connection, number).await.map_err(failed)?;
            count += 1;
        }
        Ok(count)
    }
}

async fn release(connection: &mut MultiplexedConnection, number: u16) -> Result<(), RedisError> {
    redis::cmd("HDEL").arg(TAKEN).arg(number).exec_async(connection).await
}

fn is_out_of_range(error: &RedisError) -> bool {
    error.to_string().contains("out of range")
}
