//! Does the suite of the ordering profile see? One test for each defect of its reference consumer that a quick case shows;
//! with `FIREASSAY_TIER=full` one for each of all.

#[path = "shared/detection.rs"]
mod detection;

use std::process::ExitCode;
use std::time::Duration;

use fireassay::conformance::main_with;
use fireassay::suite::Tier;

/// Twice what the service takes to drain without a defect, a rebalance included: what has not come by then is lost.
const SETTLE: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let is_full = std::env::var("FIREASSAY_TIER").is_ok_and(|tier| tier == "full");
    main_with("ordering", None, |stage| {
        detection::trials(stage, Some(SETTLE), |_, case| is_full || case.tier == Tier::Quick)
    })
}
