//! `orders.recovers`: once the faults are over, new orders are taken, come to their end and are told of, before the audit.
//! They wait behind all that is left from before.

use super::{Found, Seen};
use crate::history::{Moment, Phase};
use crate::judgement::Witness;
use crate::profile::faults::healed_last;
use crate::profile::orders::probes;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    // Without an audit the run was broken off, and nobody waited until the deadline.
    let deadline = seen.facts.began(Phase::Audit).filter(|_| !seen.facts.broken_off);
    let mut worked = 0;
    for probe in probes::read(seen.facts, seen.books) {
        let Some(deadline) = deadline else { break };
        let in_time = |moment: Option<Moment>| moment.is_some_and(|moment| moment < deadline);
        let (kind, text) = if !in_time(probe.acknowledged) {
            ("down", format!("it was not taken before {deadline}"))
        } else if !in_time(probe.settled) {
            ("stuck", format!("it was taken, but neither PAID nor FAILED by {deadline}"))
        } else if !in_time(probe.told) {
            if !seen.facts.events_read {
                // They may have come, and nobody could look.
                continue;
            }
            ("undelivered", format!("it came to its end, but its events had not come by {deadline}"))
        } else {
            worked += 1;
            continue;
        };
        found.blame(kind, || {
            let expected = format!("{} goes through, now that all faults are over", seen.intent(probe.intent));
            let mut witnesses: Vec<_> = healed_last(&seen.facts.faults).collect();
            witnesses.push(Witness::Intent(probe.intent));
            (expected, text, witnesses)
        });
    }
    let probes = seen.script.probes.iter().filter_map(|id| seen.script.intents.get(id.0 as usize));
    let new = probes.filter(|intent| intent.call.operation == "create").count() as u64;
    let to_where = if seen.facts.eventless { "" } else { " and their events" };
    found.saw(&format!("new orders that went through to their end{to_where}"), worked, new.max(1));
    found
}
