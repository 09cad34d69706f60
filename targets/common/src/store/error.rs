//! What can go wrong with the database, by what it means for the caller.

/// The database did not do what it was asked, or did it and could not say so. Either way the outcome is open: after an
/// error at COMMIT the work may be done. A caller must hear "unknown" and may ask again under the same key.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
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
    /// The server rolled the transaction back because of another one (a deadlock, a serialization failure): nothing has
    /// happened, and trying again is what the server asks for.
    pub fn is_conflict(&self) -> bool {
        let Self::Failed(sqlx::Error::Database(error)) = self else { return false };
        matches!(error.code().as_deref(), Some("40P01" | "40001"))
    }

    /// The database refuses to write; for a defect, because it makes no difference to a caller who may ask again.
    pub fn is_read_only(&self) -> bool {
        let Self::Failed(sqlx::Error::Database(error)) = self else { return false };
        error.code().as_deref() == Some("25006")
    }

    /// The connection broke, so that nobody knows how far the transaction came.
    pub fn is_connection_lost(&self) -> bool {
        match self {
            Self::Failed(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)) => true,
            // Class 57P: the server is going down or ended this session. Class 08: connection trouble.
            Self::Failed(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08"))
            }
            _ => false,
        }
    }

    /// The database understood and will never take it (a value that does not fit, a rule that is broken): trying again is
    /// no use. Everything else passes.
    pub fn is_refusal(&self) -> bool {
        let Self::Failed(sqlx::Error::Database(error)) = self else { return false };
        error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
    }
}
