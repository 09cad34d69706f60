//! The command `fireassay`.

use std::process::ExitCode;

fn main() -> ExitCode {
    fireassay::cli::main()
}
