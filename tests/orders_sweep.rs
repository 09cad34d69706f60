//! Does the sweep find, on the order service, what needs a window? One test for each defect that shows only when a fault falls
//! between two messages; with `FIREASSAY_TIER=full` also one for each scenario with the correct service.

#[path = "shared/sweep.rs"]
mod sweep;

use std::process::ExitCode;

use fireassay::conformance::main_with;

fn main() -> ExitCode {
    let is_full = std::env::var("FIREASSAY_TIER").is_ok_and(|tier| tier == "full");
    main_with("orders", None, |stage| {
        let correct = if is_full { sweep::correct(stage) } else { Vec::new() };
        Ok(correct.into_iter().chain(sweep::windows(stage)?).collect())
    })
}
