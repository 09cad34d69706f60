//! Does the suite of the orders profile see? One test for each defect of its reference service, or with less than the full tier
//! for each requirement.

#[path = "shared/detection.rs"]
mod detection;

use std::process::ExitCode;
use std::time::Duration;

use fireassay::conformance::main_with;

/// Three times what the service takes to drain without a defect: what has not come by then is lost, on a busy machine too.
const SETTLE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    main_with("orders", None, detection::AT_ONCE, |stage| detection::trials(stage, Some(SETTLE)))
}
