//! Does the suite of the orders profile see? One test for each defect of its reference service that every run of a quick case
//! shows; with `FIREASSAY_TIER=full` one for each of all.

#[path = "shared/detection.rs"]
mod detection;

use std::process::ExitCode;
use std::time::Duration;

use fireassay::conformance::main_with;
use fireassay::detection::Timing;
use fireassay::suite::Tier;

/// Twice what the service takes to drain without a defect: what has not come by then is lost.
const SETTLE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let is_full = std::env::var("FIREASSAY_TIER").is_ok_and(|tier| tier == "full");
    main_with("orders", None, |stage| {
        detection::trials(stage, Some(SETTLE), |defect, case| {
            is_full || (defect.timing == Timing::Certain && case.tier == Tier::Quick)
        })
    })
}
