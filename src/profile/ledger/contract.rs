//! What a ledger can be asked, and the HTTP by which it is asked unless its manifest says otherwise.

use crate::profile::{Field, Operation};

/// The operations.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "open",
        request: "POST /accounts",
        headers: &[],
        body: &[("id", "account"), ("currency", "currency"), ("limit", "limit")],
        reply: &[optional("account", "$.id")],
        refusal: &[optional("error", "$.error")],
    },
    Operation {
        name: "transfer",
        request: "POST /transfers",
        headers: &[("Idempotency-Key", "{{ key }}")],
        body: &[("from", "from"), ("to", "to"), ("amount", "amount"), ("currency", "currency")],
        reply: &[required("transfer", "$.id"), optional("status", "$.status")],
        refusal: &[optional("transfer", "$.id"), optional("error", "$.error")],
    },
    Operation {
        name: "reverse",
        request: "POST /transfers/{{ transfer }}/reversals",
        headers: &[("Idempotency-Key", "{{ key }}")],
        body: &[],
        reply: &[required("transfer", "$.id"), optional("reverses", "$.reverses")],
        refusal: &[optional("transfer", "$.id"), optional("error", "$.error")],
    },
    Operation {
        name: "balance",
        request: "GET /accounts/{{ account }}",
        headers: &[],
        body: &[],
        reply: &[
            optional("account", "$.id"),
            required("balance", "$.balance"),
            optional("currency", "$.currency"),
            optional("limit", "$.limit"),
        ],
        refusal: &[optional("error", "$.error")],
    },
    Operation {
        name: "entries",
        request: "GET /accounts/{{ account }}/entries",
        headers: &[],
        body: &[],
        reply: &[optional("balance", "$.balance"), required("entries", "$.entries")],
        refusal: &[optional("error", "$.error")],
    },
    Operation {
        name: "journal",
        request: "GET /journal",
        headers: &[],
        body: &[],
        reply: &[required("rows", "$.entries")],
        refusal: &[optional("error", "$.error")],
    },
];

/// What is read back besides the replies.
pub(super) const READINGS: &[&str] = &["journal"];

/// The fields of an event record.
pub(super) const EVENT_FIELDS: &[Field] =
    &[required("event", "$.id"), required("transfer", "$.transfer"), optional("account", "$.account")];

const fn required(name: &'static str, path: &'static str) -> Field {
    Field { name, path, required: true }
}

const fn optional(name: &'static str, path: &'static str) -> Field {
    Field { name, path, required: false }
}
