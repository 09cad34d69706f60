//! Bad input and bad days, as a user meets them: through the built binary, with targets that misbehave on purpose.
//!
//! The hostile target is this same program, started again by the harness (see `target`).

mod clocks;
mod harness;
mod input;
mod interrupted;
mod machine;
mod target;
mod treated;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    if let Some(behaviour) = target::asked_for() {
        return target::behave(&behaviour);
    }
    let tests: Vec<(&str, fn())> =
        [input::TESTS, machine::TESTS, treated::TESTS, clocks::TESTS, interrupted::TESTS].concat();
    let trial = |(name, test): (&str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let mut trials: Vec<Trial> = tests.into_iter().map(trial).collect();
    trials.push(Trial::ignorable_test("a_full_disk_ends_the_run_and_leaves_nothing", || Ok(machine::full_disk())));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
