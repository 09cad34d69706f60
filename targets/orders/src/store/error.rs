//! What can go wrong with the database, by what it means for the caller.

/// The database did not do what it was asked, or did it and could not say so. Either way the outcome is open: after an
/// error at COMMIT the work may be done. A caller must hear "unknown" and may ask again under the same key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// All connections are in use.
    #[error("no free database connection in time")]
    Busy,
    /// No reply in time. The connection is given up, because the reply may still come and would be taken for the next one.
    #[error("the database did not answer in time while {0}")]
    TimedOut(&'static str),
    /// Everything else.
    #[error("database: {0}")]
    Failed(#[from] sqlx::Error),
}

impl StoreError {
    /// The database understood and will never take it (a value that does not fit, a rule that is broken): trying again is
    /// no use. Everything else passes.
    pub(crate) fn is_refusal(&self) -> bool {
        let Self::Failed(sqlx::Error::Database(error)) = self else { return false };
        error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
    }
}
