//! `ledger.recovers`: once the faults are over, the probes are acknowledged and their events come, before the audit.

use super::{Found, Seen, probes};
use crate::history::{Moment, Phase};
use crate::judgement::Witness;
use crate::profile::faults::healed_last;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    // Without an audit the run was broken off, and nobody waited until the deadline.
    let deadline = seen.facts.began(Phase::Audit);
    let mut worked = 0;
    for probe in probes::read(seen.facts) {
        let Some(deadline) = deadline else { break };
        let in_time = |moment: Option<Moment>| moment.is_some_and(|moment| moment < deadline);
        let (kind, text) = if !in_time(probe.acknowledged) {
            let hint = if in_time(Some(probe.sent)) { "it was not acknowledged" } else { "it was not even sent" };
            ("down", format!("{hint} before {deadline}"))
        } else if !in_time(probe.told) {
            if !seen.facts.events_read {
                // It may have come, and nobody could look.
                continue;
            }
            ("undelivered", format!("it was acknowledged, but its event had not come by {deadline}"))
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
    let to_where = if seen.facts.eventless { "" } else { " to their events" };
    found.saw(&format!("new transfers that went through{to_where}"), worked, (seen.probes as u64).max(1));
    found
}
