//! SQL cut into tokens (PostgreSQL's manual, section 4.1), as far as it takes to leave out what differs from one
//! execution to the next.

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or a name, as written.
    Word(&'a [u8]),
    /// A quoted name, with its quotes.
    Quoted(&'a [u8]),
    /// A number, a string or a parameter.
    Literal,
    Symbol(u8),
}

/// The tokens of a text, each with whether something blank came before it.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    pub(super) fn new(sql: &'a [u8]) -> Self {
        Self { rest: sql }
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Drops white space and comments. Says whether there were any.
    fn skip_blanks(&mut self) -> bool {
        let before = self.rest.len();
        loop {
            let len = match self.rest {
                [byte, ..] if byte.is_ascii_whitespace() || *byte == 0x0b => 1,
                [b'-', b'-', line @ ..] => 2 + line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len()),
                [b'/', b'*', ..] => comment_len(self.rest),
                _ => return self.rest.len() < before,
            };
            self.take(len);
        }
    }

    /// A string that begins with the quote `self.rest` begins with. It ends with the text if nothing else ends it.
    fn take_quoted(&mut self, escapes: bool) -> &'a [u8] {
        let quote = self.rest.first().copied().unwrap_or_default();
        let mut at = 1;
        while let Some(&byte) = self.rest.get(at) {
            if escapes && byte == b'\\' {
                at += 2;
            } else if byte != quote {
                at += 1;
            } else if self.rest.get(at + 1) == Some(&quote) {
                at += 2;
            } else {
                return self.take(at + 1);
            }
        }
        self.take(at)
    }

    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let len = self.rest.iter().position(|byte| !belongs(*byte)).unwrap_or(self.rest.len());
        self.take(len)
    }

    fn take_number(&mut self) -> Token<'a> {
        loop {
            let part = self.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'));
            // `1e-5` goes on after the sign.
            let exponent = matches!(part, [b'0'..=b'9', .., b'e' | b'E']);
            if !(exponent && matches!(self.rest, [b'+' | b'-', b'0'..=b'9', ..])) {
                return Token::Literal;
            }
            self.take(1);
        }
    }

    /// A word, or a string with a letter before its quote.
    fn take_word(&mut self) -> Token<'a> {
        let word = self.take_while(|byte| is_name(byte) || byte.is_ascii_digit() || byte == b'$');
        match (word, self.rest) {
            ([b'e' | b'E'], [b'\'', ..]) => self.take_quoted(true),
            ([b'b' | b'B' | b'x' | b'X' | b'n' | b'N'], [b'\'', ..]) => self.take_quoted(false),
            ([b'u' | b'U'], [b'&', b'\'', ..]) => {
                self.take(1);
                self.take_quoted(false)
            }
            _ => return Token::Word(word),
        };
        Token::Literal
    }

    /// A parameter, or a string between two tags: `$1`, `$tag$ ... $tag$`.
    fn take_dollar(&mut self) -> Token<'a> {
        if self.rest.get(1).is_some_and(u8::is_ascii_digit) {
            self.take(1);
            self.take_while(|byte| byte.is_ascii_digit());
            return Token::Literal;
        }
        let tag = self.rest[1..].iter().position(|byte| !is_name(*byte) && !byte.is_ascii_digit());
        match tag {
            Some(len) if self.rest[len + 1] == b'$' => {
                let tag = self.take(len + 2);
                let end = self.rest.windows(tag.len()).position(|window| window == tag);
                self.take(end.map_or(self.rest.len(), |end| end + tag.len()));
                Token::Literal
            }
            _ => {
                self.take(1);
                Token::Symbol(b'$')
            }
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (bool, Token<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let spaced = self.skip_blanks();
        let token = match *self.rest {
            [] => return None,
            [b'\'', ..] => {
                self.take_quoted(false);
                Token::Literal
            }
            [b'"', ..] => Token::Quoted(self.take_quoted(false)),
            [b'$', ..] => self.take_dollar(),
            [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => self.take_number(),
            [byte, ..] if is_name(byte) => self.take_word(),
            [byte, ..] => {
                self.take(1);
                Token::Symbol(byte)
            }
        };
        Some((spaced, token))
    }
}

/// Whether a name can begin with it.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

/// The length of a comment, which can hold others.
fn comment_len(sql: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < sql.len() {
        match sql[at..] {
            [b'/', b'*', ..] => depth += 1,
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
    }
    sql.len()
}
