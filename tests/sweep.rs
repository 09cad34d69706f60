//! Does the sweep find what needs a window? One test for the correct reference, and one for each defect that shows only when
//! a fault falls between two messages.

#[path = "shared/sweep.rs"]
mod sweep;

use std::process::ExitCode;

use fireassay::conformance::main_with;

fn main() -> ExitCode {
    // Violations are what is wanted here: they do not belong into a JUnit report.
    main_with("reference", None, sweep::AT_ONCE, |stage| {
        Ok(sweep::correct(stage).into_iter().chain(sweep::windows(stage, |_| true)?).collect())
    })
}
