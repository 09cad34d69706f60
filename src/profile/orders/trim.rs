//! A script without the intents that nobody sends any more.

use crate::history::Call;
use crate::profile::Script;
use crate::profile::orders::facts::KEYS;
use crate::profile::renumber::renumber;

/// The order that a call speaks of.
pub(super) fn touches(call: &Call) -> Vec<String> {
    let names = ["key", "order"].iter().filter_map(|name| call.fields.get(*name)?.as_str());
    names.map(str::to_owned).collect()
}

/// The same load and the probes that are left of it. What is replayed after the load goes with the order that it is
/// for; new orders stay, for they show that the target works again. What nobody says any more is not looked for.
pub(super) fn trim(script: &Script) -> Script {
    let mut script = script.clone();
    let sent = |id| script.clients.iter().flatten().any(|step| step.intent == id);
    let binds =
        |id: crate::history::IntentId| script.intents.get(id.0 as usize).map_or(&[][..], |intent| &intent.binds);
    let kept = script.probes.iter().copied().filter(|id| binds(*id).iter().all(|bind| sent(bind.intent)));
    script.probes = kept.collect();
    let mut script = renumber(script, KEYS);
    let fields = script.intents.iter().flat_map(|intent| intent.call.fields.values());
    let said: std::collections::BTreeSet<&str> = fields.filter_map(serde_json::Value::as_str).collect();
    script.watch = script.watch.iter().filter(|word| said.contains(word.as_str())).cloned().collect();
    script
}

#[cfg(test)]
mod tests {
    use crate::history::InstanceName;
    use crate::profile::Workload as _;
    use crate::profile::orders::workload::{Orders, OrdersWorkload};

    use super::*;

    #[test]
    fn what_is_sent_stays_and_what_hangs_on_the_rest_goes() {
        let fronts: Vec<_> = (1..=2).map(|number| InstanceName { role: "api".into(), number }).collect();
        let workload =
            OrdersWorkload::Orders(Orders { orders: 40, again: 0, looks: 0, replays: 40, ..Orders::default() });
        let mut script = workload.script(7, &fronts);
        script.clients.truncate(1);
        script.clients[0].truncate(2);
        let trimmed = trim(&script);
        let creates = |script: &Script| script.intents.iter().filter(|it| it.call.operation == "create").count();
        assert_eq!(creates(&trimmed), creates(&script) - 38, "{:?}", trimmed.clients);
        assert_eq!(trimmed.probes.len(), 4 + 2 * 2, "new orders, and two replays of each that is left");
        for (number, intent) in (0..).zip(&trimmed.intents) {
            let key = intent.call.fields.get("key").and_then(serde_json::Value::as_str);
            assert!(key.is_none_or(|key| key == KEYS.name(number)), "{intent:?}");
        }
        assert!(!trimmed.watch.is_empty() && trimmed.watch.len() < script.watch.len());
        assert_eq!(trim(&trimmed), trimmed);
    }
}
