//! Does the suite see? One test for each defect of the reference target that every run of a quick case shows; with
//! `FIREASSAY_TIER=full` one for each of all. The cases without a defect are run by `tests/conformance.rs`; those that it
//! leaves out unless asked, because they take long, are run here.

#[path = "shared/detection.rs"]
mod detection;

use std::process::ExitCode;

use fireassay::conformance::main_with;
use fireassay::detection::Timing;
use fireassay::suite::Tier;

fn main() -> ExitCode {
    let is_full = std::env::var("FIREASSAY_TIER").is_ok_and(|tier| tier == "full");
    // Violations are what is wanted here: they do not belong into a JUnit report.
    main_with("reference", None, |stage| {
        detection::trials(stage, None, |defect, case| {
            is_full || (defect.timing == Timing::Certain && case.tier == Tier::Quick)
        })
    })
}
