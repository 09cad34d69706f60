//! Strings from a target are hostile: they may try to move the cursor, reverse the line or fill the screen.

use std::fmt::Write as _;

/// The longest piece of a target's text that a report shows, in characters.
pub const PIECE_CHARS_MAX: usize = 80;

/// One line, safe to print: control, direction and invisible characters are written as escapes,
/// and what is longer than `chars_max` ends in `…`.
#[must_use]
pub fn clean(text: &str, chars_max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(chars_max));
    for (count, c) in text.chars().enumerate() {
        if count >= chars_max {
            line.push('…');
            break;
        }
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if is_hidden(c) => {
                // Writing to a string cannot fail.
                let _ = write!(line, "\\u{{{:x}}}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line
}

/// The longest sentence of the harness's own with a server's or a target's words in it, in characters.
const SENTENCE_CHARS_MAX: usize = 600;

/// [`clean`] at the length of what the harness says itself.
#[must_use]
pub fn sentence(text: &str) -> String {
    clean(text, SENTENCE_CHARS_MAX)
}

/// [`clean`] at the usual length.
#[must_use]
pub fn piece(text: &str) -> String {
    clean(text, PIECE_CHARS_MAX)
}

/// Text of several lines, each made safe.
#[must_use]
pub fn lines(text: &str, chars_max: usize) -> Vec<String> {
    text.lines().map(|line| clean(line, chars_max)).collect()
}

/// `3 runs`, `1 run`.
#[must_use]
pub fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// An argument that a shell takes as it is.
#[must_use]
pub fn shell(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', "'\\''"))
    }
}

/// Whether a character steers a terminal, the direction of writing or nothing that can be seen.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_becomes_one_harmless_line() {
        assert_eq!(
            piece("paid\r\n\u{1b}[2J\u{202e}002\u{200b}\u{9b}x"),
            "paid\\r\\n\\u{1b}[2J\\u{202e}002\\u{200b}\\u{9b}x"
        );
    }

    #[test]
    fn ordinary_text_of_any_language_is_left_alone() {
        assert_eq!(piece("Überweisung 250 € → 東京"), "Überweisung 250 € → 東京");
    }

    #[test]
    fn long_text_is_cut_at_characters_and_says_so() {
        assert_eq!(clean("ééééé", 3), "ééé…");
        assert_eq!(clean("ééé", 3), "ééé");
    }

    #[test]
    fn arguments_survive_a_shell() {
        assert_eq!(shell("A=b-1"), "A=b-1");
        assert_eq!(shell("it's $HOME"), "'it'\\''s $HOME'");
        assert_eq!(shell(""), "''");
    }
}
