//! What a payment gateway remembers: charges, refunds and the keys they came with. Pure.

use std::collections::HashMap;

use serde_json::{Value, json};

/// The most charges that are kept; after that every charge is refused.
const CHARGES_MAX: usize = 1_000_000;

/// Cards whose number begins with this are declined.
const DECLINED: &str = "4000";

/// A charge as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) order: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) card: String,
}

/// What came of asking for a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Charged {
    /// A new charge with this id.
    New(String),
    /// The charge with this id, made by an earlier call under the same key.
    Same(String),
    /// Declined, now or by an earlier call under the same key.
    Declined,
    /// The key stands for another charge.
    Mismatch,
    /// There is no room for more.
    Full,
}

/// What came of asking for a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refunded {
    /// A refund with this id.
    New(String),
    /// The charge has been refunded before.
    Already,
    /// There is no such charge.
    Unknown,
}

/// Everything that has been charged.
#[derive(Debug, Default)]
pub(super) struct Book {
    charges: Vec<Charge>,
    /// The charges of an order, as indices.
    of_order: HashMap<String, Vec<usize>>,
    /// What each key stands for.
    keys: HashMap<String, (Asking, Charged)>,
}

#[derive(Debug)]
struct Charge {
    order: String,
    amount: i64,
    currency: String,
    refunded: bool,
}

/// Whether the card itself is declined.
pub(super) fn is_declined(card: &str) -> bool {
    card.starts_with(DECLINED)
}

impl Book {
    /// Charges, unless `key` says that this has been done before or `declined` that it is not to be.
    pub(super) fn charge(&mut self, key: Option<&str>, asking: Asking, declined: bool) -> Charged {
        if let Some((known, charged)) = key.and_then(|key| self.keys.get(key)) {
            return match charged {
                _ if *known != asking => Charged::Mismatch,
                Charged::New(id) => Charged::Same(id.clone()),
                other => other.clone(),
            };
        }
        if self.charges.len() >= CHARGES_MAX {
            return Charged::Full;
        }
        let charged = if declined { Charged::Declined } else { self.add(&asking) };
        if let Some(key) = key {
            self.keys.insert(key.to_owned(), (asking, charged.clone()));
        }
        charged
    }

    fn add(&mut self, asking: &Asking) -> Charged {
        let Asking { order, amount, currency, .. } = asking.clone();
        self.of_order.entry(order.clone()).or_default().push(self.charges.len());
        self.charges.push(Charge { order, amount, currency, refunded: false });
        Charged::New(charge_id(self.charges.len() - 1))
    }

    /// Takes a charge back, once.
    pub(super) fn refund(&mut self, charge: &str) -> Refunded {
        let index = charge.strip_prefix("ch-").and_then(|number| number.parse::<usize>().ok()?.checked_sub(1));
        match index.and_then(|index| self.charges.get_mut(index)) {
            None => Refunded::Unknown,
            Some(charge) if charge.refunded => Refunded::Already,
            Some(found) => {
                found.refunded = true;
                Refunded::New(charge.replacen("ch-", "re-", 1))
            }
        }
    }

    /// The charges of an order, as the contract shows them.
    pub(super) fn lookup(&self, order: &str) -> Value {
        let charges = self.of_order.get(order).into_iter().flatten().map(|index| {
            let Charge { order, amount, currency, refunded } = &self.charges[*index];
            let (id, status) = (charge_id(*index), "succeeded");
            json!({ "id": id, "order": order, "amount": amount, "currency": currency, "status": status, "refunded": refunded })
        });
        json!({ "charges": charges.collect::<Vec<_>>() })
    }
}

fn charge_id(index: usize) -> String {
    format!("ch-{}", index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(amount: i64) -> Asking {
        Asking { order: "o-1".into(), amount, currency: "EUR".into(), card: "4242".into() }
    }

    #[test]
    fn a_key_stands_for_one_charge() {
        let mut book = Book::default();
        assert_eq!(book.charge(Some("k"), asking(5), false), Charged::New("ch-1".into()));
        assert_eq!(book.charge(Some("k"), asking(5), true), Charged::Same("ch-1".into()));
        assert_eq!(book.charge(Some("k"), asking(6), false), Charged::Mismatch);
        assert_eq!(book.charge(None, asking(5), false), Charged::New("ch-2".into()), "without a key it is another one");
        assert_eq!(book.lookup("o-1")["charges"].as_array().map(Vec::len), Some(2));
        assert_eq!(book.lookup("o-2")["charges"].as_array().map(Vec::len), Some(0));
    }

    #[test]
    fn a_decline_is_the_answer_for_its_key() {
        let mut book = Book::default();
        assert!(is_declined("4000000000000002") && !is_declined("4242424242424242"));
        assert_eq!(book.charge(Some("k"), asking(5), true), Charged::Declined);
        assert_eq!(book.charge(Some("k"), asking(5), false), Charged::Declined);
        assert_eq!(book.charge(Some("l"), asking(5), false), Charged::New("ch-1".into()));
    }

    #[test]
    fn a_charge_is_refunded_once() {
        let mut book = Book::default();
        book.charge(None, asking(5), false);
        assert_eq!(book.refund("ch-1"), Refunded::New("re-1".into()));
        assert_eq!(book.refund("ch-1"), Refunded::Already);
        for unknown in ["ch-0", "ch-2", "ch-", "x", ""] {
            assert_eq!(book.refund(unknown), Refunded::Unknown, "{unknown}");
        }
        assert_eq!(book.lookup("o-1")["charges"][0]["refunded"], true);
    }
}
