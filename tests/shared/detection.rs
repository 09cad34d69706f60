//! One test for each defect of a target that can make mistakes on request: its case has to catch it. Unless `FIREASSAY_TIER`
//! is `full`, only for the first of each requirement that every run of a quick case shows; those that take a fault between two
//! messages are then left to the tests of the sweep.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fireassay::conformance::{Stage, StageError, verdict};
use fireassay::detection::{Defect, Row, SWITCH, Sight, Timing};
use fireassay::runner::Planned;
use fireassay::suite::{Case, Tier};
use libtest_mimic::{Failed, Trial};

/// Trials at a time. Most of one is waiting for what a mistake has lost, until the deadline.
pub(crate) const AT_ONCE: usize = 4;

/// Seeds for a defect that each run shows.
const SEEDS: u64 = 1;

/// Seeds for a defect that random timing shows or hides: one of them has to catch it.
const SEEDS_LIKELY: u64 = 5;

/// A test for each defect that is meant. Its case is not waited for longer than `settle`, if that is given: for targets that
/// are known to drain sooner.
pub(crate) fn trials(stage: &Arc<Stage>, settle: Option<Duration>) -> Result<Vec<Trial>, StageError> {
    let is_full = std::env::var("FIREASSAY_TIER").is_ok_and(|tier| tier == "full");
    let case_of = |defect: &Defect| {
        let case = stage.suite().cases.iter().find(|case| case.id == defect.case)?;
        Some(Case { settle: settle.unwrap_or(case.settle), ..case.clone() })
    };
    let defects = stage.defects()?.defects;
    let mut meant: Vec<(Defect, Case)> =
        defects.into_iter().filter_map(|defect| case_of(&defect).map(|case| (defect, case))).collect();
    if !is_full {
        let mut shown = BTreeSet::new();
        meant.retain(|(defect, case)| {
            let is_quick = case.tier == Tier::Quick && defect.timing == Timing::Certain && defect.window.is_none();
            is_quick && shown.insert(defect.caught_by.clone())
        });
    }
    // A case that has the stack to itself waits for all others, and the others wait for it.
    meant.sort_by_key(|(_, case)| case.is_exclusive());
    let mut cases: Vec<Case> = meant.iter().map(|(_, case)| case.clone()).collect();
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    cases.dedup_by(|a, b| a.id == b.id);
    let correct = cases.into_iter().filter(|case| case.tier != Tier::Quick).map(|case| {
        let stage = Arc::clone(stage);
        Trial::ignorable_test(format!("correct::{}", case.id), move || verdict(&stage.run(&Planned::drawn(case, 1))))
    });
    let defective = meant.iter().cloned().map(|(defect, case)| {
        let stage = Arc::clone(stage);
        Trial::test(format!("defect::{}", defect.name), move || prove(&stage, defect, &case))
    });
    Ok(correct.chain(defective).collect())
}

/// Runs seed after seed until the defect is proven or they are used up; a run that blames something unrelated spoils it.
fn prove(stage: &Stage, defect: Defect, case: &Case) -> Result<(), Failed> {
    let seeds = match defect.timing {
        Timing::Certain => SEEDS,
        Timing::Likely => SEEDS_LIKELY,
    };
    let mut row = Row::new(defect);
    let mut seen = Vec::new();
    for seed in 1..=seeds {
        let env = vec![(SWITCH.to_owned(), row.defect.name.clone())];
        let told = stage.run(&Planned::drawn(case.clone(), seed).with_env(env));
        let sight = Sight::of(&row.defect, &told.report);
        seen.push(format!("seed {seed}: {sight:?}, kept in {}", told.report.directory.display()));
        row.count(sight);
        if row.is_proven() {
            return Ok(());
        }
    }
    let wanted = &row.defect.caught_by;
    Err(format!("expected a violation of {wanted} and of nothing unrelated\n{}", seen.join("\n")).into())
}
