//! What a ledger still owes: transfers in the journal whose events have not come.

use super::books::Books;
use super::facts::{Facts, Transfer};
use super::oracles::probes;
use crate::profile::Pending;
use crate::report::text::count;

/// What is owed at the end of these facts.
pub(super) fn pending(facts: &Facts) -> Pending {
    let books = Books::new(facts);
    let mut told = vec![facts.eventless; facts.transfers.len()];
    for delivery in &facts.deliveries {
        told[delivery.transfer.0 as usize] = true;
    }
    let owed = (0..).map(Transfer).zip(&told).filter(|(id, told)| !**told && books.posted(*id).legs > 0).count();
    let probes = probes::read(facts);
    // A probe may have been answered after the newest reading: its event is owed as well.
    let unheard = probes.iter().filter(|probe| probe.told.is_none()).count();
    if facts.readings.is_empty() {
        Pending::Waiting { what: "a first reading of the journal".into() }
    } else if owed == 0 && unheard == 0 {
        Pending::Nothing
    } else {
        let what = format!("{} without an event, {}", count(owed as u64, "transfer"), count(unheard as u64, "probe"));
        Pending::Waiting { what }
    }
}
