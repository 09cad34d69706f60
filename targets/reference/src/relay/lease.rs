//! A lease in the database, by the database's clock: of several relays one works, and another takes over when it is gone.
//!
//! It is a courtesy and no lock: a frozen relay that wakes up may work once more beside its successor, which costs
//! repeats and nothing else (see [`super`]). So a restarted relay goes on under the lease of its predecessor of the same name
//! at once, without waiting for it to run out.

use std::time::{Duration, Instant};

use sqlx::PgConnection;

use super::limited;
use reference_common::store::StoreError;

/// How long a lease lasts, by the database's clock. Another relay takes over after so long.
const TERM: &str = "2 seconds";
/// When to renew it, by ours.
const RENEW: Duration = Duration::from_millis(500);

/// Our claim to the lease.
pub(super) struct Lease {
    /// The name of the instance, the same after a restart.
    holder: String,
    asked: Option<(Instant, bool)>,
}

impl Lease {
    /// Nothing claimed yet.
    pub(super) fn new(instance: &str) -> Self {
        Self { holder: instance.to_owned(), asked: None }
    }

    /// Claims or renews the lease when it is time to, and says whether we hold it.
    pub(super) async fn held(&mut self, connection: &mut PgConnection) -> Result<bool, StoreError> {
        if let Some((asked, true)) = self.asked
            && asked.elapsed() < RENEW
        {
            return Ok(true);
        }
        let asked = Instant::now();
        let sql =
            "update relay_lease set holder = $1, expires = now() + $2::interval where holder = $1 or expires < now()";
        let claim = sqlx::query(sql).bind(&self.holder).bind(TERM).execute(connection);
        let held = limited("claiming the lease", claim).await?.rows_affected() == 1;
        if self.asked.is_none_or(|(_, before)| before != held) {
            tracing::info!(held, "lease");
        }
        self.asked = Some((asked, held));
        Ok(held)
    }
}
