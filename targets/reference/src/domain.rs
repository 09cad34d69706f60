//! The words of the ledger. Each type can only hold what is valid, so that nothing behind the door checks again.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// What an idempotency key is made of at most, in bytes.
const KEY_LENGTH_MAX: usize = 128;
/// What an account's id is made of at most, in bytes.
const ACCOUNT_LENGTH_MAX: usize = 64;

/// A caller's name for one thing that it wants done once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    /// `None` unless it is 1 to 128 visible ASCII characters.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let fits = (1..=KEY_LENGTH_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// As the caller wrote it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The same key within one account.
    pub(crate) fn within(&self, account: &AccountId) -> Self {
        Self(format!("{}/{}", account.0, self.0))
    }

    /// The same key within one day, counted from 1970.
    pub(crate) fn of_day(&self, day: u64) -> Self {
        Self(format!("{day}/{}", self.0))
    }
}

/// An account's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub(crate) struct AccountId(String);

impl AccountId {
    /// `None` unless it is 1 to 64 visible ASCII characters.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let fits = (1..=ACCOUNT_LENGTH_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// An ISO 4217 code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Currency(String);

impl Currency {
    /// `None` unless it is three capital letters.
    pub(crate) fn new(text: &str) -> Option<Self> {
        (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())).then(|| Self(text.to_owned()))
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Money in minor units (cents, for most currencies).
pub(crate) type MinorUnits = i64;

/// A wish to move money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// The account to debit.
    pub(crate) from: AccountId,
    /// The account to credit; another one.
    pub(crate) to: AccountId,
    /// How much; at least 1.
    pub(crate) amount: MinorUnits,
    /// In the currency of both accounts.
    pub(crate) currency: Currency,
}

/// What a caller asks for under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Move money.
    Transfer(Order),
    /// Move it back: the id of the transfer.
    Reverse(String),
}

impl Request {
    /// The request in canonical form: equal for equal requests however their JSON was laid out, and different for
    /// different ones. It is short, so it is kept as it is rather than hashed: a person can read it in a complaint.
    pub(crate) fn canonical(&self) -> String {
        match self {
            Self::Transfer(Order { from, to, amount, currency }) => json!(["transfer", from, to, amount, currency]),
            Self::Reverse(transfer) => json!(["reverse", transfer]),
        }
        .to_string()
    }

    /// The transfer that it takes back, if it is a reversal.
    pub(crate) fn reverses(&self) -> Option<&str> {
        match self {
            Self::Transfer(_) => None,
            Self::Reverse(original) => Some(original),
        }
    }
}

/// An answer as it is stored and sent: the same bytes each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// JSON.
    pub(crate) body: String,
}

impl Answer {
    /// An answer with a JSON body.
    pub(crate) fn new(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string() }
    }

    /// The money has moved.
    pub(crate) fn posted(transfer: &str, reverses: Option<&str>) -> Self {
        match reverses {
            None => Self::new(201, &json!({"id": transfer, "status": "posted"})),
            Some(original) => Self::new(201, &json!({"id": transfer, "status": "posted", "reverses": original})),
        }
    }

    /// The money has not moved, and never will under this key.
    pub(crate) fn declined(transfer: &str, decline: Decline) -> Self {
        let error = match decline {
            Decline::InsufficientFunds => "insufficient_funds",
            Decline::BalanceOverflow => "balance_overflow",
        };
        Self::new(decline.status(), &json!({"id": transfer, "status": "declined", "error": error}))
    }
}

/// Why the money does not move although the request is a good one. Other requests may change the circumstances, so it is
/// decided under the lock and stored as the key's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decline {
    /// The debited account would go below its floor.
    InsufficientFunds,
    /// A balance would not fit into 64 bits.
    BalanceOverflow,
}

impl Decline {
    /// The HTTP status that tells of it.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::InsufficientFunds => 402,
            Self::BalanceOverflow => 422,
        }
    }
}

/// A new id, for a transfer or an event. Version 7 rises with time, which keeps the index on it compact; nothing relies
/// on that order.
pub(crate) fn new_id() -> String {
    Uuid::now_v7().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(from: &str, to: &str, amount: MinorUnits) -> Request {
        Request::Transfer(Order {
            from: AccountId::new(from).expect("valid"),
            to: AccountId::new(to).expect("valid"),
            amount,
            currency: Currency::new("EUR").expect("valid"),
        })
    }

    #[test]
    fn equal_requests_have_one_canonical_form() {
        assert_eq!(order("a", "b", 1).canonical(), order("a", "b", 1).canonical());
    }

    #[test]
    fn every_part_counts_and_parts_do_not_run_into_each_other() {
        let base = order("a", "b", 1).canonical();
        for other in [order("b", "a", 1), order("a", "b", 11), order("a\",\"b", "c", 1), order("ab", "c", 1)] {
            assert_ne!(base, other.canonical());
        }
        assert_ne!(order("a\",\"b", "c", 1).canonical(), order("a", "b\",\"c", 1).canonical());
    }

    #[test]
    fn keys_have_a_length_and_no_spaces() {
        assert!(Key::new("k-1").is_some());
        assert!(Key::new(&"k".repeat(KEY_LENGTH_MAX)).is_some());
        for bad in ["", "two words", "k\n", "ü", &"k".repeat(KEY_LENGTH_MAX + 1)] {
            assert!(Key::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn currencies_are_three_capitals() {
        assert!(Currency::new("EUR").is_some());
        for bad in ["", "EU", "EURO", "eur", "E1R", "€€€"] {
            assert!(Currency::new(bad).is_none(), "{bad:?}");
        }
    }
}
