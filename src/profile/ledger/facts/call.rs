//! What a call asks for, and what is wrong with it if it was made to be refused.

use serde_json::{Map, Value};

use super::{Account, Currency, Facts, Terms, Transfer};
use crate::history::{Call, RawBody};

/// What an intent asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ask {
    /// The intent was never sent.
    Unsent,
    /// Open an account.
    Open(Account),
    /// Move money.
    Transfer(Body),
    /// Move it back.
    Reverse(Transfer),
    /// Read a balance.
    Balance(Account),
    /// Read an account's entries.
    Entries(Account),
    /// A transfer that has to be refused because of how it is asked for.
    Bad {
        /// What is wrong with it.
        flaw: Flaw,
        /// What a careless service could make of it.
        misread: Option<Body>,
    },
    /// An operation that the ledger does not know.
    Other,
}

/// The body of a transfer. The workloads never ask for the same one twice, so it also says which intent it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Body {
    /// The account that pays.
    pub from: Account,
    /// The account that is paid.
    pub to: Account,
    /// Minor units.
    pub amount: i64,
    /// Currency.
    pub currency: Currency,
}

impl Body {
    /// The transfer that takes this one back.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { from: self.to, to: self.from, ..self }
    }
}

/// What is wrong with a request that was made to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flaw {
    /// The amount is 0.
    Zero,
    /// The amount is below 0.
    Negative,
    /// The amount does not fit into 64 bits.
    Overflow,
    /// The amount has a fraction.
    Fraction,
    /// The amount is text.
    Text,
    /// The currency is not that of both accounts.
    OtherCurrency,
    /// An account does not exist.
    UnknownAccount,
    /// Both accounts are the same.
    SameAccount,
    /// There is no key.
    NoKey,
    /// There is no body.
    Empty,
    /// The body is JSON that ends too early.
    CutOff,
    /// The body is no JSON.
    NoJson,
    /// The body is an array.
    Array,
    /// The body is null.
    Null,
    /// There is no amount.
    NoAmount,
    /// An account or the currency is missing.
    Incomplete,
    /// The body is wrong in a way that the workloads do not produce.
    Malformed,
    /// The body is far larger than any transfer.
    Huge,
}

/// Bodies from this size on are [`Flaw::Huge`].
const HUGE_BYTES: u32 = 256 << 10;

/// Reads what a call asks for. Accounts must have been opened before.
pub(super) fn ask(facts: &mut Facts, call: &Call) -> Ask {
    let fields = &call.fields;
    match call.operation.as_str() {
        "open" => account(facts, fields, "account").map_or(Ask::Other, |account| open(facts, account, fields)),
        "transfer" => transfer(facts, call),
        "reverse" => {
            text(fields, "transfer").map_or(Ask::Other, |name| Ask::Reverse(Transfer(facts.transfers.intern(name))))
        }
        "balance" => account(facts, fields, "account").map_or(Ask::Other, Ask::Balance),
        "entries" => account(facts, fields, "account").map_or(Ask::Other, Ask::Entries),
        _ => Ask::Other,
    }
}

fn open(facts: &mut Facts, account: Account, fields: &Map<String, Value>) -> Ask {
    let currency = text(fields, "currency").map(|code| Currency(facts.currencies.intern(code)));
    if let (Some(currency), Some(limit)) = (currency, fields.get("limit").and_then(Value::as_i64)) {
        let slot = account.0 as usize;
        if facts.terms.len() <= slot {
            facts.terms.resize(slot + 1, None);
        }
        facts.terms[slot] = Some(Terms { currency, limit });
    }
    Ask::Open(account)
}

fn transfer(facts: &mut Facts, call: &Call) -> Ask {
    let fields = &call.fields;
    let from = account(facts, fields, "from");
    let to = account(facts, fields, "to");
    let currency = text(fields, "currency").map(|code| Currency(facts.currencies.intern(code)));
    let amount = fields.get("amount");
    let body = |amount| Some(Body { from: from?, to: to?, amount, currency: currency? });
    let misread = amount.and_then(careless).and_then(body).map(forwards);
    let bad = |flaw| Ask::Bad { flaw, misread };
    match &call.raw {
        Some(RawBody::Text(text)) => return bad(spoilt(text)),
        Some(RawBody::Padded { bytes }) if *bytes >= HUGE_BYTES => return bad(Flaw::Huge),
        Some(RawBody::Padded { .. }) => return bad(Flaw::Malformed),
        None => {}
    }
    let terms = |account: Option<Account>| facts.terms.get(account?.0 as usize).copied().flatten();
    match amount {
        Some(Value::Number(number)) => match number.as_i64() {
            _ if !fields.get("key").is_some_and(Value::is_string) => bad(Flaw::NoKey),
            Some(0) => bad(Flaw::Zero),
            Some(..0) => bad(Flaw::Negative),
            None if number.as_f64().is_some_and(|float| float.fract() != 0.0) => bad(Flaw::Fraction),
            None => bad(Flaw::Overflow),
            Some(amount) => match (terms(from), terms(to), body(amount)) {
                (Some(a), Some(b), Some(body)) => match body {
                    _ if from == to => bad(Flaw::SameAccount),
                    _ if a.currency != body.currency || b.currency != body.currency => bad(Flaw::OtherCurrency),
                    body => Ask::Transfer(body),
                },
                (_, _, None) => bad(Flaw::Incomplete),
                _ => bad(Flaw::UnknownAccount),
            },
        },
        Some(Value::String(_)) => bad(Flaw::Text),
        None => bad(Flaw::NoAmount),
        _ => bad(Flaw::Malformed),
    }
}

/// What is wrong with a body that was written out.
fn spoilt(body: &str) -> Flaw {
    match serde_json::from_str::<Value>(body) {
        _ if body.is_empty() => Flaw::Empty,
        Ok(Value::Array(_)) => Flaw::Array,
        Ok(Value::Null) => Flaw::Null,
        Ok(_) => Flaw::Malformed,
        Err(why) if why.is_eof() => Flaw::CutOff,
        Err(_) => Flaw::NoJson,
    }
}

/// The integer that a careless service could make of an amount.
fn careless(amount: &Value) -> Option<i64> {
    match amount {
        // Truncation is meant: it is what a careless service does.
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A negative amount from one to the other is, in the journal, a positive amount the other way.
fn forwards(body: Body) -> Body {
    if body.amount < 0 { Body { amount: body.amount.saturating_neg(), ..body.reversed() } } else { body }
}

fn account(facts: &mut Facts, fields: &Map<String, Value>, name: &str) -> Option<Account> {
    Some(Account(facts.accounts.intern(text(fields, name)?)))
}

pub(super) fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name)?.as_str()
}
