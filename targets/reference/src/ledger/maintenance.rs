//! The defect `maintenance-for-good`. The correct service never comes here: it asks the database each time.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Ledger, LedgerError};
use crate::defects::Defect;
use reference_common::store::StoreError;

/// Whether this process refuses to post.
#[derive(Default)]
pub(super) struct Maintenance(AtomicBool);

impl Ledger {
    /// Whether posting is possible, as far as this process believes.
    pub(super) fn admit(&self) -> Result<(), LedgerError> {
        if self.maintenance.0.load(Ordering::Relaxed) { Err(StoreError::Busy.into()) } else { Ok(()) }
    }

    /// Made to spare a database that is read-only from writes that it would refuse anyway. Whoever had planned the
    /// maintenance used to restart the service after it; a failover is not planned.
    pub(super) fn take_note(&self, error: &LedgerError) {
        if self.defects.has(Defect::MaintenanceForGood)
            && matches!(error, LedgerError::Store(error) if error.is_read_only())
        {
            self.maintenance.0.store(true, Ordering::Relaxed);
        }
    }
}
