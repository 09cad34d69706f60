//! From the text of a Compose file to a tree, within limits: the file may be anything.

use serde_json::Value;
use serde_saphyr::{DuplicateKeyPolicy, Options};

use super::ComposeError;
use crate::report::text::clean;
use crate::source::Source;

/// The longest file that is read.
pub const COMPOSE_BYTES_MAX: u64 = 1 << 20;

/// What aliases may blow the file up to, and what there may be of anything.
const NODES_MAX: usize = 50_000;

const DEPTH_MAX: usize = 32;

/// The tree of the file at `path`, merge keys and aliases resolved.
pub(super) fn tree(path: &str, text: &str) -> Result<Value, ComposeError> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let error = error.without_snippet();
        let at = error.location().map_or(0, |at| offset(text, at.line(), at.column()));
        let what = what(error);
        let help = "a Compose file is YAML; `docker compose config` reads it as Docker does";
        let what = format!("this cannot be read as YAML: {}", clean(&what, 200));
        ComposeError(Source { path, text }.point(at..at + 1, &what, Some(help)))
    })
}

/// Why, without the place, which the pointer shows.
fn what(error: &serde_saphyr::Error) -> String {
    match error {
        serde_saphyr::Error::Budget { .. } | serde_saphyr::Error::AliasReplayLimitExceeded { .. } => {
            format!("with its aliases followed it is larger or deeper than what is read, {NODES_MAX} values")
        }
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` is there twice"),
        other => {
            let said = other.to_string();
            said.split(" at line ").next().unwrap_or_default().to_owned()
        }
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: NODES_MAX,
            max_events: 2 * NODES_MAX,
            max_depth: DEPTH_MAX,
            max_documents: 1,
            max_aliases: 1_000,
            max_recorded_anchor_events: NODES_MAX,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: NODES_MAX },
        duplicate_keys: DuplicateKeyPolicy::Error,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    }
}

/// Where this line and column, counted from one, are in the text.
fn offset(text: &str, line: u64, column: u64) -> usize {
    let number = |n: u64| usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
    let start: usize = text.split_inclusive('\n').take(number(line)).map(str::len).sum();
    let rest = text[start..].chars().take_while(|c| *c != '\n').take(number(column));
    start + rest.map(char::len_utf8).sum::<usize>()
}
