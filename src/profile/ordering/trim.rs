//! A script without the intents that nobody sends any more.

use crate::history::Call;
use crate::profile::Script;
use crate::profile::ordering::facts::KEYS;
use crate::profile::renumber::renumber;

/// The entity that a call speaks of.
pub(super) fn touches(call: &Call) -> Vec<String> {
    call.fields.get("entity").and_then(|entity| entity.as_str()).map(str::to_owned).into_iter().collect()
}

/// The same load and the probes. An event that nobody sends any more leaves a gap, which is something to deal with like
/// any other.
pub(super) fn trim(script: &Script) -> Script {
    renumber(script.clone(), KEYS)
}

#[cfg(test)]
mod tests {
    use crate::history::InstanceName;
    use crate::profile::Workload as _;
    use crate::profile::ordering::workload::{OrderingWorkload, Stream};

    use super::*;

    #[test]
    fn what_is_sent_stays_under_the_key_of_its_new_number() {
        let fronts = [InstanceName { role: "api".into(), number: 1 }];
        let mut script = OrderingWorkload::Stream(Stream::default()).script(7, &fronts);
        script.clients.truncate(2);
        script.clients[0].truncate(3);
        script.clients[1].drain(..2);
        let trimmed = trim(&script);
        assert!(trimmed.intents.len() < script.intents.len());
        assert_eq!(trimmed.probes.len(), script.probes.len());
        for (number, intent) in (0..).zip(&trimmed.intents) {
            assert_eq!(intent.call.fields["key"], KEYS.name(number));
        }
        assert_eq!(trim(&trimmed), trimmed);
    }
}
