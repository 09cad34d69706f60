//! `ledger.cache-loss`: a key that had taken effect before Redis was disturbed does not take effect again after it.

use super::{Found, Seen};
use crate::fault::{Edge, Fault, Node};
use crate::history::{Moment, StepId};
use crate::judgement::Witness;
use crate::profile::ledger::facts::{FaultKind, Transfer};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let disturbed = disturbances(seen);
    let mut again = 0;
    for (id, intent) in seen.facts.numbered_intents().filter(|(_, intent)| intent.sent > 1 && Seen::moves(intent)) {
        let effects = seen.books.effects(id);
        let attempts = || seen.facts.attempts_of(intent).map(|(_, attempt)| attempt);
        // Only what was acknowledged before is known to have taken effect before.
        let forgotten = disturbed.iter().find(|fault| intent.first_ok.is_some_and(|heard| heard < fault.injected));
        if let Some(fault) = forgotten
            && effects.count > 0
        {
            again += attempts().filter(|attempt| attempt.invoked > fault.bit).count() as u64;
        }
        if effects.count < 2 {
            continue;
        }
        let first = attempts().map(|attempt| attempt.invoked).min().unwrap_or_default();
        let last = attempts().map(|attempt| attempt.invoked).max().unwrap_or_default();
        let between = |fault: &&Disturbance| first < fault.injected && fault.injected < last;
        let Some(Disturbance { step, injected: at, .. }) = disturbed.iter().find(between) else { continue };
        found.blame("double", || {
            let pair = [Transfer(effects.first), Transfer(effects.second)];
            let expected = format!("{} takes effect once, though Redis was disturbed at {at}", seen.intent(id));
            let text = format!("the journal has {} and {}", seen.posted(pair[0]), seen.posted(pair[1]));
            let mut witnesses = vec![Witness::Intent(id), Witness::Fault(*step)];
            witnesses.extend(pair.into_iter().flat_map(|transfer| seen.rows(transfer)));
            (expected, text, witnesses)
        });
    }
    found.saw("sendings of applied keys after Redis was disturbed", again, 5);
    found.needs_audit(seen);
    found
}

/// A fault on Redis that made a difference.
struct Disturbance {
    step: StepId,
    /// When it was about to be done.
    injected: Moment,
    /// When it had made a difference.
    bit: Moment,
}

fn disturbances(seen: &Seen<'_>) -> Vec<Disturbance> {
    let of_redis =
        |step: &StepId| seen.plan.steps.get(usize::from(step.0)).is_some_and(|step| is_of_redis(&step.fault));
    let bit = seen.facts.faults.iter().filter(|fault| fault.change == FaultKind::Bit && of_redis(&fault.step));
    let injected = |step: StepId| {
        let mut of_step = seen.facts.faults.iter().filter(move |fault| fault.step == step);
        of_step.find(|fault| fault.change == FaultKind::Injected).map(|fault| fault.at)
    };
    bit.filter_map(|fault| Some(Disturbance { step: fault.step, injected: injected(fault.step)?, bit: fault.at }))
        .collect()
}

fn is_of_redis(fault: &Fault) -> bool {
    let edge = |edge: &Edge| edge.to == Node::Redis;
    match fault {
        Fault::KillRedis(_) | Fault::FlushRedis => true,
        Fault::Server(fault) => fault.server() == Node::Redis,
        Fault::Partition { edge: on, .. } | Fault::Cut { edge: on } | Fault::Blackhole { edge: on } => edge(on),
        _ => false,
    }
}
