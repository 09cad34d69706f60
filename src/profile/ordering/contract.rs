//! What a sequenced consumer is sent, and what it is asked, by the HTTP that is used unless its manifest says otherwise.

use crate::profile::{Field, Operation, Publication};

/// The records that callers publish.
pub(super) const PUBLICATIONS: &[Publication] = &[Publication {
    name: PUBLISH,
    key: "{{ entity }}",
    headers: &[],
    body: &[("id", "key"), ("entity", "entity"), ("sequence", "sequence"), ("amount", "amount"), ("at", "at")],
}];

/// The publication of an event.
pub(super) const PUBLISH: &str = "publish";

/// The operations.
pub(super) const OPERATIONS: &[Operation] =
    &[reading(LOG, "GET /log"), reading(ENTITIES, "GET /entities"), reading(GAPS, "GET /gaps")];

/// The reading of every event that was applied: `position`, `entity`, `sequence`, `event`.
pub(super) const LOG: &str = "log";

/// The reading of every entity: `entity`, `sequence`, `total`.
pub(super) const ENTITIES: &str = "entities";

/// The reading of every gap that was surfaced: `entity`, `sequence`, `open`.
pub(super) const GAPS: &str = "gaps";

/// What is read back. The log comes first: what it has, the others have too.
pub(super) const READINGS: &[&str] = &[LOG, ENTITIES, GAPS];

/// The fields of an event record: what the target tells of an event that it applied.
pub(super) const EVENT_FIELDS: &[Field] =
    &[required("event", "$.event"), required("entity", "$.entity"), required("sequence", "$.sequence")];

/// What every reading has.
const ROWS: &[Field] = &[required("rows", "$.rows")];

const fn reading(name: &'static str, request: &'static str) -> Operation {
    Operation { name, request, headers: &[], body: &[], reply: ROWS, refusal: &[] }
}

const fn required(name: &'static str, path: &'static str) -> Field {
    Field { name, path, required: true }
}
