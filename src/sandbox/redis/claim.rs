//! Databases of a Redis that others use too. Which are ours is written down there, where every harness looks: in a hash of
//! database 0, by number. Its name is the only thing of ours in a database that may be somebody else's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

use redis::RedisError;
use redis::aio::MultiplexedConnection;

use super::{DATABASES, Redis, failure};
use crate::sandbox::ServiceError;
use crate::sandbox::external::Mark;

/// The hash; it is gone when nobody has a database.
const TAKEN: &str = "fireassay:databases";

/// Takes a database for an owner if nobody has it and it has no keys; in one step, for from then on it may be emptied.
const CLAIM: &str = "if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end \
    redis.call('SELECT', ARGV[1]) \
    local size = redis.call('DBSIZE') \
    redis.call('SELECT', 0) \
    if size > 0 then return 0 end \
    return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])";

/// Writes down once more who has a database, as somebody may have emptied database 0. 0 if somebody else has it by now.
const KEEP: &str = "local owner = redis.call('HGET', KEYS[1], ARGV[1]) \
    if owner then return owner == ARGV[2] and 1 or 0 end \
    return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])";

/// Puts one owner in the place of another, if that one still has the database.
const TAKE_OVER: &str = "if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then \
    return redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) + 1 else return 0 end";

impl Redis {
    /// Takes a database that no harness has, that has no keys and that nobody is connected to.
    pub(super) async fn claim(&self, mark: &Mark) -> Result<u16, ServiceError> {
        let claimed = self.find_unused(mark).await.map_err(|error| failure("take a database", &error))?;
        claimed.ok_or_else(|| {
            let why = "none of its databases but 0 is free: they hold keys, somebody is connected to them, or another \
                       harness has them; none of them is emptied; give it more (`databases` in its configuration), or run \
                       less at a time (--jobs)";
            failure("take a database", why)
        })
    }

    async fn find_unused(&self, mark: &Mark) -> Result<Option<u16>, RedisError> {
        let mut connection = self.connect(0).await?;
        let clients: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut connection).await?;
        let in_use = in_use(&clients);
        for number in 1..=DATABASES {
            if in_use.contains(&number) || self.held().contains(&number) {
                continue;
            }
            let mut claim = script(CLAIM, number);
            match claim.arg(mark.to_string()).query_async(&mut connection).await {
                Ok(false) => {}
                Ok(true) => {
                    self.held().insert(number);
                    return Ok(Some(number));
                }
                // There are no more.
                Err(error) if is_out_of_range(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Whether a database that was taken is still ours.
    pub(super) async fn keep(&self, number: u16, mark: &Mark) -> Result<bool, ServiceError> {
        let keep = async {
            let mut connection = self.connect(0).await?;
            script(KEEP, number).arg(mark.to_string()).query_async::<bool>(&mut connection).await
        };
        let kept = keep.await.map_err(|error| failure("keep a database", &error))?;
        if !kept {
            self.held().remove(&number);
        }
        Ok(kept)
    }

    fn held(&self) -> MutexGuard<'_, BTreeSet<u16>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
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
            let mut take_over = script(TAKE_OVER, number);
            take_over.arg(owner).arg(ours.to_string());
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

fn script(text: &str, number: u16) -> redis::Cmd {
    let mut script = redis::cmd("EVAL");
    script.arg(text).arg(1).arg(TAKEN).arg(number);
    script
}

/// The databases that somebody is connected to. A queue that is empty just now has its workers there.
fn in_use(clients: &str) -> BTreeSet<u16> {
    let fields = clients.split_ascii_whitespace();
    fields.filter_map(|field| field.strip_prefix("db=")?.parse().ok()).collect()
}

async fn release(connection: &mut MultiplexedConnection, number: u16) -> Result<(), RedisError> {
    redis::cmd("HDEL").arg(TAKEN).arg(number).exec_async(connection).await
}

fn is_out_of_range(error: &RedisError) -> bool {
    error.to_string().contains("out of range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_with_clients_are_in_use() {
        let clients =
            "id=3 addr=127.0.0.1:5 name=db=7 db=2 sub=0 cmd=blpop\nid=4 addr=127.0.0.1:6 name= db=0 cmd=client\n";
        assert_eq!(in_use(clients), [0, 2].into());
        assert_eq!(in_use(""), [].into());
    }
}
