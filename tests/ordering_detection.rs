//! Does the suite of the ordering profile see? One test for each defect of its reference consumer, or with less than the full tier
//! for each requirement.

#[path = "shared/detection.rs"]
mod detection;

use std::process::ExitCode;
use std::time::Duration;

use fireassay::conformance::main_with;

/// Twice what the service takes to drain without a defect, a rebalance included: what has not come by then is lost.
const SETTLE: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    main_with("ordering", None, detection::AT_ONCE, |stage| detection::trials(stage, Some(SETTLE)))
}
