//! What kind of statement some SQL is, by its words.

use super::token::Token;

/// The words that tell kinds apart, as they come by.
#[derive(Debug, Default)]
pub(super) struct Words {
    first: Word,
    second: Word,
    before: Word,
    depth: usize,
    /// `insert`, `update`, `delete` or `merge`, anywhere in it.
    writes: bool,
    /// `into`, which makes a table of what a `select` finds.
    into: bool,
    analyze: bool,
    /// `from` and `stdin` of a `copy`, outside of parentheses.
    from: bool,
    stdin: bool,
    /// `to`, as in `rollback to savepoint`.
    to: bool,
    /// It has to do with something that no transaction can hold.
    outside: bool,
    /// It calls a function that is not known to be harmless.
    calls: bool,
    /// The token before was a word.
    after_word: bool,
}

/// What matters about a statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// What it is called, whatever else it says.
    pub(super) name: Option<&'static str>,
    pub(super) changes: bool,
    pub(super) copies_in: bool,
    pub(super) commits_inside: bool,
}

/// The beginning of a word, in lower case. No word that counts is longer.
type Word = [u8; 12];

impl Words {
    pub(super) fn add(&mut self, token: Token<'_>) {
        let after_word = std::mem::replace(&mut self.after_word, matches!(token, Token::Word(_)));
        match token {
            Token::Symbol(b'(') => {
                self.calls |= after_word && !is_harmless(trimmed(&self.before));
                self.depth += 1;
            }
            Token::Symbol(b')') => self.depth = self.depth.saturating_sub(1),
            Token::Word(word) => self.word(folded(word)),
            _ => {}
        }
    }

    fn word(&mut self, word: Word) {
        if self.first == Word::default() {
            self.first = word;
        } else if self.second == Word::default() {
            self.second = word;
        }
        match trimmed(&word) {
            // `for update` and `for no key update` are locks.
            b"update" if matches!(trimmed(&self.before), b"for" | b"key") => {}
            b"insert" | b"update" | b"delete" | b"merge" => self.writes = true,
            b"into" => self.into = true,
            b"analyze" | b"analyse" => self.analyze = true,
            b"from" if self.depth == 0 => self.from = true,
            b"stdin" if self.depth == 0 => self.stdin = true,
            b"to" => self.to = true,
            b"database" | b"tablespace" | b"concurrently" | b"subscription" => self.outside = true,
            _ => {}
        }
        self.before = word;
    }

    pub(super) fn kind(&self) -> Kind {
        let second = trimmed(&self.second);
        let prepared = matches!(second, b"prepared");
        let mut kind = Kind { name: None, changes: true, copies_in: false, commits_inside: false };
        match trimmed(&self.first) {
            b"insert" | b"update" | b"delete" | b"merge" | b"truncate" | b"notify" => {}
            b"commit" | b"end" if !prepared => kind.name = Some("COMMIT"),
            b"rollback" | b"abort" if prepared => {}
            b"rollback" | b"abort" => {
                kind.changes = false;
                // Back to a savepoint: the transaction goes on.
                kind.name = (!self.to).then_some("ROLLBACK");
            }
            b"begin" => (kind.name, kind.changes) = (Some("BEGIN"), false),
            b"start" if second == b"transaction" => (kind.name, kind.changes) = (Some("BEGIN"), false),
            // What a function of the service's own does is its secret.
            b"select" | b"values" | b"table" => kind.changes = self.into || self.calls,
            b"with" => kind.changes = self.writes || self.into || self.calls,
            b"explain" => kind.changes = self.analyze && self.writes,
            b"prepare" => kind.changes = second == b"transaction",
            b"copy" => {
                kind.changes = self.from || self.writes;
                kind.copies_in = self.from && self.stdin;
            }
            b"show" | b"set" | b"reset" | b"discard" | b"deallocate" | b"declare" | b"fetch" | b"move" | b"close"
            | b"listen" | b"unlisten" | b"lock" | b"savepoint" | b"release" | b"checkpoint" | b"load" | b"analyze"
            | b"analyse" | b"" => kind.changes = false,
            b"vacuum" => (kind.changes, kind.commits_inside) = (false, true),
            b"call" | b"do" | b"cluster" | b"reindex" => kind.commits_inside = true,
            _ => kind.commits_inside = self.outside,
        }
        kind
    }
}

/// Whether a word before a parenthesis is no function, or one of the server's own that changes nothing. What is missing here
/// only makes a read count as a change.
fn is_harmless(word: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b"abs",
        b"age",
        b"all",
        b"and",
        b"any",
        b"array",
        b"array_agg",
        b"array_length",
        b"as",
        b"avg",
        b"between",
        b"bool_and",
        b"bool_or",
        b"by",
        b"case",
        b"cast",
        b"ceil",
        b"char",
        b"coalesce",
        b"concat",
        b"count",
        b"date",
        b"date_part",
        b"date_trunc",
        b"decimal",
        b"dense_rank",
        b"distinct",
        b"else",
        b"encode",
        b"except",
        b"exists",
        b"extract",
        b"filter",
        b"first_value",
        b"floor",
        b"format",
        b"from",
        b"generate_ser",
        b"gen_random_u",
        b"greatest",
        b"group",
        b"in",
        b"intersect",
        b"interval",
        b"is",
        b"join",
        b"lag",
        b"last_value",
        b"lateral",
        b"lead",
        b"least",
        b"length",
        b"like",
        b"limit",
        b"lower",
        b"materialized",
        b"max",
        b"md5",
        b"min",
        b"mod",
        b"nextval",
        b"not",
        b"now",
        b"ntile",
        b"nullif",
        b"numeric",
        b"offset",
        b"on",
        b"or",
        b"over",
        b"position",
        b"random",
        b"rank",
        b"replace",
        b"round",
        b"row",
        b"row_number",
        b"select",
        b"set_config",
        b"sha256",
        b"some",
        b"split_part",
        b"string_agg",
        b"substring",
        b"sum",
        b"then",
        b"timestamp",
        b"timestamptz",
        b"to_char",
        b"to_jsonb",
        b"to_json",
        b"to_timestamp",
        b"trim",
        b"txid_current",
        b"union",
        b"unnest",
        b"upper",
        b"using",
        b"values",
        b"varchar",
        b"version",
        b"when",
        b"where",
        b"with",
        b"within",
    ];
    let named_for_reading = word.starts_with(b"json") || word.starts_with(b"current_") || word.starts_with(b"pg_");
    named_for_reading && word != b"pg_notify" || WORDS.contains(&word)
}

fn folded(word: &[u8]) -> Word {
    let mut folded = Word::default();
    for (to, from) in folded.iter_mut().zip(word) {
        *to = from.to_ascii_lowercase();
    }
    folded
}

fn trimmed(word: &Word) -> &[u8] {
    let end = word.iter().position(|byte| *byte == 0).unwrap_or(word.len());
    &word[..end]
}
