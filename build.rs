//! Compiles the library that makes one process's clock wrong (`src/clock/shim`). It is embedded into the harness, so that
//! nothing has to be installed beside it.

use std::env;
use std::path::Path;
use std::process::ExitCode;

const SOURCES: &str = "src/clock/shim";
const FILES: [&str; 6] = ["real.c", "control.c", "witness.c", "clocks.c", "deadlines.c", "timers.c"];

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed={SOURCES}");
    let Some(out) = env::var_os("OUT_DIR") else { return ExitCode::FAILURE };
    let library = Path::new(&out).join("libfireassay_clock.so");
    // A clock is read in nanoseconds only with optimisation, whatever the profile.
    let compiler = cc::Build::new().opt_level(2).debug(false).warnings(false).get_compiler();
    let mut command = compiler.to_command();
    command.args(["-std=gnu11", "-Wall", "-Wextra", "-Wconversion", "-Werror=implicit-function-declaration"]);
    // The C library's headers promise that no pointer is null; callers keep no such promise.
    command.args(["-fno-delete-null-pointer-checks", "-Wno-nonnull-compare"]);
    command.args(["-fPIC", "-shared", "-fvisibility=hidden", "-pthread", "-o"]).arg(&library);
    command.args(FILES.map(|file| format!("{SOURCES}/{file}"))).arg("-ldl");
    match command.output() {
        Ok(done) if done.status.success() => ExitCode::SUCCESS,
        Ok(done) => failed(&String::from_utf8_lossy(&done.stderr)),
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(why: &str) -> ExitCode {
    for line in why.lines() {
        println!("cargo::error={line}");
    }
    println!("cargo::error=failed to compile {SOURCES}: it needs a C compiler (`CC`) and the headers of glibc");
    ExitCode::FAILURE
}
