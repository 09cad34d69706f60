//! Does the suite see? One test for each defect of the reference target. Their cases without a defect are run by
//! `tests/conformance.rs`; those that it leaves out unless asked, because they take long, are run here.

use std::process::ExitCode;
use std::sync::Arc;

use fireassay::conformance::{Stage, StageError, main_with, verdict};
use fireassay::detection::{Defect, Row, SWITCH, Sight, Timing};
use fireassay::runner::Planned;
use fireassay::suite::{Case, Tier};
use libtest_mimic::{Failed, Trial};

/// Seeds for a defect that each run shows.
const SEEDS: u64 = 1;

/// Seeds for a defect that random timing shows or hides: one of them has to catch it.
const SEEDS_LIKELY: u64 = 5;

fn main() -> ExitCode {
    // Violations are what is wanted here: they do not belong into a JUnit report.
    main_with("reference", None, trials)
}

fn trials(stage: &Arc<Stage>) -> Result<Vec<Trial>, StageError> {
    let defects = stage.defects()?.defects;
    let case_of = |defect: &Defect| stage.suite().cases.iter().find(|case| case.id == defect.case).cloned();
    let mut cases: Vec<Case> = defects.iter().filter_map(case_of).collect();
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    cases.dedup_by(|a, b| a.id == b.id);
    let correct = cases.into_iter().filter(|case| case.tier != Tier::Quick).map(|case| {
        let stage = Arc::clone(stage);
        Trial::ignorable_test(format!("correct::{}", case.id), move || verdict(&stage.run(&Planned::drawn(case, 1))))
    });
    let defective =
        defects.iter().filter_map(|defect| Some((defect.clone(), case_of(defect)?))).map(|(defect, case)| {
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
