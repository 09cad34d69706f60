//! A script without what nothing in it needs any more: accounts that nobody uses, and intents that nobody sends.

use std::collections::BTreeSet;

use serde_json::Value;

use super::facts::KEYS;
use crate::history::{Call, IntentId};
use crate::profile::Script;
use crate::profile::renumber::{renumber, with_bound};

/// The accounts that a call speaks of.
pub(super) fn touches(call: &Call) -> Vec<String> {
    let fields = ["from", "to", "account"].iter().filter_map(|name| call.fields.get(*name)?.as_str());
    fields.map(str::to_owned).collect()
}

/// The same load, probes and readings, over the accounts that they use. Intents are numbered anew, and keys follow
/// their intents' numbers, by which effects are found.
pub(super) fn trim(script: &Script) -> Script {
    let mut script = script.clone();
    let sent: BTreeSet<IntentId> =
        script.clients.iter().flatten().map(|step| step.intent).chain(script.probes.iter().copied()).collect();
    let sent = with_bound(&script, sent);
    let call = |id: &IntentId| script.intents.get(id.0 as usize).map(|intent| &intent.call);
    let mut used: BTreeSet<String> = sent.iter().filter_map(call).flat_map(touches).collect();
    // Whoever funds a used account is used too, and may itself have been funded by an earlier one.
    let mut setup = Vec::new();
    for id in script.setup.iter().rev() {
        let Some(call) = call(id) else { continue };
        let account = call.fields.get(if call.operation == "open" { "account" } else { "to" }).and_then(Value::as_str);
        if account.is_some_and(|account| used.contains(account)) {
            used.extend(touches(call));
            setup.push(*id);
        }
    }
    setup.reverse();
    script.audit = script
        .audit
        .iter()
        .filter(|id| call(id).is_some_and(|call| touches(call).iter().all(|account| used.contains(account))))
        .copied()
        .collect();
    script.setup = setup;
    renumber(script, KEYS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::InstanceName;
    use crate::profile::Workload as _;
    use crate::profile::ledger::workload::{KeyReuse, LedgerWorkload, Reversals, Transfers};

    fn script(workload: LedgerWorkload) -> Script {
        let fronts: Vec<_> = (1..=2).map(|number| InstanceName { role: "api".into(), number }).collect();
        workload.script(7, &fronts)
    }

    /// What the callers ask for, without the numbers that intents and keys have.
    fn asked(script: &Script) -> Vec<(String, Value)> {
        let calls = script.clients.iter().flatten().map(|step| &script.intents[step.intent.0 as usize].call);
        let fields = calls.map(|call| {
            let mut fields = call.fields.clone();
            fields.remove("key");
            (call.operation.clone(), Value::Object(fields))
        });
        fields.collect()
    }

    #[test]
    fn what_is_sent_stays_the_same_and_the_rest_goes() {
        let mut script = script(LedgerWorkload::Transfers(Transfers::default()));
        script.clients.truncate(1);
        script.clients[0].truncate(2);
        let trimmed = trim(&script);
        assert_eq!(asked(&trimmed), asked(&script));
        assert!(trimmed.intents.len() < 40 && script.intents.len() > 300, "{}", trimmed.intents.len());
        assert_eq!(trimmed.probes.len(), script.probes.len());
        assert_eq!(trim(&trimmed), trimmed);
    }

    #[test]
    fn a_key_follows_its_intent_and_is_shared_by_those_that_shared_it() {
        let mut script = script(LedgerWorkload::KeyReuse(KeyReuse::default()));
        script.clients.truncate(1);
        // The first body under the key is left out, so that only the second is there.
        let sends = script.clients[0].clone();
        script.clients[0] = vec![sends[1], sends[3]];
        let trimmed = trim(&script);
        let first = trimmed.clients[0][0].intent;
        let key = trimmed.intents[first.0 as usize].call.fields["key"].clone();
        assert_eq!(key, Value::from(KEYS.name(first.0)));
        script.clients[0] = sends[..2].to_vec();
        let trimmed = trim(&script);
        let calls: Vec<_> =
            trimmed.clients[0].iter().map(|step| &trimmed.intents[step.intent.0 as usize].call).collect();
        assert_eq!(calls[0].fields["key"], calls[1].fields["key"]);
        assert_eq!(calls[0].fields["key"], Value::from(KEYS.name(trimmed.clients[0][0].intent.0)));
    }

    #[test]
    fn a_reversal_keeps_what_it_takes_back() {
        let mut script = script(LedgerWorkload::Reversals(Reversals::default()));
        script.clients.truncate(1);
        script.clients[0].truncate(3);
        let trimmed = trim(&script);
        let bound = trimmed.intents.iter().flat_map(|intent| &intent.binds);
        let originals: Vec<_> =
            bound.map(|bind| trimmed.intents[bind.intent.0 as usize].call.operation.as_str()).collect();
        assert!(!originals.is_empty() && originals.iter().all(|operation| *operation == "transfer"), "{originals:?}");
    }
}
