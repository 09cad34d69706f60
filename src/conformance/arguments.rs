//! What `cargo test` may pass to a test binary, in the part of it that libtest-mimic understands.

use std::process::ExitCode;

use libtest_mimic::Trial;

/// The arguments of a test binary.
#[derive(Clone, Debug)]
pub struct Arguments {
    known: libtest_mimic::Arguments,
    /// A test is run when it matches any of these; all are when there are none.
    filters: Vec<String>,
}

impl Arguments {
    /// Reads the process's arguments. Ends the process when they are wrong or ask for help.
    #[must_use]
    pub fn from_args() -> Self {
        let (known, filters) = normalise(std::env::args());
        Self { known: libtest_mimic::Arguments::from_iter(known), filters }
    }

    /// Runs so many trials at a time, unless the arguments say how many. As many as there are processors otherwise.
    #[must_use]
    pub fn at_once(mut self, trials: usize) -> Self {
        self.known.test_threads.get_or_insert(trials);
        self
    }

    /// Runs what is selected.
    #[must_use]
    pub fn run(&self, mut trials: Vec<Trial>) -> ExitCode {
        let matches =
            |name: &str, filter: &String| if self.known.exact { name == filter } else { name.contains(filter) };
        trials
            .retain(|trial| self.filters.is_empty() || self.filters.iter().any(|filter| matches(trial.name(), filter)));
        libtest_mimic::run(&self.known, trials).exit_code()
    }
}

/// Options that take the next argument as their value.
const WITH_VALUE: [&str; 7] = ["--skip", "--test-threads", "--logfile", "--color", "--format", "-Z", "--shuffle-seed"];

/// Options of the usual harness that have no meaning here.
const WITHOUT_MEANING: [&str; 5] =
    ["--shuffle", "--report-time", "--ensure-time", "--exclude-should-panic", "--force-run-in-process"];

/// Splits off the filters, of which there may be several, and leaves out what libtest-mimic would refuse.
fn normalise(arguments: impl Iterator<Item = String>) -> (Vec<String>, Vec<String>) {
    let mut arguments = arguments;
    let mut known: Vec<String> = arguments.next().into_iter().collect();
    let mut filters = Vec::new();
    while let Some(argument) = arguments.next() {
        let name = argument.split_once('=').map_or(argument.as_str(), |(name, _)| name);
        if argument == "--" {
            filters.extend(arguments.by_ref());
        } else if WITHOUT_MEANING.contains(&name) {
        } else if name == "--shuffle-seed" {
            if argument == name {
                arguments.next();
            }
        } else if argument == "--no-capture" {
            known.push("--nocapture".into());
        } else if WITH_VALUE.contains(&argument.as_str()) {
            known.push(argument);
            known.extend(arguments.next());
        } else if argument.starts_with('-') {
            known.push(argument);
        } else {
            filters.push(argument);
        }
    }
    (known, filters)
}

#[cfg(test)]
mod tests {
    use super::normalise;

    fn check(given: &str, known: &str, filters: &str) {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(normalise(words(given).into_iter()), (words(known), words(filters)), "{given}");
    }

    #[test]
    fn several_filters_are_told_from_the_values_of_options() {
        check("bin once acked", "bin", "once acked");
        check("bin --skip slow once --test-threads=2 acked", "bin --skip slow --test-threads=2", "once acked");
        check("bin --exact -- --odd", "bin --exact", "--odd");
    }

    #[test]
    fn what_the_usual_harness_accepts_is_no_error() {
        check("bin --no-capture --nocapture", "bin --nocapture --nocapture", "");
        check("bin --shuffle --shuffle-seed 7 --report-time=plain once", "bin", "once");
        check("bin --shuffle-seed=7 -q", "bin -q", "");
    }

    #[test]
    fn what_is_left_is_understood() {
        let (known, _) = normalise("bin --no-capture --shuffle a b --format terse".split(' ').map(str::to_owned));
        let arguments = libtest_mimic::Arguments::from_iter(known);
        assert!(arguments.nocapture && arguments.filter.is_none());
    }
}
