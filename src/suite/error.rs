//! Errors in a suite.

/// A suite that cannot be used. The message names the file, line and column, and says how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SuiteError(pub String);
