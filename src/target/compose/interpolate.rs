//! `${VARIABLE:-default}` in a Compose file. No variable has a value here: a manifest that depended on whose shell it was
//! written in would be another one tomorrow.

use serde_json::Value;

/// Defaults in defaults go no deeper than this.
const DEPTH_MAX: usize = 16;

/// A text with its variables replaced by their defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filled {
    /// What it says then.
    pub(super) text: String,
    /// The variables that have no default, and were taken as empty.
    pub(super) missing: Vec<String>,
}

pub(super) fn fill(text: &str) -> Filled {
    let mut filled = Filled::default();
    into(text, 0, &mut filled);
    filled
}

/// The same for every string of a tree. The variables without a default are added to `missing`.
pub(super) fn fill_all(value: &mut Value, missing: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let filled = fill(text);
            *text = filled.text;
            missing.extend(filled.missing);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill_all(item, missing)),
        Value::Object(items) => items.values_mut().for_each(|item| fill_all(item, missing)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn into(text: &str, depth: usize, filled: &mut Filled) {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        filled.text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let name = name_of(rest);
        if let Some(after) = rest.strip_prefix('$') {
            filled.text.push('$');
            rest = after;
        } else if !name.is_empty() {
            filled.missing.push(name.to_owned());
            rest = &rest[name.len()..];
        } else if let Some(opened) = rest.strip_prefix('{') {
            let Some((inner, after)) = braced(opened).filter(|_| depth < DEPTH_MAX) else {
                // Nothing that follows can be trusted to be closed; looking again and again would take for ever.
                filled.text.push('$');
                break;
            };
            substitute(inner, depth, filled);
            rest = after;
        } else {
            filled.text.push('$');
        }
    }
    filled.text.push_str(rest);
}

/// What stands between the braces: a name, and what to do when it has no value.
fn substitute(inner: &str, depth: usize, filled: &mut Filled) {
    let name = name_of(inner);
    let rest = &inner[name.len()..];
    match rest.strip_prefix(':').unwrap_or(rest).chars().next() {
        Some('-') => {
            let default = rest.trim_start_matches(':').get(1..).unwrap_or_default();
            into(default, depth + 1, filled);
        }
        // Instead of a value that is there; none is.
        Some('+') => {}
        _ => filled.missing.push(name.to_owned()),
    }
}

fn name_of(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let name = &text[..end];
    if name.starts_with(|c: char| c.is_ascii_digit()) { "" } else { name }
}

/// The text up to the brace that closes, and what follows it.
fn braced(text: &str) -> Option<(&str, &str)> {
    let mut open = 1;
    for (at, c) in text.char_indices() {
        match c {
            '{' if text[..at].ends_with('$') => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some((&text[..at], &text[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str, missing: &[&str]) {
        let filled = fill(text);
        assert_eq!(
            (filled.text.as_str(), filled.missing),
            (expected, missing.iter().map(|m| (*m).to_owned()).collect())
        );
    }

    #[test]
    fn defaults_are_taken_and_variables_without_one_are_named() {
        check("a-${B:-c}-${D-e}", "a-c-e", &[]);
        check("${A:-${B:-x}y}z", "xyz", &[]);
        check("${A}:$B ${C:?say it} ${D:+other}", ":  ", &["A", "B", "C"]);
        check("cost: $$5 ${open $ 5$", "cost: $5 ${open $ 5$", &[]);
        check("${A:-}", "", &[]);
    }

    #[test]
    fn depth_ends() {
        let deep = "${A:-".repeat(5_000) + &"}".repeat(5_000);
        assert!(fill(&deep).text.len() <= deep.len());
    }
}
