//! The suites against the target named by `FIREASSAY_TARGET`: one test for each case.

fn main() -> std::process::ExitCode {
    fireassay::conformance::main()
}
