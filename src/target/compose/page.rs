//! Writing TOML with remarks in it.

use std::fmt::Write as _;

use crate::report::text::{clean, is_hidden};

/// The widest line of a remark.
const REMARK_CHARS_MAX: usize = 118;

/// A remark that is longer is cut.
const PIECE_CHARS_MAX: usize = 600;

/// A file that is being written.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// A remark, over as many lines as it takes.
    pub(super) fn remark(&mut self, text: &str) {
        let mut line = "#".to_owned();
        for word in clean(text, PIECE_CHARS_MAX).split(' ') {
            if line.chars().count() + 1 + word.chars().count() > REMARK_CHARS_MAX && line != "#" {
                self.line(&line);
                line = "#  ".to_owned();
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }

    pub(super) fn table(&mut self, header: &str) {
        self.line("");
        self.line(&format!("[{header}]"));
    }

    /// A key, and a value that is TOML already.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.line(&format!("{} = {value}", key(name)));
    }

    pub(super) fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    pub(super) fn text(self) -> String {
        self.0
    }
}

/// A key, in quotes where it has to be.
pub(super) fn key(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(plain) { name.to_owned() } else { quoted(name) }
}

/// A string in one line, with nothing in it that a terminal or an editor would act on.
pub(super) fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_hidden(c) => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A list of strings.
pub(super) fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    format!("[{}]", texts.into_iter().map(quoted).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_is_written_is_read_again(name in ".{1,20}", value in "(.|[\n\r\t\u{1b}\u{202e}\u{0}]){0,20}", remark in "(.|[\n\r\u{0}]){0,300}") {
            let mut page = Page::default();
            page.remark(&remark);
            page.set(&name, &quoted(&value));
            let text = page.text();
            let read: toml::Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            prop_assert_eq!(read.len(), 1);
            prop_assert_eq!(read.get(&name).and_then(toml::Value::as_str), Some(value.as_str()));
            prop_assert!(!text.chars().any(|c| c != '\n' && is_hidden(c)), "{text:?}");
        }
    }
}
