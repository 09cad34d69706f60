//! Does the sweep find, on the order service, what needs a window? One test for the first of each requirement of the defects
//! that show only when a fault falls between two messages; with `FIREASSAY_TIER=full` one for each of them, and one for each
//! scenario with the correct service.

#[path = "shared/sweep.rs"]
mod sweep;

use std::collections::BTreeSet;
use std::process::ExitCode;

use fireassay::conformance::main_with;

fn main() -> ExitCode {
    let is_full = std::env::var("FIREASSAY_TIER").is_ok_and(|tier| tier == "full");
    main_with("orders", None, sweep::AT_ONCE, |stage| {
        let correct = if is_full { sweep::correct(stage) } else { Vec::new() };
        let mut shown = BTreeSet::new();
        let windows = sweep::windows(stage, |defect| is_full || shown.insert(defect.caught_by.clone()))?;
        Ok(correct.into_iter().chain(windows).collect())
    })
}
