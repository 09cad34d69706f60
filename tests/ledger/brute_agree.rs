//! Oracles and plain restatements agree on small histories, right ones and spoilt ones; and the plain restatements
//! themselves see the defects that were planted.

use fireassay::fault::spec::FaultSpec;
use fireassay::judgement::Verdict;
use fireassay::profile::ledger::workload::LedgerWorkload;
use proptest::prelude::*;

use super::brute_right::{any_faults, any_nature, any_work};
use super::brute_seven::{REQUIREMENTS, blamed};
use super::brute_spoil::{any_change, spoil};
use super::service::Defect;
use super::world::Nature;
use super::{DEFECTS, Run, case, judge, play, play_with};

/// The defects of the simulated ledger that can show in small histories of any kind.
fn any_defect() -> impl Strategy<Value = Option<Defect>> {
    let defects: Vec<_> = DEFECTS.iter().map(|(defect, ..)| *defect).collect();
    prop::option::weighted(0.4, prop::sample::select(defects))
}

fn any_nature_with_a_defect() -> impl Strategy<Value = Nature> {
    (any_nature(), any_defect()).prop_map(|(nature, defect)| Nature { defect, keys: true, ..nature })
}

fn any_run() -> impl Strategy<Value = (LedgerWorkload, Vec<FaultSpec>, Nature, u64)> {
    (any_work(), any_faults(), any_nature_with_a_defect(), 0..1_000_000_u64)
}

fn disagreement(run: &Run) -> Option<String> {
    let expected = blamed(&run.history, &run.plan);
    let findings = judge(run, &REQUIREMENTS.map(str::to_owned));
    let wrong = findings
        .iter()
        .find(|finding| (finding.verdict() == Verdict::Violation) != expected.contains(finding.requirement.as_str()));
    wrong.map(|finding| format!("the plain restatements blame {expected:?}, but the oracle says {finding:#?}"))
}

proptest! {
    #![proptest_config(super::few(48))]

    #[test]
    fn plain_restatements_agree_with_the_oracles_on_seven_requirements(
        (work, faults, nature, seed) in any_run(),
        changes in prop::collection::vec(any_change(), 0..6),
    ) {
        let mut run = play_with(&work, &faults, nature, seed);
        for change in &changes {
            spoil(&mut run.history, change);
        }
        let disagreement = disagreement(&run);
        prop_assert!(disagreement.is_none(), "{}", disagreement.unwrap_or_default());
    }
}

#[test]
fn plain_restatements_see_the_planted_defects() {
    for &(defect, id, requirement, _) in DEFECTS {
        let requirement = format!("ledger.{requirement}");
        if !REQUIREMENTS.contains(&requirement.as_str()) {
            continue;
        }
        let run = play(&case(id), Some(defect), true, 3);
        assert!(blamed(&run.history, &run.plan).contains(requirement.as_str()), "{defect:?} in {id}");
    }
}
