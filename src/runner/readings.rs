//! Readings: what the target shows of its state, each in one snapshot, recorded as differences.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;

use crate::history::{Recorder, What};
use crate::target::Driver;

/// How long one reading may take.
pub(super) const READING_TIMEOUT: Duration = Duration::from_secs(5);

/// Takes the readings of a run, one at a time.
pub(super) struct Readings {
    recorder: Arc<Recorder>,
    sources: &'static [&'static str],
    /// The rows of the reading before, by source.
    known: Mutex<HashMap<&'static str, Vec<Value>>>,
}

impl Readings {
    /// Nothing read yet.
    pub(super) fn new(recorder: Arc<Recorder>, sources: &'static [&'static str]) -> Self {
        Self { recorder, sources, known: Mutex::default() }
    }

    /// Takes every reading once.
    ///
    /// # Errors
    /// When one cannot be taken; those before it are recorded.
    pub(super) async fn take(&self, driver: &Driver) -> Result<(), String> {
        let mut known = self.known.lock().await;
        for source in self.sources {
            let sent = self.recorder.now();
            let rows = driver.read(source, READING_TIMEOUT).await.map_err(|error| error.to_string())?;
            let before = known.entry(source).or_default();
            let (added, removed) = difference(before, &rows);
            self.recorder.record(What::Rows { sent, source: (*source).to_owned(), added, removed });
            *before = rows;
        }
        Ok(())
    }
}

/// The rows that only `after` has and those that only `before` has; rows that occur twice count twice.
fn difference(before: &[Value], after: &[Value]) -> (Vec<Value>, Vec<Value>) {
    // A journal only grows at its end: what both begin with needs no hashing.
    let same = before.iter().zip(after).take_while(|(old, new)| old == new).count();
    let mut unmatched: HashMap<&Value, usize> = HashMap::new();
    for row in &before[same..] {
        *unmatched.entry(row).or_default() += 1;
    }
    let mut added = Vec::new();
    for row in &after[same..] {
        match unmatched.get_mut(row) {
            Some(count) if *count > 0 => *count -= 1,
            _ => added.push(row.clone()),
        }
    }
    let mut removed = Vec::new();
    for row in &before[same..] {
        if let Some(count) = unmatched.get_mut(row)
            && *count > 0
        {
            *count -= 1;
            removed.push(row.clone());
        }
    }
    (added, removed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_changed_row_is_removed_and_added() {
        let before = [json!({"id": 1, "amount": 5}), json!({"id": 2, "amount": 7})];
        let after = [json!({"id": 1, "amount": 6}), json!({"id": 2, "amount": 7}), json!({"id": 3, "amount": 1})];
        let (added, removed) = difference(&before, &after);
        assert_eq!(added, [after[0].clone(), after[2].clone()]);
        assert_eq!(removed, [before[0].clone()]);
    }

    proptest! {
        #[test]
        fn differences_add_up(before in prop::collection::vec(0_u8..6, 0..20), after in prop::collection::vec(0_u8..6, 0..20)) {
            let rows = |bytes: &[u8]| bytes.iter().map(|byte| json!(byte)).collect::<Vec<_>>();
            let (added, removed) = difference(&rows(&before), &rows(&after));
            for byte in 0..6_u8 {
                let count = |rows: &[Value]| rows.iter().filter(|row| **row == json!(byte)).count();
                prop_assert_eq!(count(&rows(&before)) + count(&added), count(&rows(&after)) + count(&removed));
                prop_assert!(count(&added) == 0 || count(&removed) == 0);
            }
        }
    }
}
