//! Whether clocks can be made wrong here: it is done to a program that tells the time, and looked whether it noticed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::super::StackConfig;
use super::super::place;
use super::{Found, find};
use crate::clock::{Clock, Library, loadable};
use crate::fault::{ClockChange, Shift};

const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Makes the clock of a `date` wrong by a day.
pub(super) fn check(config: &StackConfig) -> Result<Found, String> {
    let program = find::on_path("date")?;
    loadable(&program).map_err(|why| format!("tried on {}: {why}", program.display()))?;
    let temporary = std::env::temp_dir();
    let library = Library::write(&[&place::root(config), &temporary]).map_err(|error| error.to_string())?;
    let clock = Clock::create(&library, &library.folder().join("page")).map_err(|error| error.to_string())?;
    let clock = Arc::new(clock);
    let skew = clock.change(ClockChange::Step(Shift::forwards(Duration::from_hours(24))));
    let mut env = Vec::new();
    clock.add_to(&mut env);
    run(&program, env)?;
    match skew {
        Some(skew) if skew.bite().is_none() => Err(format!("tried on {}: {}", program.display(), skew.why_not())),
        _ => {
            let place = library.folder().parent().unwrap_or(library.folder());
            Ok(Found { place: place.display().to_string(), version: "can be made wrong".to_owned() })
        }
    }
}

fn run(program: &Path, env: Vec<(String, String)>) -> Result<(), String> {
    let shown = program.display();
    let mut command = Command::new(program);
    command.envs(env).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("{shown} cannot be run: {error}"))?;
    let end = Instant::now() + ANSWER_DEADLINE;
    while child.try_wait().is_ok_and(|ended| ended.is_none()) {
        if Instant::now() >= end {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{shown} did not end within {} s", ANSWER_DEADLINE.as_secs()));
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_real_program_is_tried() {
        let root = tempfile::tempdir().unwrap();
        let config = StackConfig { data_root: Some(root.path().to_owned()), ..StackConfig::default() };
        let found = check(&config).unwrap();
        assert_eq!(found.version, "can be made wrong");
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0, "nothing is left");
    }
}
