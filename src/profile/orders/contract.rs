//! What an order service can be asked, and the HTTP by which it is asked unless its manifest says otherwise.

use crate::profile::{Field, Operation};

/// The operations.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "create",
        request: "POST /orders",
        headers: &[
            ("Idempotency-Key", "{{ key }}"),
            ("X-Correlation-Id", "{{ correlation }}"),
            ("Authorization", "Bearer {{ token }}"),
        ],
        body: &[("customer", "customer"), ("card", "card"), ("amount", "amount"), ("currency", "currency")],
        reply: &[required("order", "$.id"), optional("state", "$.state"), optional("version", "$.version")],
        refusal: &[optional("error", "$.error")],
    },
    Operation {
        name: "order",
        request: "GET /orders/{{ order }}",
        headers: &[],
        body: &[],
        reply: &[
            required("order", "$.id"),
            optional("key", "$.key"),
            required("state", "$.state"),
            required("version", "$.version"),
            optional("amount", "$.amount"),
            optional("currency", "$.currency"),
        ],
        refusal: &[optional("error", "$.error")],
    },
    Operation {
        name: "replay",
        request: "POST /orders/{{ order }}/replay",
        headers: &[],
        body: &[],
        reply: &[optional("replayed", "$.replayed")],
        refusal: &[optional("error", "$.error")],
    },
    Operation {
        name: ORDERS,
        request: "GET /orders",
        headers: &[],
        body: &[],
        reply: &[required("rows", "$.orders")],
        refusal: &[optional("error", "$.error")],
    },
    Operation {
        name: LETTERS,
        request: "GET /dead-letters",
        headers: &[],
        body: &[],
        reply: &[required("rows", "$.letters")],
        refusal: &[optional("error", "$.error")],
    },
];

/// The reading of every order: `id`, `key`, `state`, `version`, `amount`, `currency`.
pub(super) const ORDERS: &str = "orders";

/// The reading of every dead letter: `id`, `event`, `order`, `reason`, `payload`, `attempts`, `replayed`.
pub(super) const LETTERS: &str = "letters";

/// What is read back besides the replies. Orders come first: a letter that is there when an order was still on its
/// way is there afterwards too.
pub(super) const READINGS: &[&str] = &[ORDERS, LETTERS];

/// The fields of an event record.
pub(super) const EVENT_FIELDS: &[Field] = &[
    required("event", "$.id"),
    required("order", "$.order"),
    required("version", "$.version"),
    required("state", "$.state"),
];

/// The header of an event that carries the caller's correlation id.
pub(super) const CORRELATION_HEADER: &str = "correlation-id";

const fn required(name: &'static str, path: &'static str) -> Field {
    Field { name, path, required: true }
}

const fn optional(name: &'static str, path: &'static str) -> Field {
    Field { name, path, required: false }
}
