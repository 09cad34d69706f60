//! Text from a target, made harmless: it ends up on terminals and in reports.

/// The beginning of a text: at most `chars_max` characters, everything that is not plainly printable escaped.
pub(super) fn printable(text: &str, chars_max: usize) -> String {
    let mut shown = String::new();
    let mut chars = text.trim().chars();
    for c in chars.by_ref().take(chars_max) {
        match c {
            '"' | '\'' => shown.push(c),
            // Escapes control characters, and those that reorder or hide text.
            _ => shown.extend(c.escape_debug()),
        }
    }
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// The beginning of a body that may not be text at all.
pub(super) fn excerpt(body: &[u8]) -> String {
    const CHARS_MAX: usize = 80;
    // No character takes more than four bytes.
    let start = &body[..body.len().min(4 * (CHARS_MAX + 1))];
    printable(&String::from_utf8_lossy(start), CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_do_something_is_escaped() {
        assert_eq!(printable("a\u{1b}[31m\n\u{202e}b\0 \"ü\"", 80), "a\\u{1b}[31m\\n\\u{202e}b\\0 \"ü\"");
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("abc", 3), "abc");
        assert_eq!(excerpt(&[b'x'; 1_000]).chars().count(), 81);
        assert_eq!(excerpt(&[0xff, b'a']), "\u{fffd}a");
    }
}
