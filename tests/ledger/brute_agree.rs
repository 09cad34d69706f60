//! Oracles and plain restatements agree on small histories, right ones and spoilt ones; and the plain restatements
//! themselves see the defects that were planted.

use fireassay::fault::spec::FaultSpec;
use fireassay::judgement::Verdict;
use fireassay::profile::ledger::workload::{Callers, LedgerWorkload, Transfers};
use proptest::prelude::*;

use super::brute_right::{
    FLUSHED, SLOW, STOPPED, any_faults, any_nature, any_work, bad_input, faults, key_reuse, transfers,
};
use super::brute_seven::{REQUIREMENTS, blamed};
use super::brute_spoil::{any_change, spoil};
use super::service::Defect;
use super::world::Nature;
use super::{DEFECTS, Run, case, judge, play, play_with};

type Plot = (LedgerWorkload, Vec<FaultSpec>, Option<Defect>);

/// Anything at all.
fn any_plot() -> impl Strategy<Value = Plot> {
    let defects: Vec<_> = DEFECTS.iter().map(|(defect, ..)| *defect).collect();
    (any_work(), any_faults(), prop::option::weighted(0.4, prop::sample::select(defects)))
}

/// Work, faults and a defect that go together, so that each requirement is also broken in small histories.
fn pointed_plot() -> impl Strategy<Value = Plot> {
    let again = transfers().prop_map(|work| LedgerWorkload::Transfers(Transfers { again: work.again + 20, ..work }));
    let opposite = transfers().prop_map(|work| LedgerWorkload::Transfers(Transfers { opposite: true, ..work }));
    let steady = transfers().prop_map(|work| {
        let callers = Callers { clients: 8, rate: Some(50), ..work.callers };
        LedgerWorkload::Transfers(Transfers { callers, intents: 40, ..work })
    });
    let maybe = |defects: &[Defect]| prop::option::weighted(0.7, prop::sample::select(defects.to_vec()));
    prop_oneof![
        (again, Just(faults(FLUSHED)), maybe(&[Defect::ForgetsKeysWithRedis, Defect::ForgetsKeys])),
        (opposite, Just(faults(SLOW)), maybe(&[Defect::Deadlocks, Defect::TearsBalances, Defect::CachesBalances])),
        (steady, Just(faults(STOPPED)), maybe(&[Defect::CutsShort, Defect::IgnoresSigterm])),
        (key_reuse(), any_faults(), maybe(&[Defect::AcceptsOtherBodies])),
        (bad_input(), Just(faults(SLOW)), maybe(&[Defect::AcceptsNegative, Defect::FailsOnText])),
        (any_work(), any_faults(), maybe(&[Defect::StaysDown, Defect::StopsPublishing])),
    ]
}

fn any_run() -> impl Strategy<Value = (Plot, Nature, u64)> {
    let plot = prop_oneof![any_plot(), pointed_plot()];
    (plot, any_nature(), any::<u64>()).prop_map(|(plot, nature, seed)| {
        let nature = Nature { defect: plot.2, keys: true, ..nature };
        (plot, nature, seed)
    })
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
        ((work, faults, _), nature, seed) in any_run(),
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
