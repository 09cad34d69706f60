//! The shape of SQL: what is left of it when everything is gone that differs from one execution to the next.
//!
//! `insert into postings (id, amount) values ($1, $2), ($3, $4)` becomes `insert into postings (id, amount) values (?)`.

use super::kind::{Kind, Words};
use super::token::{Token, Tokens};

/// The longest shape, in characters; the rest is left out.
pub(super) const TEXT_MAX: usize = 120;

/// The most tokens of a statement that make up its shape, after folding.
const TOKENS_MAX: usize = TEXT_MAX + 1;

/// The most different statements of a text that are named.
const STATEMENTS_MAX: usize = 8;

/// What is known of a text of SQL, which may have several statements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Printable, of limited length; empty for an empty text.
    pub(super) text: String,
    /// Whether it may change something that others can see, now or when it is committed.
    pub(super) changes: bool,
    /// Whether it goes on with data from the client.
    pub(super) copies_in: bool,
    /// Whether it may commit by itself on its way, so that something of it stands even if it fails.
    pub(super) commits_inside: bool,
}

impl Shape {
    /// Of a statement that nobody has seen: it may be anything.
    pub(super) fn unknown() -> Self {
        Self { text: "execute".to_owned(), changes: true, copies_in: false, commits_inside: true }
    }

    /// `sql` may have been cut off at its end.
    pub(super) fn of(sql: &[u8]) -> Self {
        let mut shape = Self::default();
        let mut statements = Vec::new();
        let mut tokens = Tokens::new(sql).peekable();
        while tokens.peek().is_some() {
            let statement = Statement::of(&mut tokens);
            if statement.folded.is_empty() {
                continue;
            }
            let kind = statement.words.kind();
            shape.changes |= kind.changes;
            shape.copies_in = kind.copies_in;
            shape.commits_inside |= kind.commits_inside;
            if statements.len() < STATEMENTS_MAX {
                statements.push(statement.text(&kind));
            }
        }
        shape.text = joined(statements.iter().map(String::as_str));
        shape
    }
}

/// Texts one after the other, each of a run of the same ones once, cut off where they get too long.
pub(super) fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut joined = String::new();
    let mut last = None;
    for text in texts {
        if last == Some(text) {
            continue;
        }
        if last.replace(text).is_some() {
            joined.push_str("; ");
        }
        joined.push_str(text);
        if joined.len() > TEXT_MAX {
            break;
        }
    }
    // Everything in it is ASCII.
    if joined.len() > TEXT_MAX {
        joined.truncate(TEXT_MAX);
        joined.push_str("...");
    }
    joined
}

/// One statement.
#[derive(Default)]
struct Statement<'a> {
    words: Words,
    folded: Vec<(bool, Token<'a>)>,
}

impl<'a> Statement<'a> {
    /// Takes a statement's tokens, and the semicolon after them.
    fn of(tokens: &mut impl Iterator<Item = (bool, Token<'a>)>) -> Self {
        let mut statement = Self::default();
        for (spaced, token) in tokens {
            if token == Token::Symbol(b';') {
                break;
            }
            statement.words.add(token);
            if statement.folded.len() < TOKENS_MAX {
                statement.folded.push((spaced, token));
                statement.fold();
            }
        }
        statement
    }

    /// Makes one literal of several at the end, and one list of several.
    fn fold(&mut self) {
        use Token::{Literal, Symbol};
        let ends_with = |end: &[Token<'_>]| {
            let from = self.folded.len().checked_sub(end.len());
            from.and_then(|from| self.folded.get(from..))
                .is_some_and(|tail| tail.iter().map(|(_, token)| token).eq(end.iter()))
        };
        let superfluous = if ends_with(&[Literal, Symbol(b','), Literal]) {
            2
        } else if ends_with(&[Symbol(b'('), Literal, Symbol(b')'), Symbol(b','), Symbol(b'('), Literal, Symbol(b')')]) {
            4
        } else if let [.., (_, Symbol(b'(' | b',' | b'=')), (spaced, Symbol(b'-' | b'+')), (_, Literal)] =
            self.folded[..]
        {
            // A sign that belongs to the number.
            self.folded.truncate(self.folded.len() - 2);
            self.folded.push((spaced, Literal));
            return self.fold();
        } else {
            return;
        };
        self.folded.truncate(self.folded.len() - superfluous);
    }

    fn text(&self, kind: &Kind) -> String {
        if let Some(name) = kind.name {
            return name.to_owned();
        }
        let mut text = String::new();
        for (index, (spaced, token)) in self.folded.iter().enumerate() {
            if *spaced && index > 0 {
                text.push(' ');
            }
            match token {
                Token::Word(bytes) | Token::Quoted(bytes) => push_printable(&mut text, bytes),
                Token::Literal => text.push('?'),
                Token::Symbol(byte) => push_printable(&mut text, &[*byte]),
            }
            if text.len() > TEXT_MAX {
                break;
            }
        }
        text
    }
}

/// Adds what a terminal shows as it is, and the rest as escapes.
fn push_printable(text: &mut String, bytes: &[u8]) {
    for char in String::from_utf8_lossy(bytes.get(..TEXT_MAX).unwrap_or(bytes)).chars() {
        if char == ' ' || char.is_ascii_graphic() {
            text.push(char);
        } else {
            text.extend(char.escape_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(sql: &str, text: &str, changes: bool) {
        let shape = Shape::of(sql.as_bytes());
        assert_eq!((shape.text.as_str(), shape.changes), (text, changes));
    }

    #[test]
    fn values_are_left_out() {
        check("select 1", "select ?", false);
        check("select  *\n from\tt where a = 'it''s' and b=-1.5e-3", "select * from t where a = ? and b=?", false);
        check(r"select E'\'', U&'x', x'1f', $$a;b$$, $tag$ $$ $tag$, $1", "select ?", false);
        check("insert into t (a, b) values ($1, $2), ($3, $4)", "insert into t (a, b) values (?)", true);
        check("insert into t values ($1::uuid, $2, 3)", "insert into t values (?::uuid, ?)", true);
        check("select /* a /* b */ c */ x -- y\n, \"a;b\"", "select x , \"a;b\"", false);
        check("update t set a = a - 1 where b in (1, 2, 3);", "update t set a = a - ? where b in (?)", true);
    }

    #[test]
    fn transactions_have_one_name_each() {
        for sql in ["commit", "COMMIT WORK", "End", "commit and chain;"] {
            check(sql, "COMMIT", true);
        }
        for sql in ["rollback", "ABORT", "rollback work"] {
            check(sql, "ROLLBACK", false);
        }
        for sql in ["begin", "start transaction isolation level serializable", "BEGIN READ ONLY"] {
            check(sql, "BEGIN", false);
        }
        check("rollback to savepoint a", "rollback to savepoint a", false);
        check("ROLLBACK WORK TO a", "ROLLBACK WORK TO a", false);
        check("commit prepared 'x'", "commit prepared ?", true);
        check("prepare transaction 'x'", "prepare transaction ?", true);
        check(
            "begin; insert into t values (1); insert into t values (2); commit",
            "BEGIN; insert into t values (?); COMMIT",
            true,
        );
    }

    #[test]
    fn what_changes_something() {
        for sql in [
            "delete from t",
            "merge into t using s on true when matched then delete",
            "truncate t",
            "call p()",
            "do $$ begin end $$",
            "create table t (a int)",
            "copy t from stdin",
            "copy t from '/tmp/x'",
            "copy (delete from t returning *) to stdout",
            "with x as (insert into t values (1) returning a) select * from x",
            "select * into copy from t",
            "explain analyze delete from t",
            "execute s(1)",
            "what is this",
        ] {
            assert!(Shape::of(sql.as_bytes()).changes, "{sql}");
        }
        for sql in [
            "select * from t for update",
            "with x as (select 1 from t for no key update) select * from x",
            "(select 1) union (select 2)",
            "set search_path to x",
            "show all",
            "explain delete from t",
            "prepare s as insert into t values (1)",
            "copy t to stdout",
            "copy (select 1 from stdin) to stdout",
            "savepoint a",
            "-- nothing",
            "",
        ] {
            assert!(!Shape::of(sql.as_bytes()).changes, "{sql}");
        }
        assert!(Shape::of(b"copy t (a) from stdin with (format csv)").copies_in);
        assert!(!Shape::of(b"copy t from '/tmp/stdin'").copies_in);
        assert!(Shape::of(b"create database x").commits_inside);
        assert!(!Shape::of(b"create table x ()").commits_inside);
    }

    #[test]
    fn shapes_are_short_and_printable() {
        let columns = (0..99).map(|n| format!("column_{n}")).collect::<Vec<_>>().join(", ");
        let text = Shape::of(format!("select {columns} from t").as_bytes()).text;
        assert!(text.len() == TEXT_MAX + 3 && text.ends_with("..."), "{text}");
        check("select \"\u{1b}[31m\" from caf\u{e9}", r#"select "\u{1b}[31m" from caf\u{e9}"#, false);
    }

    proptest! {
        #[test]
        fn any_text_has_a_short_shape(sql in prop::collection::vec(
            prop::sample::select(vec![
                "select ", "'", "\"", "$", "$1", "$a$", "/*", "*/", "--", "\n", "(", ")", ",", ";", "1", "e", "-", "\\", "\u{e9}", "\0", "in", " ",
            ]),
            0..60,
        )) {
            let text = Shape::of(sql.concat().as_bytes()).text;
            prop_assert!(text.len() <= TEXT_MAX + 3);
            prop_assert!(text.chars().all(|char| char == ' ' || char.is_ascii_graphic()));
        }

        #[test]
        fn any_bytes_have_a_short_shape(sql in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Shape::of(&sql).text.is_ascii());
        }
    }
}
