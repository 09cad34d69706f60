//! Why a command could not do what it was asked: what is wrong, what to do next, and the exit code.

use super::exit;
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
            RunError::Configuration(_) => Self::usage(
                what,
                "mend the manifest or the suite; docs/target-manifest.md has every key that a manifest may have",
            ),
            RunError::Interrupted => {
                Self { code: exit::INTERRUPTED, what, next: "nothing was started, nothing is left running".into() }
            }
        }
    }
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
    fn a_typo_finds_the_nearest_name_and_nonsense_none() {
        let known = ["ledger.once", "ledger.acked", "ledger.event"];
        assert_eq!(did_you_mean("ledger.onec", known), "; did you mean `ledger.once`?");
        assert_eq!(did_you_mean("zzz", known), "");
    }
}
