//! What became of the probes: fresh transfers that are sent once all faults have been healed.

use crate::history::{IntentId, Moment, Phase};
use crate::profile::ledger::books::NONE;
use crate::profile::ledger::facts::{Answer, Ask, Facts};

/// A probe that was sent.
#[derive(Clone, Copy, Debug)]
pub(in crate::profile::ledger) struct Probe {
    /// Its intent.
    pub(in crate::profile::ledger) intent: IntentId,
    /// When it was first sent.
    pub(super) sent: Moment,
    /// When it was acknowledged.
    pub(super) acknowledged: Option<Moment>,
    /// When its event had come; where no event can come, when it was acknowledged.
    pub(in crate::profile::ledger) told: Option<Moment>,
}

/// The probes that were sent, in the order of their intents.
pub(in crate::profile::ledger) fn read(facts: &Facts) -> Vec<Probe> {
    let is_probe = |ask: &Ask| matches!(ask, Ask::Transfer(_));
    let settle = facts.numbered_intents().filter(|(_, intent)| intent.phase == Phase::Settle && is_probe(&intent.ask));
    let mut named = Vec::new();
    let mut probes: Vec<_> = settle
        .map(|(id, intent)| {
            let attempts = || facts.attempts_of(intent).map(|(_, attempt)| attempt);
            let transfer = attempts().find_map(|attempt| match attempt.answer {
                Answer::Ok { transfer } => transfer,
                _ => None,
            });
            named.push(transfer.map_or(NONE, |transfer| transfer.0));
            let sent = attempts().map(|attempt| attempt.invoked).min().unwrap_or_default();
            let acknowledged = intent.first_ok;
            Probe { intent: id, sent, acknowledged, told: acknowledged.filter(|_| facts.eventless) }
        })
        .collect();
    if probes.is_empty() {
        return probes;
    }
    for delivery in &facts.deliveries {
        for (probe, _) in probes.iter_mut().zip(&named).filter(|(_, named)| **named == delivery.transfer.0) {
            probe.told.get_or_insert(delivery.at);
        }
    }
    probes
}
