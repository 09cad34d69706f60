//! What happens to a request: it is looked up, decided, written and answered in one transaction.

mod accounts;
mod by_clock;
mod error;
mod execute;
mod hearsay;
mod idempotency;
mod maintenance;
mod outbox;
mod piecemeal;
mod posting;
mod publish;
mod reads;
mod record;
mod transfers;

use std::sync::Arc;

use crate::cache::Cache;
use crate::config;
use crate::defects::Defects;
use crate::store::{self, Database};

pub(crate) use error::LedgerError;

/// The ledger over its database, with a cache in front.
pub(crate) struct Ledger {
    database: Arc<Database>,
    cache: Cache,
    defects: Defects,
    memory: idempotency::Memory,
    hearsay: hearsay::Hearsay,
    maintenance: maintenance::Maintenance,
    publisher: publish::Publisher,
}

impl Ledger {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When a URL is none.
    pub(crate) fn new(config: &config::Api) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let options = store::options(&config.database_url, &config.instance)?;
        Ok(Self {
            database: Database::new(options, config.defects.clone()),
            cache: Cache::new(&config.redis_url)?,
            defects: config.defects.clone(),
            memory: idempotency::Memory::default(),
            hearsay: hearsay::Hearsay::default(),
            maintenance: maintenance::Maintenance::default(),
            publisher: publish::Publisher::new(config),
        })
    }
}
