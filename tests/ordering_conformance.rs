//! The suite of the ordering profile against its reference consumer: one test for each case.

fn main() -> std::process::ExitCode {
    fireassay::conformance::main_of("ordering")
}
