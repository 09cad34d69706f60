//! Where in a suite something is, and what the reader of TOML means to say.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::SuiteError;
use crate::source::{Source, suggest};

/// One step from the top of a file to a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// A suite's text beside its values, so that a mistake found in a value can be shown in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) source: Source<'a>,
    pub(super) root: &'a DeTable<'a>,
}

impl Place<'_> {
    /// An error at the value that these steps lead to, or at the last one there is.
    pub(super) fn wrong(&self, steps: &[Step<'_>], what: &str, help: Option<&str>) -> SuiteError {
        SuiteError(self.source.point(self.find(steps), what, help))
    }

    fn find(&self, steps: &[Step<'_>]) -> Range<usize> {
        let Some((Step::Key(first), rest)) = steps.split_first() else { return 0..0 };
        let Some(mut value) = self.root.get(*first) else { return 0..0 };
        for step in rest {
            let next = match step {
                Step::Key(key) => value.get_ref().as_table().and_then(|table| table.get(*key)),
                Step::Index(index) => value.get_ref().as_array().and_then(|array| array.get(*index)),
            };
            match next {
                Some(next) => value = next,
                None => break,
            }
        }
        value.span()
    }
}

/// What serde says of a text, at its place and with the nearest word that was expected.
pub(super) fn explain(source: Source<'_>, root: Option<&DeTable<'_>>, error: &toml::de::Error) -> String {
    let message = error.message().trim_end();
    let mut at = error.span().unwrap_or(0..0);
    // `unknown field `comand`, expected one of `a`, `b``: the first word is the wrong one, the others are right.
    let unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let mut words = message.split('`').skip(1).step_by(2);
    let Some(word) = words.next().filter(|_| unknown) else {
        let span = message.ends_with("expected a duration");
        return source.point(
            at,
            message,
            span.then_some("write a number and its unit, as in `\"10s\"` or `\"300ms\"`"),
        );
    };
    let expected: Vec<_> = words.collect();
    // Enums that name their variant inside the table are read whole first; what is wrong in them is then said of all.
    if let Some(root) = root.filter(|_| source.text.get(at.clone()) != Some(word)) {
        at = spelled(root, word, &at).unwrap_or(at);
    }
    let what = message.split_once(',').map_or(message, |(what, _)| what);
    source.point(at, what, Some(&suggest(word, &expected)))
}

/// Where a key or a string is this word, at or after the beginning of `within`.
fn spelled(table: &DeTable<'_>, word: &str, within: &Range<usize>) -> Option<Range<usize>> {
    let mut places = Vec::new();
    collect(table, word, &mut places);
    places.into_iter().filter(|place| place.start >= within.start).min_by_key(|place| place.start)
}

fn collect(table: &DeTable<'_>, word: &str, places: &mut Vec<Range<usize>>) {
    for (key, value) in table.iter() {
        if key.get_ref() == word {
            places.push(key.span());
        }
        collect_value(value, word, places);
    }
}

fn collect_value(value: &Spanned<DeValue<'_>>, word: &str, places: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::String(text) if text == word => places.push(value.span()),
        DeValue::Array(items) => items.iter().for_each(|item| collect_value(item, word, places)),
        DeValue::Table(table) => collect(table, word, places),
        _ => {}
    }
}
