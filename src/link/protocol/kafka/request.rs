//! What is read of requests: the topic that is produced to, and how a transaction ends.

use super::call::{Call, key};
use super::fields::Fields;

/// How much of a request is looked at.
const LOOK_MAX: usize = 1 << 10;

/// The longest name in a label; Kafka's topics have at most 249 characters.
const NAME_MAX: usize = 120;

/// What a request says beyond its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asks {
    /// What distinguishes it from others of its kind, for people.
    pub(super) detail: Option<String>,
    /// What success means.
    pub(super) success: Success,
    /// A Produce that wants no answer gets none.
    pub(super) answered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Success {
    /// What was asked for stands.
    Stands,
    /// It stands once the transaction is committed.
    InTransaction,
    /// What the transaction had done is undone.
    Undone,
    /// This reader does not know.
    Unclear,
}

/// How many bytes of a request with `len` bytes have to be there to read it.
pub(super) fn look_len(call: Call, len: usize) -> usize {
    match call.key {
        key::PRODUCE | key::END_TXN => len.min(LOOK_MAX),
        _ => 0,
    }
}

/// Reads what follows the correlation id; its end may be missing. Topics in `prefix` are told without it.
pub(super) fn read(call: Call, body: &[u8], prefix: &str) -> Asks {
    // The client's name is written in the classic form everywhere.
    let mut fields = Fields { rest: body, flexible: false };
    let named = fields.text().is_some();
    fields.flexible = call.is_flexible();
    let mut asks = Asks { detail: None, success: Success::Unclear, answered: true };
    match call.key {
        key::OFFSET_COMMIT => asks.success = Success::Stands,
        key::TXN_OFFSET_COMMIT => asks.success = Success::InTransaction,
        key::PRODUCE if named => {
            // What cannot be read is not told: the request passes, whatever it is.
            let _ = produce(call, fields, prefix, &mut asks);
        }
        key::END_TXN if named => {
            let _ = end_txn(fields, &mut asks);
        }
        _ => {}
    }
    asks
}

fn produce(call: Call, mut fields: Fields<'_>, prefix: &str, asks: &mut Asks) -> Option<()> {
    fields.tags()?;
    let transactional = if call.version >= 3 { fields.text()?.is_some() } else { false };
    asks.success = if transactional { Success::InTransaction } else { Success::Stands };
    asks.answered = fields.int16()? != 0;
    fields.take(4)?;
    // Later versions have numbers in the place of names.
    if fields.count()? > 0 && call.version <= 12 {
        asks.detail = fields.text()?.map(|topic| name(topic, prefix));
    }
    Some(())
}

fn end_txn(mut fields: Fields<'_>, asks: &mut Asks) -> Option<()> {
    fields.tags()?;
    fields.text()?;
    fields.take(8 + 2)?;
    let commits = fields.int8()? != 0;
    asks.success = if commits { Success::Stands } else { Success::Undone };
    asks.detail = Some(if commits { "commit" } else { "abort" }.to_owned());
    Some(())
}

fn name(topic: &[u8], prefix: &str) -> String {
    let topic = topic.strip_prefix(prefix.as_bytes()).unwrap_or(topic);
    let mut name = topic.get(..NAME_MAX).unwrap_or(topic).escape_ascii().to_string();
    if topic.len() > NAME_MAX {
        name.push_str("...");
    }
    name
}
