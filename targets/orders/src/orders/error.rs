//! Why a request was not carried out.

use reference_common::store::StoreError;

/// Nothing was written, except after [`OrdersError::Store`], where nobody knows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrdersError {
    /// The key stands for another order.
    #[error("key_reuse")]
    KeyReuse,
    /// There is no such order.
    #[error("unknown_order")]
    UnknownOrder,
    /// The order has no dead letter that has not been replayed.
    #[error("nothing_to_replay")]
    NothingToReplay,
    /// The broker does not answer; for a defect, because an order does not need it.
    #[error("no_broker")]
    NoBroker,
    /// The outcome is open.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for OrdersError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
