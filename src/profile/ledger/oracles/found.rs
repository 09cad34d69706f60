//! What the ledger's oracles need to have seen, most of them.

use super::Seen;
use crate::profile::found::{Found, because};

impl Found {
    /// The whole journal has to have been read in the audit.
    pub(super) fn needs_audit(&mut self, seen: &Seen<'_>) {
        let unreadable = seen.facts.readings.last().is_some_and(|last| last.unreadable > 0);
        let why = seen.facts.unreadable_row.as_ref().filter(|_| unreadable);
        self.needs(&because("whole journals read in the audit", why), seen.books.complete);
    }

    /// Every event record has to have been readable.
    pub(super) fn needs_readable_events(&mut self, seen: &Seen<'_>) {
        let what = because("event topics without an unreadable record", seen.facts.unreadable_record.as_ref());
        self.needs(&what, seen.facts.unreadable_records == 0);
    }
}
