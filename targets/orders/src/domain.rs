//! The words of the service. Each type can only hold what is valid, so that nothing behind the door checks again.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Declares names: text of 1 to so many visible ASCII characters.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $length_max:literal,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub(crate) struct $name(String);

        impl $name {
            /// `None` unless it is of visible ASCII characters, and neither empty nor too long.
            pub(crate) fn new(text: &str) -> Option<Self> {
                let fits = (1..=$length_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
                fits.then(|| Self(text.to_owned()))
            }

            /// As text.
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// A caller's name for one thing that it wants done once.
    Key: 128,
    /// A caller's name for all that happens because of one request, in whichever process.
    Correlation: 128,
    /// An order's id.
    OrderId: 64,
    /// An event's id: the same on every delivery.
    EventId: 64,
    /// A customer's id.
    Customer: 64,
}

impl OrderId {
    /// A new one.
    pub(crate) fn fresh() -> Self {
        Self(new_id())
    }
}

impl EventId {
    /// A new one.
    pub(crate) fn fresh() -> Self {
        Self(new_id())
    }
}

impl Correlation {
    /// For a request that came without one.
    pub(crate) fn fresh() -> Self {
        Self(new_id())
    }
}

/// A card's number. It has no `Display`, and `Debug` does not tell, so that it cannot end up in a log by accident.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Card(String);

impl Card {
    /// `None` unless it is 1 to 64 visible ASCII characters.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// The number, for the table of cards and for the gateway.
    pub(crate) fn number(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Card(…)")
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

/// How far an order is. It goes down this list, and never out of the last two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum State {
    /// Accepted.
    Created,
    /// A worker knows of it.
    PaymentPending,
    /// Charged.
    Paid,
    /// Declined.
    Failed,
}

impl State {
    /// Whether nothing changes any more.
    pub(crate) fn is_terminal(self) -> bool {
        matches!(self, Self::Paid | Self::Failed)
    }
}

/// How often an order has changed: 1 when it is created.
pub(crate) type Version = i32;

/// A wish to buy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) customer: Customer,
    pub(crate) card: Card,
    /// At least 1.
    pub(crate) amount: MinorUnits,
    pub(crate) currency: Currency,
}

impl Wish {
    /// Equal for equal wishes under one key, different for different ones. It covers the card without keeping it. The key
    /// is in it so that one card does not look the same in two orders. Whoever has the table can still guess numbers; out
    /// in the world this would be an HMAC, under a secret that is kept elsewhere.
    pub(crate) fn fingerprint(&self, key: &Key) -> String {
        let Self { customer, card, amount, currency } = self;
        let parts = json!([key, customer, card.number(), amount, currency]).to_string();
        Sha256::digest(parts).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A new id. Version 7 rises with time, which keeps the index on it compact; nothing relies on that order.
pub(crate) fn new_id() -> String {
    Uuid::now_v7().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(customer: &str, card: &str, amount: MinorUnits) -> Wish {
        Wish {
            customer: Customer::new(customer).expect("valid"),
            card: Card::new(card).expect("valid"),
            amount,
            currency: Currency::new("EUR").expect("valid"),
        }
    }

    #[test]
    fn every_part_of_a_wish_counts() {
        let key = Key::new("k").expect("valid");
        let base = wish("c", "4242", 1).fingerprint(&key);
        assert_eq!(base, wish("c", "4242", 1).fingerprint(&key));
        for other in [wish("d", "4242", 1), wish("c", "4243", 1), wish("c", "4242", 2), wish("c4", "242", 1)] {
            assert_ne!(base, other.fingerprint(&key));
        }
        assert_ne!(base, wish("c", "4242", 1).fingerprint(&Key::new("l").expect("valid")));
        assert!(!base.contains("4242424242424242"));
    }

    #[test]
    fn a_card_does_not_tell() {
        assert!(!format!("{:?}", wish("c", "4242424242424242", 1)).contains("4242"));
    }

    #[test]
    fn names_have_a_length_and_no_spaces() {
        assert!(Key::new(&"k".repeat(128)).is_some());
        for bad in ["", "two words", "k\n", "ü", "\0", &"k".repeat(129)] {
            assert!(Key::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn states_are_spelled_as_in_the_contract() {
        assert_eq!(json!(State::PaymentPending), json!("PAYMENT_PENDING"));
        assert!(State::Paid.is_terminal() && !State::PaymentPending.is_terminal());
    }
}
