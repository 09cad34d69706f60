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
use crate::defects::{Defect, Defects};
use reference_common::store::{self, Database};

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
        // Made by trusting the network to say when it is gone. It does not always: a peer that lost its power, or a
        // firewall that dropped its table, leaves a connection open and silent for ever.
        let trusting = config.defects.has(Defect::NoTimeouts);
        Ok(Self {
            database: if trusting { Database::without_limits(options) } else { Database::new(options) },
            cache: Cache::new(&config.redis_url)?,
            defects: config.defects.clone(),
            memory: idempotency::Memory::default(),
            hearsay: hearsay::Hearsay::default(),
            maintenance: maintenance::Maintenance::default(),
            publisher: publish::Publisher::new(config),
        })
    }
}
