//! The states of an order and the version that each has.

use std::fmt;

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Taken, not worked on yet.
    Created,
    /// The worker has begun to charge.
    Pending,
    /// Charged.
    Paid,
    /// Declined.
    Failed,
    /// A word that the contract does not have.
    Unknown,
}

impl State {
    /// Reads the word for it.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "CREATED" => Self::Created,
            "PAYMENT_PENDING" => Self::Pending,
            "PAID" => Self::Paid,
            "FAILED" => Self::Failed,
            _ => Self::Unknown,
        }
    }

    /// The version that an order has in this state, since it rises by one with every change.
    #[must_use]
    pub fn version(self) -> Option<i64> {
        match self {
            Self::Created => Some(1),
            Self::Pending => Some(2),
            Self::Paid | Self::Failed => Some(3),
            Self::Unknown => None,
        }
    }

    /// Whether the order stays as it is.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Paid | Self::Failed)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "CREATED",
            Self::Pending => "PAYMENT_PENDING",
            Self::Paid => "PAID",
            Self::Failed => "FAILED",
            Self::Unknown => "an unknown state",
        })
    }
}
