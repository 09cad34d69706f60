//! One test for each defect that shows only when a fault falls between two messages: a sweep has to find it in every run.

use std::sync::Arc;

use fireassay::conformance::{Stage, StageError};
use fireassay::detection::{Defect, SWITCH};
use fireassay::explore::sweep::{Action, Outcome, Scenario, Until};
use fireassay::judgement::Verdict;
use fireassay::report::style::Palette;
use fireassay::report::sweep::ending;
use fireassay::suite::Case;
use libtest_mimic::{Failed, Trial};

/// Sweeps at a time: while the last runs of one wait, those of the other go on.
pub(crate) const AT_ONCE: usize = 2;

/// Runs of a sweep at a time: enough to keep two processors busy, few enough for callers not to lose their patience.
const JOBS: usize = 4;

/// A test for each scenario of the suite with the correct target.
pub(crate) fn correct(stage: &Arc<Stage>) -> Vec<Trial> {
    let trial = |case: Case| {
        let stage = Arc::clone(stage);
        Trial::test(format!("correct::{}", case.id), move || survives(&stage, case))
    };
    scenarios(stage).into_iter().map(trial).collect()
}

/// A test for each defect that has a window and `is_meant`: some scenario shows it, and none blames anything unrelated.
pub(crate) fn windows(stage: &Arc<Stage>, mut is_meant: impl FnMut(&Defect) -> bool) -> Result<Vec<Trial>, StageError> {
    let scenarios = scenarios(stage);
    let windows = stage.defects()?.defects.into_iter().filter(|it| it.window.is_some() && is_meant(it));
    let found = windows.map(|defect| {
        let (stage, scenarios) = (Arc::clone(stage), scenarios.clone());
        Trial::test(format!("defect::{}", defect.name), move || is_found(&stage, &defect, &scenarios))
    });
    Ok(found.collect())
}

fn scenarios(stage: &Stage) -> Vec<Case> {
    stage.suite().cases.iter().filter(|case| case.is_swept()).cloned().collect()
}

fn sweep(stage: &Stage, case: Case, until: Until, env: Vec<(String, String)>) -> Result<Outcome, Failed> {
    let scenario = Scenario { case, seed: 1, actions: Action::USUAL.to_vec(), pairs: 0, until, jobs: JOBS, env };
    Ok(stage.sweep(scenario)?)
}

fn survives(stage: &Stage, case: Case) -> Result<(), Failed> {
    let outcome = sweep(stage, case, Until::Through, Vec::new())?;
    match outcome.verdict() {
        Verdict::Pass => Ok(()),
        _ => Err(ending(&outcome, Palette::Plain).into()),
    }
}

fn is_found(stage: &Stage, defect: &Defect, scenarios: &[Case]) -> Result<(), Failed> {
    let mut seen = Vec::new();
    for case in scenarios {
        let until = Until::Violated(vec![defect.caught_by.clone()]);
        let outcome = sweep(stage, case.clone(), until, vec![(SWITCH.to_owned(), defect.name.clone())])?;
        let violated: Vec<&str> = outcome.violated().collect();
        let is_related = |id: &str| id == defect.caught_by || defect.also.iter().any(|also| also == id);
        if let Some(unrelated) = violated.iter().find(|id| !is_related(id)) {
            return Err(format!("{unrelated} was blamed:\n{}", ending(&outcome, Palette::Plain)).into());
        }
        if violated.contains(&defect.caught_by.as_str()) {
            return Ok(());
        }
        seen.push(ending(&outcome, Palette::Plain));
    }
    Err(format!("{} was not found to be violated\n{}", defect.caught_by, seen.join("\n")).into())
}
