//! A value of a manifest: text as it is, and variables of fireassay.

/// Text and variables in turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Phrase(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(&'static str),
    /// A variable within a URL, where it must not be taken for more than one part.
    Encoded(&'static str),
}

impl Phrase {
    pub(super) fn plain(text: &str) -> Self {
        Self::default().text(text)
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        if !text.is_empty() {
            self.0.push(Piece::Text(text.to_owned()));
        }
        self
    }

    pub(super) fn variable(mut self, name: &'static str) -> Self {
        self.0.push(Piece::Variable(name));
        self
    }

    pub(super) fn encoded(mut self, name: &'static str) -> Self {
        self.0.push(Piece::Encoded(name));
        self
    }

    pub(super) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether this variable is in it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.variables().any(|variable| variable == name)
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Variable(name) | Piece::Encoded(name) => Some(*name),
            Piece::Text(_) => None,
        })
    }

    /// The text, if there is nothing else in it.
    pub(super) fn as_plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The texts between its variables.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Variable(_) | Piece::Encoded(_) => None,
        })
    }

    /// As a template: what looks like one in the text stays text.
    pub(super) fn template(&self) -> String {
        let mut out = String::new();
        let mut pieces = self.0.iter().peekable();
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Variable(name) => out.extend(["{{ ", name, " }}"]),
                Piece::Encoded(name) => out.extend(["{{ ", name, " | urlencode }}"]),
                Piece::Text(text) => escape(text, pieces.peek().is_some(), &mut out),
            }
        }
        // One line's end is taken from the end of a template.
        if out.ends_with('\n') {
            out.push_str("{{ '' }}");
        }
        out
    }
}

fn escape(text: &str, more_follows: bool, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        let opens = match rest[at + 1..].chars().next() {
            Some('{' | '%' | '#') => true,
            Some(_) => false,
            // The next piece may begin with what makes it a template.
            None => more_follows,
        };
        out.push_str(if opens { "{{ '{' }}" } else { "{" });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::template::fill;
    use proptest::prelude::*;

    #[test]
    fn variables_stand_in_the_text() {
        let phrase = Phrase::plain("jdbc:postgresql://").variable("postgres_host").text("/x");
        assert_eq!(phrase.template(), "jdbc:postgresql://{{ postgres_host }}/x");
        assert!(phrase.has("postgres_host"));
    }

    proptest! {
        #[test]
        fn what_is_filled_in_is_the_text_again(one in "[{}%#a '\n]{0,12}", other in "[{}%#a '\n]{0,12}") {
            let phrase = Phrase::plain(&one).variable("v").text(&other);
            prop_assert_eq!(fill(&phrase.template(), &[("v", "V")]), Ok(format!("{one}V{other}")));
            prop_assert_eq!(fill(&Phrase::plain(&one).template(), &[]), Ok(one));
        }
    }
}
