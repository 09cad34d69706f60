//! Does the suite see? One test for each defect of the reference target, or with less than the full tier for each requirement.
//! The cases without a defect are run by `tests/conformance.rs`; those that it leaves out unless asked, because they take
//! long, are run here.

#[path = "shared/detection.rs"]
mod detection;

use std::process::ExitCode;

use fireassay::conformance::main_with;

fn main() -> ExitCode {
    // Violations are what is wanted here: they do not belong into a JUnit report.
    main_with("reference", None, detection::AT_ONCE, |stage| detection::trials(stage, None))
}
