//! Each profile's default HTTP contract is written down twice: for people and tools in `suites/*.openapi.yaml`, and for the
//! driver in the profile. Here they are held to each other.

use std::collections::BTreeSet;

use fireassay::profile::{self, Profile};

/// Each profile, and its document.
fn contracts() -> [(&'static dyn Profile, &'static str); 3] {
    let named = |name| profile::named(name).expect("there is such a profile");
    [
        (named("ledger"), include_str!("../suites/ledger.openapi.yaml")),
        (named("orders"), include_str!("../suites/orders.openapi.yaml")),
        (named("ordering"), include_str!("../suites/ordering.openapi.yaml")),
    ]
}

/// Every `METHOD /path` of the document. Enough of YAML for a file of our own: paths are indented by two, methods by four.
fn described(document: &str) -> BTreeSet<String> {
    let mut path = "";
    let mut found = BTreeSet::new();
    let paths = document.split_once("\npaths:\n").expect("there are paths").1;
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
    for (profile, document) in contracts() {
        let sent: BTreeSet<String> = profile
            .operations()
            .iter()
            .map(|operation| operation.request.replace("{{ ", "{").replace(" }}", "}"))
            .chain(["GET /health".to_owned()])
            .collect();
        assert_eq!(described(document), sent);
    }
}

#[test]
fn the_openapi_document_names_every_header_field_and_body_field() {
    for (profile, document) in contracts() {
        for operation in profile.operations() {
            for (header, value) in operation.headers {
                // A document has tokens as schemes of security, and may not have them as headers.
                let bearer = *header == "Authorization" && value.starts_with("Bearer ");
                let wanted = if bearer { "scheme: bearer".to_owned() } else { format!("name: {header}") };
                assert!(document.contains(&wanted), "{}: no header {header}", operation.name);
            }
            let replies = operation.reply.iter().chain(operation.refusal);
            let replies = replies.map(|field| field.path.trim_start_matches("$."));
            for field in operation.body.iter().map(|(name, _)| *name).chain(replies) {
                assert!(document.contains(&format!("{field}:")), "{}: no field {field}", operation.name);
            }
        }
    }
}

/// Each profile with topics of its own contract, and their document.
fn topics() -> [(&'static dyn Profile, &'static str); 2] {
    let named = |name| profile::named(name).expect("there is such a profile");
    [
        (named("orders"), include_str!("../suites/orders.asyncapi.yaml")),
        (named("ordering"), include_str!("../suites/ordering.asyncapi.yaml")),
    ]
}

#[test]
fn the_asyncapi_document_names_every_field_that_is_published_or_read() {
    for (profile, document) in topics() {
        let read = profile.event_fields().iter().map(|field| field.path.trim_start_matches("$."));
        let published = profile.publications().iter().flat_map(|record| record.body).map(|(name, _)| *name);
        for field in read.chain(published) {
            assert!(document.contains(&format!("        {field}: {{")), "{}: no field {field}", profile.name());
        }
    }
}
