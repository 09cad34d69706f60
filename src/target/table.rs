//! Reading a manifest's TOML by hand, so that every error can point at its place.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ManifestError;
use crate::source::{Source, suggest};

pub(super) type Result<T> = std::result::Result<T, ManifestError>;

/// A table of the file.
#[derive(Clone)]
pub(super) struct Table<'a> {
    source: Source<'a>,
    /// Where it begins.
    at: Range<usize>,
    entries: &'a DeTable<'a>,
}

/// A value of the file.
#[derive(Clone)]
pub(super) struct Item<'a> {
    source: Source<'a>,
    /// Where its key is.
    pub(super) key: Range<usize>,
    /// Where it is.
    pub(super) at: Range<usize>,
    value: &'a DeValue<'a>,
}

impl<'a> Table<'a> {
    pub(super) fn root(source: Source<'a>, document: &'a Spanned<DeTable<'a>>) -> Self {
        Self { source, at: 0..0, entries: document.get_ref() }
    }

    /// Nothing but these keys.
    pub(super) fn only(&self, known: &[&str]) -> Result<()> {
        // The table itself is in no order; the first mistake of the file is the one to show.
        let unknown = self.entries.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
        match unknown.min_by_key(|key| key.span().start) {
            None => Ok(()),
            Some(key) => {
                let name = key.get_ref().as_ref();
                Err(self.error(key.span(), &format!("unknown key `{name}`"), Some(&suggest(name, known))))
            }
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Item<'a>> {
        self.entries.get_key_value(key).map(|(key, value)| self.item(key.span(), value))
    }

    /// The value of a key that must be there; `help` says what to write.
    pub(super) fn require(&self, key: &str, help: &str) -> Result<Item<'a>> {
        self.get(key).ok_or_else(|| self.error(self.at.clone(), &format!("`{key}` is missing"), Some(help)))
    }

    /// Keys and values in the order of the file.
    pub(super) fn items(&self) -> Vec<(&'a str, Item<'a>)> {
        let mut items: Vec<_> =
            self.entries.iter().map(|(key, value)| (key.get_ref().as_ref(), self.item(key.span(), value))).collect();
        items.sort_by_key(|(_, item)| item.key.start);
        items
    }

    /// An error at the beginning of the table.
    pub(super) fn wrong(&self, what: &str, help: Option<&str>) -> ManifestError {
        self.error(self.at.clone(), what, help)
    }

    fn item(&self, key: Range<usize>, value: &'a Spanned<DeValue<'a>>) -> Item<'a> {
        Item { source: self.source, key, at: value.span(), value: value.get_ref() }
    }

    fn error(&self, at: Range<usize>, what: &str, help: Option<&str>) -> ManifestError {
        ManifestError(self.source.point(at, what, help))
    }
}

impl<'a> Item<'a> {
    pub(super) fn value(&self) -> &'a DeValue<'a> {
        self.value
    }

    pub(super) fn string(&self) -> Result<&'a str> {
        self.value.as_str().ok_or_else(|| self.expected("a string"))
    }

    pub(super) fn integer(&self, range: RangeInclusive<i64>) -> Result<i64> {
        let number = self.value.as_integer().and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok());
        let (low, high) = (range.start(), range.end());
        number.filter(|n| range.contains(n)).ok_or_else(|| self.expected(&format!("a number from {low} to {high}")))
    }

    pub(super) fn duration(&self) -> Result<Duration> {
        let help = "write a number and its unit, as in `\"10s\"` or `\"300ms\"`";
        let text = self.value.as_str().ok_or_else(|| self.wrong("expected a length of time", Some(help)))?;
        match humantime::parse_duration(text) {
            Ok(duration) if !duration.is_zero() => Ok(duration),
            _ => Err(self.wrong(&format!("`{text}` is not a length of time"), Some(help))),
        }
    }

    pub(super) fn table(&self) -> Result<Table<'a>> {
        let entries = self.value.as_table().ok_or_else(|| self.expected("a table"))?;
        Ok(Table { source: self.source, at: self.key.clone(), entries })
    }

    pub(super) fn list(&self) -> Result<Vec<Item<'a>>> {
        let items = self.value.as_array().ok_or_else(|| self.expected("a list"))?;
        let item = |value: &'a Spanned<DeValue<'a>>| Item {
            source: self.source,
            key: value.span(),
            at: value.span(),
            value: value.get_ref(),
        };
        Ok(items.iter().map(item).collect())
    }

    /// Program and arguments.
    pub(super) fn command(&self) -> Result<Vec<Item<'a>>> {
        let help = "write program and arguments apart, as in `[\"./serve\", \"--port\", \"{{ port }}\"]`";
        let words = self.list().map_err(|_| self.wrong("expected a list of strings", Some(help)))?;
        for word in &words {
            word.string()?;
        }
        match words.first().map(Item::string) {
            Some(Ok(program)) if !program.trim().is_empty() => Ok(words),
            _ => Err(self.wrong("the command is empty", Some(help))),
        }
    }

    /// Strings by name.
    pub(super) fn strings(&self) -> Result<BTreeMap<&'a str, Item<'a>>> {
        let table = self.table()?;
        for (_, item) in table.items() {
            item.string()?;
        }
        Ok(table.items().into_iter().collect())
    }

    /// An error at this value.
    pub(super) fn wrong(&self, what: &str, help: Option<&str>) -> ManifestError {
        ManifestError(self.source.point(self.at.clone(), what, help))
    }

    /// An error at the key of this value.
    pub(super) fn wrong_key(&self, what: &str, help: Option<&str>) -> ManifestError {
        ManifestError(self.source.point(self.key.clone(), what, help))
    }

    fn expected(&self, what: &str) -> ManifestError {
        let found = match self.value {
            DeValue::Integer(number) => format!("`{}`", number.as_str()),
            other => format!("a value of type {}", other.type_str()),
        };
        self.wrong(&format!("expected {what}, found {found}"), None)
    }
}
