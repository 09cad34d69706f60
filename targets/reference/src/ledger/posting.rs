//! The two entries of a transfer, and the balances that follow from them.

use serde_json::json;

use super::outbox::Event;
use crate::domain::{AccountId, Currency, MinorUnits, new_id};

/// A transfer that is being posted.
pub(super) struct Posting {
    pub(super) transfer: String,
    pub(super) key: String,
    pub(super) debit: Side,
    pub(super) credit: Side,
    pub(super) currency: Currency,
    pub(super) reverses: Option<String>,
}

/// One account's part.
pub(super) struct Side {
    pub(super) account: AccountId,
    /// What is added to the balance; negative for the debit.
    pub(super) amount: MinorUnits,
    /// What the balance is then, going by what was read.
    pub(super) balance: MinorUnits,
    /// The entry's number, if it does not get one from the journal.
    pub(super) number: Option<i64>,
}

impl Posting {
    /// Both sides.
    pub(super) fn sides(&self) -> [&Side; 2] {
        [&self.debit, &self.credit]
    }

    /// The event that tells of it, with an id made once: it is stored with the event, and every delivery has the same.
    pub(super) fn event(&self) -> Event {
        let id = new_id();
        let payload = json!({
            "id": id,
            "transfer": self.transfer,
            "account": self.debit.account,
            "amount": self.credit.amount,
            "currency": self.currency,
            "key": self.key,
        });
        Event { id, account: self.debit.account.as_str().to_owned(), payload }
    }
}
