// A test may stop where its own assumption fails.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeSet, HashSet};

use serde::Deserialize;

use super::LedgerWorkload;
use crate::fault::spec::{FaultSpec, Span};
use crate::fault::{StormSpec, Trigger, resolve};
use crate::history::InstanceName;
use crate::profile::Workload;
use crate::profile::script::{Arrival, Script};
use crate::suite::{Requirement, Tier};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuiteFile {
    profile: String,
    version: u32,
    requirement: Vec<Requirement>,
    case: Vec<CaseFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    id: String,
    title: String,
    tier: Tier,
    requirements: Vec<String>,
    workload: LedgerWorkload,
    #[serde(default)]
    fault: Vec<FaultSpec>,
    #[expect(dead_code, reason = "read so that it is known")]
    explore: Option<String>,
    #[expect(dead_code, reason = "read so that it is known")]
    storm: Option<StormSpec>,
    #[serde(default)]
    read_every: Option<Span>,
    settle: Span,
}

fn suite() -> SuiteFile {
    toml::from_str(include_str!("../../../../suites/ledger.toml")).unwrap()
}

fn instances(front: u16) -> Vec<InstanceName> {
    (1..=front).map(|number| InstanceName { role: "api".into(), number }).collect()
}

fn script(case: &CaseFile, seed: u64) -> Script {
    case.workload.script(seed, &instances(2))
}

#[test]
fn the_suite_is_whole() {
    let suite = suite();
    assert_eq!((suite.profile.as_str(), suite.version), ("ledger", 1));
    let known: BTreeSet<_> = suite.requirement.iter().map(|requirement| requirement.id.as_str()).collect();
    assert_eq!(known.len(), suite.requirement.len(), "an id twice");
    let oracles: BTreeSet<_> = crate::profile::ledger::oracles::requirements().collect();
    assert_eq!(known, oracles, "requirements and oracles have to be the same");
    let ids: BTreeSet<_> = suite.case.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids.len(), suite.case.len(), "a case twice");
    let mut checked = BTreeSet::new();
    for case in &suite.case {
        assert!(case.settle.0 >= std::time::Duration::from_secs(10), "{}", case.title);
        for requirement in &case.requirements {
            assert!(known.contains(requirement.as_str()), "{}: {requirement}", case.id);
            if case.tier == Tier::Quick {
                checked.insert(requirement.as_str());
            }
        }
        if case.requirements.iter().any(|id| id == "ledger.append-only") {
            assert!(case.read_every.is_some(), "{}: append-only needs readings during the load", case.id);
        }
    }
    assert_eq!(known, checked, "the quick tier has to check every requirement");
}

#[test]
fn every_fault_starts_well_before_the_load_ends() {
    let mut all = instances(2);
    all.push(InstanceName { role: "relay".into(), number: 1 });
    for case in suite().case {
        for seed in 0..5 {
            let script = script(&case, seed);
            let sends: u32 = script.clients.iter().flatten().map(|step| u32::from(step.copies)).sum();
            for step in resolve(&case.fault, &all, seed).unwrap().steps {
                if let Trigger::Operations(count) = step.trigger {
                    assert!(count * 10 <= sends * 9, "{}: {count} of {sends}", case.id);
                }
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_script_and_another_seed_another() {
    for case in suite().case {
        assert_eq!(script(&case, 7), script(&case, 7), "{}", case.id);
        assert_ne!(script(&case, 7), script(&case, 8), "{}", case.id);
    }
}

#[test]
fn bodies_are_unique_and_every_reference_holds() {
    for case in suite().case {
        for seed in 0..5 {
            let script = script(&case, seed);
            let mut bodies = HashSet::new();
            for intent in script.intents.iter().filter(|intent| intent.call.operation == "transfer") {
                let fields = &intent.call.fields;
                let body = ["from", "to", "amount"].map(|name| fields.get(name).map(ToString::to_string));
                let plain = fields.get("amount").and_then(serde_json::Value::as_i64).is_some_and(|amount| amount > 0);
                assert!(bodies.insert(body) || !plain, "{}: {fields:?}", case.id);
            }
            let last = u32::try_from(script.intents.len()).unwrap();
            let steps = script.clients.iter().flatten();
            let sent = steps.map(|step| step.intent).chain(script.setup.iter().copied());
            assert!(
                sent.chain(script.probes.iter().copied()).chain(script.audit.iter().copied()).all(|id| id.0 < last)
            );
            assert_eq!(script.probes.len(), 2);
            for (number, intent) in (0..).zip(&script.intents) {
                assert!(intent.binds.iter().all(|bind| bind.intent.0 < number));
            }
            let open = script.clients.iter().flatten().any(|step| step.after.as_secs() >= 1);
            assert_eq!(open, script.arrival == Arrival::Open, "{}", case.id);
        }
    }
}

#[test]
fn a_typo_in_a_parameter_is_an_error() {
    let wrong =
        toml::from_str::<std::collections::BTreeMap<String, LedgerWorkload>>("w = { transfers = { intent = 3 } }");
    let message = wrong.unwrap_err().to_string();
    assert!(message.contains("unknown field `intent`"), "{message}");
}

#[test]
fn what_a_careless_service_makes_of_bad_input_is_no_good_transfer() {
    use crate::history::{AttemptId, ClientId, Event, IntentId, Moment, What};
    use crate::profile::ledger::facts::{Ask, Facts};

    let case = suite().case.into_iter().find(|case| case.id == "bad-input").unwrap();
    for seed in 0..20 {
        let to = instances(1).remove(0);
        let sent = (0..).zip(script(&case, seed).intents).map(|(number, intent)| {
            let (attempt, client, to) = (AttemptId(number), ClientId(0), to.clone());
            let what = What::Invoke { attempt, intent: IntentId(number), client, to, call: intent.call };
            Event { at: Moment(0), what }
        });
        let facts = Facts::read(&sent.collect::<Vec<_>>());
        let asks = || facts.intents.iter().map(|intent| intent.ask);
        let good: HashSet<_> =
            asks().filter_map(|ask| if let Ask::Transfer(body) = ask { Some(body) } else { None }).collect();
        let bad: Vec<_> =
            asks().filter_map(|ask| if let Ask::Bad { misread, .. } = ask { misread } else { None }).collect();
        assert!(bad.len() > 40);
        assert!(bad.iter().all(|body| !good.contains(body)), "seed {seed}");
        // Nor is the reversal of one transfer another transfer.
        assert!(good.iter().all(|body| !good.contains(&body.reversed())), "seed {seed}");
    }
}
