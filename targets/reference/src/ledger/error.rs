//! Why a request was not carried out.

use reference_common::store::StoreError;

/// Nothing was written, except after [`LedgerError::Store`], where nobody knows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// An account of the request does not exist.
    #[error("unknown_account")]
    UnknownAccount,
    /// The transfer to reverse does not exist.
    #[error("unknown_transfer")]
    UnknownTransfer,
    /// The key stands for another request.
    #[error("key_reuse")]
    KeyReuse,
    /// The key is older than the defect `key-window` takes.
    #[error("key_too_old")]
    KeyTooOld,
    /// The currency is not that of both accounts.
    #[error("currency_mismatch")]
    CurrencyMismatch,
    /// The account exists with another currency or limit.
    #[error("account_exists")]
    AccountExists,
    /// The transfer has been reversed.
    #[error("already_reversed")]
    AlreadyReversed,
    /// The transfer was declined: there is nothing to reverse.
    #[error("not_reversible")]
    NotReversible,
    /// The outcome is open.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
