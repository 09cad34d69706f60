//! Storms on the reference: a correct ledger survives them, a mistake is found, and what was drawn is stored like any other plan.

use std::process::ExitCode;
use std::sync::Arc;

use fireassay::conformance::{Stage, StageError, main_with, verdict};
use fireassay::detection::{Defect, SWITCH, Sight};
use fireassay::profile;
use fireassay::report::stored::read_run;
use fireassay::runner::{Planned, conclude};
use fireassay::suite::Case;
use libtest_mimic::{Failed, Trial};

/// Trials at a time: a storm keeps a processor busy.
const AT_ONCE: usize = 2;

/// Seeds that the correct reference survives.
const SEEDS: u64 = 3;

/// Within so many seeds a storm finds a mistake that several of its faults show. Ten of sixteen storms of `MANY` find it by
/// themselves, so that one search in twenty thousand comes back with nothing.
const SEEDS_MAX: u64 = 10;

/// Lost between two transactions: whatever ends an instance or its connections may show it.
const DEFECT: &str = "split-transfer";

/// The storm of the suite with the most faults.
const MANY: &str = "storm";

/// The storm of the suite that takes the shortest.
const CASE: &str = "short-storm";

fn main() -> ExitCode {
    // Violations are what is wanted here: they do not belong into a JUnit report.
    main_with("reference", None, AT_ONCE, trials)
}

fn trials(stage: &Arc<Stage>) -> Result<Vec<Trial>, StageError> {
    let named = |what: &str| StageError(format!("{what} is gone"));
    let case = |id: &str| stage.suite().cases.iter().find(|case| case.id == id).cloned().ok_or_else(|| named(id));
    let (short, many) = (case(CASE)?, case(MANY)?);
    let defect = stage.defects()?.named(DEFECT).cloned().ok_or_else(|| named(DEFECT))?;
    let trial = |name: &str, case: &Case, test: fn(&Stage, &Case, &Defect) -> Result<(), Failed>| {
        let (stage, case, defect) = (Arc::clone(stage), case.clone(), defect.clone());
        Trial::test(name, move || test(&stage, &case, &defect))
    };
    Ok(vec![
        trial("a_correct_ledger_survives_storms", &short, survives),
        trial("a_storm_finds_a_mistake", &many, finds),
        trial("a_storm_is_stored_as_a_plan_and_judged_again", &short, is_stored),
    ])
}

fn survives(stage: &Stage, case: &Case, _: &Defect) -> Result<(), Failed> {
    for seed in 1..=SEEDS {
        verdict(&stage.run(&Planned::drawn(case.clone(), seed)))?;
    }
    Ok(())
}

fn finds(stage: &Stage, case: &Case, defect: &Defect) -> Result<(), Failed> {
    let mut seen = Vec::new();
    for seed in 1..=SEEDS_MAX {
        let env = [(SWITCH.to_owned(), defect.name.clone())];
        let told = stage.run(&Planned::drawn(case.clone(), seed).with_env(env));
        match Sight::of(defect, &told.report) {
            Sight::Caught => return Ok(()),
            Sight::Blamed { on, .. } => {
                return Err(format!("{on:?} blamed in {}", told.report.directory.display()).into());
            }
            other => seen.push(format!("seed {seed}: {other:?}, kept in {}", told.report.directory.display())),
        }
    }
    Err(format!("{} was not violated\n{}", defect.caught_by, seen.join("\n")).into())
}

fn is_stored(stage: &Stage, case: &Case, _: &Defect) -> Result<(), Failed> {
    let drawn = stage.run(&Planned::drawn(case.clone(), 1)).report;
    let first = read_run(&drawn.directory).map_err(|error| error.to_string())?;
    if first.case.plan.steps.len() < 3 || first.case.plan.storm.is_none() {
        return Err(format!("no storm: {:?}", first.case.plan).into());
    }
    let profile = profile::named(&first.case.profile).ok_or("no such profile")?;
    let again = conclude(profile, &first.case, &first.history);
    if again.verdict != drawn.verdict {
        return Err(format!("judged {:?} and then {:?}", drawn.verdict, again.verdict).into());
    }
    let file = Arc::new(first.case.clone());
    let replayed = stage.run(&Planned::stored(file)).report;
    let second = read_run(&replayed.directory).map_err(|error| error.to_string())?;
    if (&second.case.plan, &second.case.script) != (&first.case.plan, &first.case.script) {
        return Err("a replay does something else".into());
    }
    verdict(&fireassay::report::tell_one(&replayed)).map(|_| ())
}
