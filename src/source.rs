//! Pointing at a place in a text file that somebody wrote: the one form that errors in manifests and suites have.

use std::ops::Range;

use strsim::damerau_levenshtein;

/// The longest line that is shown whole, in characters.
const LINE_CHARS_MAX: usize = 160;

/// A file as it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// As the user named it.
    pub(crate) path: &'a str,
    /// All of it.
    pub(crate) text: &'a str,
}

impl Source<'_> {
    /// `path:line:column: what`, the line itself, a mark under the bytes of `span`, and how to mend it.
    pub(crate) fn point(&self, span: Range<usize>, what: &str, help: Option<&str>) -> String {
        let start = self.boundary(span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |newline| start + newline);
        let end = self.boundary(span.end).clamp(start, line_end);
        let number = self.text[..start].matches('\n').count() + 1;
        let column = self.text[line_start..start].chars().count();
        let line = shown(self.text[line_start..line_end].trim_end());
        let marks = self.text[start..end].chars().count().clamp(1, LINE_CHARS_MAX);
        let gutter = " ".repeat(number.to_string().len());
        let mut message = format!("{}:{number}:{}: {what}\n{gutter} |\n{number} | {line}\n", self.path, column + 1);
        message.push_str(&format!("{gutter} | {}{}", " ".repeat(column.min(LINE_CHARS_MAX)), "^".repeat(marks)));
        if let Some(help) = help {
            message.push_str(&format!("\n{gutter} = {help}"));
        }
        message
    }

    /// The nearest place at or before `at` where a character begins.
    fn boundary(&self, at: usize) -> usize {
        self.text.floor_char_boundary(at)
    }
}

/// What to say about a word that is none of `known`: the nearest one if there is one near, else all of them.
pub(crate) fn suggest(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "nothing is known here".to_owned(),
        None => format!("known here: {}", list(known)),
    }
}

/// Words in backquotes, with commas.
pub(crate) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The word among `known` that was probably meant.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // One slip in three characters still looks like the same word.
    let slips_max = (word.chars().count() / 3).max(1);
    known
        .iter()
        .map(|candidate| (damerau_levenshtein(word, candidate), *candidate))
        .filter(|(slips, _)| *slips <= slips_max)
        .min()
        .map(|(_, candidate)| candidate)
}

/// A line as it can be shown on a terminal: every character takes one place, and none of them does anything.
fn shown(line: &str) -> String {
    line.chars().take(LINE_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(text: &str, word: &str, expected: Expect) {
        let start = text.find(word).unwrap();
        expected.assert_eq(&Source { path: "a.toml", text }.point(start..start + word.len(), "wrong", Some("mend it")));
    }

    #[test]
    fn a_word_is_marked() {
        check(
            "one = 1\ntwo = 2\n",
            "two",
            expect![[r#"
                a.toml:2:1: wrong
                  |
                2 | two = 2
                  | ^^^
                  = mend it"#]],
        );
    }

    #[test]
    fn columns_count_characters_and_tabs_take_one_place() {
        check(
            "\tü = \"x\"\r\n",
            "\"x\"",
            expect![[r#"
                a.toml:1:6: wrong
                  |
                1 |  ü = "x"
                  |      ^^^
                  = mend it"#]],
        );
    }

    #[test]
    fn a_span_over_lines_and_past_the_end_is_cut() {
        let source = Source { path: "a.toml", text: "x = [\n1" };
        expect![[r#"
            a.toml:1:5: wrong
              |
            1 | x = [
              |     ^"#]]
        .assert_eq(&source.point(4..99, "wrong", None));
        assert!(source.point(50..99, "wrong", None).starts_with("a.toml:2:2: wrong"));
    }

    #[test]
    fn only_near_words_are_suggested() {
        assert_eq!(suggest("comand", &["command", "env"]), "did you mean `command`?");
        assert_eq!(suggest("colour", &["command", "env"]), "known here: `command`, `env`");
    }
}
