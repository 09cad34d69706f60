//! Why a command could not do what it was asked: what is wrong, what to do next, and the exit code.

use std::path::{Path, PathBuf};

use super::exit;
use crate::report::text::shell;
use crate::runner::RunError;

/// A command's failure, in words for its user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Failure {
    /// The process's exit code.
    pub(crate) code: u8,
    /// What is wrong and where.
    pub(crate) what: String,
    /// What to type or change.
    pub(crate) next: String,
}

impl Failure {
    pub(super) fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code: exit::USAGE, what: what.into(), next: next.into() }
    }

    pub(super) fn environment(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code: exit::ENVIRONMENT, what: what.into(), next: next.into() }
    }

    pub(super) fn nothing(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code: exit::NOTHING, what: what.into(), next: next.into() }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let what = error.to_string();
        match error {
            RunError::Environment(_) => Self::environment(what, "fireassay doctor"),
            RunError::Build { directory, command, log, .. } => {
                Self::environment(what, build_again(&directory, &command, log))
            }
            RunError::Configuration(_) => Self::usage(
                what,
                "mend the manifest or the suite; docs/target-manifest.md has every key that a manifest may have",
            ),
            RunError::Stack(_) => {
                Self::usage(what, "see `fireassay doctor`; docs/backends.md has all about servers that run already")
            }
            RunError::Interrupted => {
                Self { code: exit::INTERRUPTED, what, next: "nothing was started, nothing is left running".into() }
            }
        }
    }
}

/// What a build said, and how to run it without us. What this machine has and lacks is its own affair to say.
fn build_again(directory: &Path, command: &[String], log: Option<PathBuf>) -> String {
    let place = |path: &Path| shell(&path.display().to_string());
    let line = command.iter().map(|word| shell(word)).collect::<Vec<_>>().join(" ");
    let said = log.map_or_else(String::new, |log| format!("all that it said is in {}; ", place(&log)));
    format!("{said}try it by itself: cd {} && {line}", place(directory))
}

/// `; did you mean `…`?` with the name most like the one given, if any is like it.
pub(super) fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    /// Below this, names have nothing to do with each other.
    const LIKENESS_LEAST: f64 = 0.8;
    let likeness = |name: &&str| strsim::jaro_winkler(given, name);
    let best = known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match best.filter(|name| likeness(name) >= LIKENESS_LEAST) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_build_leads_to_the_build_and_not_to_the_machine() {
        let build = |log: Option<&str>| RunError::Build {
            what: "failed to build the target `wallet`".into(),
            directory: "/my services/wallet".into(),
            command: vec!["cargo".into(), "build".into(), "--bin".into(), "my wallet".into()],
            log: log.map(PathBuf::from),
        };
        let failure = Failure::from(build(Some("runs/build-7.log")));
        assert_eq!((failure.code, failure.what.as_str()), (exit::ENVIRONMENT, "failed to build the target `wallet`"));
        let line = "try it by itself: cd '/my services/wallet' && cargo build --bin 'my wallet'";
        assert_eq!(failure.next, format!("all that it said is in runs/build-7.log; {line}"));
        assert_eq!(Failure::from(build(None)).next, line, "it never ran");
    }

    #[test]
    fn a_typo_finds_the_nearest_name_and_nonsense_none() {
        let known = ["ledger.once", "ledger.acked", "ledger.event"];
        assert_eq!(did_you_mean("ledger.onec", known), "; did you mean `ledger.once`?");
        assert_eq!(did_you_mean("zzz", known), "");
    }
}
