//! Keys that go, as when memory is short.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use redis::RedisError;

use super::{Redis, failure};
use crate::fault::Share;
use crate::sandbox::ServiceError;

/// The most keys that are looked at.
const KEYS_MAX: usize = 100_000;
/// How many keys a step of a scan or a deletion takes; Redis serves nobody else meanwhile.
const KEYS_AT_ONCE: usize = 1_000;

/// What an eviction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// How many keys are gone by it.
    pub gone: u64,
    /// How many there were.
    pub of: usize,
}

impl Redis {
    /// Takes a share of the keys out of database `number`; the seed says which.
    ///
    /// # Errors
    /// When Redis is not there.
    pub async fn evict(&self, number: u16, share: Share, seed: u64) -> Result<Evicted, ServiceError> {
        self.evict_keys(number, share, seed)
            .await
            .map_err(|error| failure(format!("evict keys of database {number}"), &error))
    }

    async fn evict_keys(&self, number: u16, share: Share, seed: u64) -> Result<Evicted, RedisError> {
        let mut connection = self.connect(number).await?;
        // In order, so that the same seed means the same keys; a scan may name one twice.
        let mut keys: BTreeSet<Vec<u8>> = BTreeSet::new();
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("COUNT").arg(KEYS_AT_ONCE);
            let (next, found): (u64, Vec<Vec<u8>>) = scan.query_async(&mut connection).await?;
            keys.extend(found);
            cursor = next;
            if cursor == 0 || keys.len() >= KEYS_MAX {
                break;
            }
        }
        let keys: Vec<_> = keys.into_iter().collect();
        let chosen = sample(&mut ChaCha8Rng::seed_from_u64(seed), keys.len(), share.of(keys.len()));
        let chosen: Vec<_> = chosen.into_iter().map(|index| &keys[index]).collect();
        let mut gone = 0;
        for some in chosen.chunks(KEYS_AT_ONCE) {
            gone += redis::cmd("DEL").arg(some).query_async::<u64>(&mut connection).await?;
        }
        Ok(Evicted { gone, of: keys.len() })
    }
}
