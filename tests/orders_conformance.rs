//! The suite of the orders profile against its reference service: one test for each case.

fn main() -> std::process::ExitCode {
    fireassay::conformance::main_of("orders")
}
