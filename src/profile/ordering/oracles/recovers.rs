//! `ordering.recovers`: once the faults are over, new events are taken, applied and told of, before the audit.

use super::{Found, Seen};
use crate::history::Phase;
use crate::judgement::Witness;
use crate::profile::faults::healed_last;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let facts = seen.facts;
    // Without an audit the run was broken off, and nobody waited until the deadline.
    let deadline = facts.began(Phase::Audit).filter(|_| !facts.broken_off);
    let mut worked = 0;
    for (id, intent) in facts.events().filter(|(_, intent)| intent.phase == Phase::Settle) {
        let Some(deadline) = deadline else { break };
        let life = seen.books.life(intent.entity);
        let read = life.applied(facts).find(|row| row.sequence == intent.sequence).map(|row| row.read);
        let told = life.told(facts, intent.sequence);
        let text = if !life.is_certain(intent.sequence, deadline) {
            // The broker did not take it, which is no fault of the target's.
            continue;
        } else if read.is_none_or(|read| read >= deadline) {
            format!("it was not applied by {deadline}")
        } else if facts.is_told_in_full() && told.is_none_or(|told| told >= deadline) {
            format!("it was applied, but not told of by {deadline}")
        } else {
            worked += 1;
            continue;
        };
        found.blame("stuck", || {
            let expected =
                format!("{} goes through, now that all faults are over", seen.event(intent.entity, intent.sequence));
            let mut witnesses: Vec<_> = healed_last(&facts.faults).collect();
            witnesses.push(Witness::Intent(id));
            (expected, text, witnesses)
        });
    }
    let probes = seen.script.probes.len() as u64;
    let to_where = if facts.eventless { "" } else { " and told of" };
    found.saw(&format!("new events that were applied{to_where}"), worked, probes.max(1));
    found
}
