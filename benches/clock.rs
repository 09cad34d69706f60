//! What reading the wall clock costs a process whose clock can be changed: nanoseconds of the processor a reading, best of
//! fifty rounds of 200,000, the slowest thread counting. Fails when a reading takes more than [`LIMIT_NS`].
//!
//! `cargo bench --bench clock`; it needs a C compiler.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use fireassay::clock::{Clock, Library};
use fireassay::fault::{ClockChange, Rate, Shift};

/// The most that a reading may take.
const LIMIT_NS: f64 = 60.0;

fn main() -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder");
    let reader = folder.path().join("clock_reader");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/clock_reader.c");
    let compiled = Command::new("cc").args(["-O2", "-pthread", source, "-o"]).arg(&reader).status();
    assert!(compiled.is_ok_and(|status| status.success()), "the reader compiles");
    let library = Library::write(&[folder.path()]).expect("a place for the library");
    let states = [
        ("right", None),
        ("stepped", Some(ClockChange::Step(Shift::forwards(Duration::from_hours(25))))),
        ("drifting", Some(ClockChange::Drift(Rate::try_from(1.5).expect("a pace")))),
        ("frozen", Some(ClockChange::Freeze)),
    ];
    let mut is_good = true;
    for threads in [1, 2] {
        println!("{threads} thread(s), without the library: {:5.1} ns", read(&reader, threads, &[]));
        for (name, change) in states {
            let page = folder.path().join(format!("{name}-{threads}"));
            let clock = Arc::new(Clock::create(&library, &page).expect("a page"));
            let skew = change.and_then(|change| clock.change(change));
            let mut env = Vec::new();
            clock.add_to(&mut env);
            let each_ns = read(&reader, threads, &env);
            println!("{threads} thread(s), clock {name:8}:           {each_ns:5.1} ns");
            assert!(skew.is_none_or(|skew| skew.bite().is_some()), "the clock was {name} for the reader");
            is_good &= each_ns <= LIMIT_NS;
        }
    }
    println!("at most {LIMIT_NS} ns are allowed");
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn read(reader: &Path, threads: u32, env: &[(String, String)]) -> f64 {
    let mut command = Command::new(reader);
    let done = command.arg(threads.to_string()).envs(env.iter().map(|(name, value)| (name, value))).output();
    let text = String::from_utf8(done.expect("the reader runs").stdout).expect("a number");
    text.trim().parse().expect("a number")
}
