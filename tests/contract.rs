//! The default HTTP contract is written down twice: for people and tools in `suites/ledger.openapi.yaml`, and for the
//! driver in the profile. Here they are held to each other.

use std::collections::BTreeSet;

use fireassay::profile;

const OPENAPI: &str = include_str!("../suites/ledger.openapi.yaml");

/// Every `METHOD /path` of the document. Enough of YAML for a file of our own: paths are indented by two, methods by four.
fn described() -> BTreeSet<String> {
    let mut path = "";
    let mut found = BTreeSet::new();
    let paths = OPENAPI.split_once("\npaths:\n").expect("there are paths").1;
    for line in paths.lines().take_while(|line| line.is_empty() || line.starts_with(' ')) {
        let indent = line.len() - line.trim_start().len();
        match (indent, line.trim().trim_end_matches(':')) {
            (2, name) => path = name,
            (4, method @ ("get" | "post" | "put" | "patch" | "delete")) => {
                found.insert(format!("{} {path}", method.to_uppercase()));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn the_openapi_document_describes_exactly_what_the_driver_sends() {
    let ledger = profile::named("ledger").expect("there is a ledger");
    let sent: BTreeSet<String> = ledger
        .operations()
        .iter()
        .map(|operation| operation.request.replace("{{ ", "{").replace(" }}", "}"))
        .chain(["GET /health".to_owned()])
        .collect();
    assert_eq!(described(), sent);
}

#[test]
fn the_openapi_document_names_every_header_field_and_body_field() {
    let ledger = profile::named("ledger").expect("there is a ledger");
    for operation in ledger.operations() {
        for (header, _) in operation.headers {
            assert!(OPENAPI.contains(&format!("name: {header}")), "{}: no header {header}", operation.name);
        }
        let replies = operation.reply.iter().chain(operation.refusal).map(|field| field.path.trim_start_matches("$."));
        for field in operation.body.iter().map(|(name, _)| *name).chain(replies) {
            assert!(OPENAPI.contains(&format!("{field}:")), "{}: no field {field}", operation.name);
        }
    }
}
