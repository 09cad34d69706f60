//! A profile and a manifest for these tests: the ledger's contract, cut down.

use std::path::PathBuf;

use crate::history::{Event, History};
use crate::judgement::Finding;
use crate::profile::{Field, JudgedCase, Operation, Pending, Profile};
use crate::suite::{Suite, SuiteError};
use crate::target::{ManifestError, Target, parse};

#[derive(Debug)]
pub(super) struct Example;

const fn field(name: &'static str, path: &'static str, required: bool) -> Field {
    Field { name, path, required }
}

static OPERATIONS: [Operation; 4] = [
    Operation {
        name: "transfer",
        request: "POST /transfers",
        headers: &[("Idempotency-Key", "{{ key }}")],
        body: &[("from", "from"), ("to", "to"), ("amount", "amount"), ("currency", "currency")],
        reply: &[field("transfer", "$.id", true), field("status", "$.status", false)],
        refusal: &[field("transfer", "$.id", false), field("error", "$.error", false)],
    },
    Operation {
        name: "reverse",
        request: "POST /transfers/{{ transfer }}/reversals",
        headers: &[("Idempotency-Key", "{{ key }}")],
        body: &[],
        reply: &[field("transfer", "$.id", true)],
        refusal: &[field("error", "$.error", false)],
    },
    Operation {
        name: "balance",
        request: "GET /accounts/{{ account }}",
        headers: &[],
        body: &[],
        reply: &[field("balance", "$.balance", true)],
        refusal: &[field("error", "$.error", false)],
    },
    Operation {
        name: "journal",
        request: "GET /journal",
        headers: &[],
        body: &[],
        reply: &[field("rows", "$.entries", true)],
        refusal: &[],
    },
];

impl Profile for Example {
    fn name(&self) -> &'static str {
        "ledger"
    }

    fn operations(&self) -> &'static [Operation] {
        &OPERATIONS
    }

    fn readings(&self) -> &'static [&'static str] {
        &["journal"]
    }

    fn event_fields(&self) -> &'static [Field] {
        const { &[field("event", "$.id", true), field("transfer", "$.transfer", true)] }
    }

    fn read_suite(&self, _: &str, _: &str) -> Result<Suite, SuiteError> {
        Err(SuiteError("no suite".into()))
    }

    fn pending(&self, _: &[Event]) -> Pending {
        Pending::Nothing
    }

    fn judge(&self, _: &History, _: &JudgedCase<'_>) -> Vec<Finding> {
        Vec::new()
    }
}

/// The smallest manifest, followed by `more`.
pub(super) fn manifest(more: &str) -> String {
    format!(
        "name = \"acme\"\nprofiles = [\"ledger\"]\n\n[role.api]\ncommand = [\"sh\", \"-c\", \"exit\"]\nready = \"GET /health\"\n{more}"
    )
}

pub(super) fn target(text: &str) -> Result<Target, ManifestError> {
    parse::target("target.toml", text, PathBuf::from("/acme"), &[&Example])
}
