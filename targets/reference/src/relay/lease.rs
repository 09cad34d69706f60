//! A lease in the database, by the database's clock: of several relays one works, and another takes over when it is gone.
//!
//! It is a courtesy and no lock: a frozen relay that wakes up may work once more beside its successor, which costs
//! repeats and nothing else (see [`super`]).

use std::time::{Duration, Instant};

use sqlx::PgConnection;

use super::limited;
use crate::domain::new_id;
use crate::store::StoreError;

/// How long a lease lasts, by the database's clock. Another relay takes over after so long.
const TERM: &str = "2 seconds";
/// When to renew it, by ours.
const RENEW: Duration = Duration::from_millis(500);

/// Our claim to the lease.
pub(super) struct Lease {
    /// New for each process: whoever is restarted is someone else.
    holder: String,
    asked: Option<(Instant, bool)>,
}

impl Lease {
    /// Nothing claimed yet.
    pub(super) fn new() -> Self {
        Self { holder: new_id(), asked: None }
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
