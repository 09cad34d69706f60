//! The story of a finding: what was demanded, what was found, and what passed between callers and target around it.
//!
//! Pure: the same report and history give the same lines.

use std::path::Path;

use crate::history::{History, Moment};
use crate::judgement::Anomaly;
use crate::runner::Judged;

use super::summary::label;
use super::text::{clean, piece, shell};
use super::timeline::timeline;

/// The most lines that the exchanges of a story take.
const TIMELINE_LINES_MAX: usize = 14;

/// Room for a sentence of a requirement or an oracle, in characters.
const SENTENCE_CHARS_MAX: usize = 400;

/// What a person reads of one violated requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The requirement's id.
    pub requirement: String,
    /// One line that says what is wrong.
    pub headline: String,
    /// The story, in the order in which it is read.
    pub lines: Vec<Line>,
}

/// A line of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it tells; decides its colour.
    pub kind: Kind,
    /// When it happened, for lines about the run.
    pub at: Option<Moment>,
    /// One line, safe to print.
    pub text: String,
}

/// What a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The requirement's statement.
    Requirement,
    /// Why it matters.
    Why,
    /// What should have been.
    Expected,
    /// What was found.
    Found,
    /// A request, or an answer to one that leaves nothing open.
    Exchange,
    /// An answer that leaves open whether it happened.
    Doubt,
    /// Something the nemesis did.
    Fault,
    /// Something a process did.
    Process,
    /// A row or a record that was read back.
    Row,
    /// Lines that were left out.
    Gap,
    /// Where to read on.
    Where,
    /// A command to type.
    Command,
}

impl Line {
    pub(super) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, at: None, text: text.into() }
    }

    pub(super) fn at(at: Moment, kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, at: Some(at), text: text.into() }
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.at {
            Some(at) => {
                let tenths = at.0 / 100_000;
                write!(f, "{:>7}.{} ms  {}", tenths / 10, tenths % 10, self.text)
            }
            None => f.write_str(&self.text),
        }
    }
}

/// Tells what is wrong with one requirement in the run that is kept in `directory`. Without a history the exchanges are left out, and the story says so.
#[must_use]
pub fn tell(judged: &Judged, history: Option<&History>, directory: &Path) -> Story {
    let requirement = &judged.requirement;
    let sentence = |text: &str| clean(text, SENTENCE_CHARS_MAX);
    let mut lines = vec![
        Line::new(Kind::Requirement, format!("{}: {}", label(judged), sentence(&requirement.text))),
        Line::new(Kind::Why, format!("why:      {}", sentence(&requirement.why))),
    ];
    if let Some(reason) = &judged.expected {
        lines.push(Line::new(Kind::Why, format!("declared: expected to fail: {}", sentence(reason))));
    }
    let first = judged.finding.anomalies.first();
    if let Some(anomaly) = first {
        lines.push(Line::new(Kind::Expected, format!("expected: {}", sentence(&anomaly.expected))));
        lines.push(Line::new(Kind::Found, format!("found:    {}", sentence(&anomaly.found))));
        match history {
            Some(history) => lines.extend(timeline(&anomaly.witnesses, history, TIMELINE_LINES_MAX)),
            None => lines.push(Line::new(
                Kind::Gap,
                "the history of this run cannot be read, so its exchanges are missing here",
            )),
        }
    }
    if judged.finding.anomalies_total > 1 {
        let others = judged.finding.anomalies_total - 1;
        let things = if others == 1 { "finding" } else { "findings" };
        lines.push(Line::new(Kind::Gap, format!("and {others} more {things} of this requirement, in result.json")));
    }
    lines.extend(ways_on(directory));
    Story { requirement: piece(&requirement.id), headline: headline(judged, first), lines }
}

/// The requirement and the clearest anomaly in one line.
fn headline(judged: &Judged, anomaly: Option<&Anomaly>) -> String {
    let id = label(judged);
    match anomaly {
        Some(anomaly) => format!("{id}: {}: {}", piece(&anomaly.kind), clean(&anomaly.found, SENTENCE_CHARS_MAX)),
        None => format!("{id}: {}", judged.verdict),
    }
}

/// The run's folder says all that is needed to see it again: script, plan, target and environment.
fn ways_on(directory: &Path) -> [Line; 3] {
    let directory = directory.display().to_string();
    let quoted = shell(&clean(&directory, SENTENCE_CHARS_MAX));
    [
        Line::new(
            Kind::Where,
            format!("everything that happened: {}/history.jsonl", clean(&directory, SENTENCE_CHARS_MAX)),
        ),
        Line::new(Kind::Command, format!("judge it again: fireassay check {quoted}")),
        Line::new(Kind::Command, format!("run it again:   fireassay replay {quoted}")),
    ]
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::report::samples::{double_debit, history, judged};

    fn check(judged: &Judged, history: Option<&History>, expect: &Expect) {
        let story = tell(judged, history, Path::new("runs/retries-7"));
        let lines: Vec<_> = story.lines.iter().map(|line| format!("{line}\n")).collect();
        expect.assert_eq(&format!("{}\n\n{}", story.headline, lines.concat()));
    }

    #[test]
    fn a_double_debit_can_be_followed_from_request_to_rows() {
        check(
            &judged("ledger.once", true),
            Some(&history()),
            &expect![[r#"
                ledger.once: double: k-0 was applied twice: t-1 and t-2 each took 250 EUR from a-3

                ledger.once: A transfer is applied at most once per idempotency key.
                why:      A debit that is applied twice takes money from somebody.
                expected: one transfer for the key k-0
                found:    k-0 was applied twice: t-1 and t-2 each took 250 EUR from a-3
                    800.0 ms  client 3 → api-2   transfer k-0 a-3→a-1 250 EUR   (1st attempt)
                    812.4 ms  ✂ kill api-2 (fault 1)
                    813.0 ms  client 3 ← api-2   k-0: no answer: connection reset
                    813.1 ms  ✂ fault 1 bit: it ended by SIGKILL with 1 request open
                    830.0 ms  client 3 → api-1   transfer k-0 a-3→a-1 250 EUR   (2nd attempt)
                    842.0 ms  client 3 ← api-1   k-0: 201 transfer t-2
                   2000.0 ms  journal #1 a-3 −250 EUR transfer t-1
                   2000.0 ms  journal #3 a-3 −250 EUR transfer t-2
                and 2 more findings of this requirement, in result.json
                everything that happened: runs/retries-7/history.jsonl
                judge it again: fireassay check runs/retries-7
                run it again:   fireassay replay runs/retries-7
            "#]],
        );
    }

    #[test]
    fn without_a_history_the_finding_still_stands() {
        check(
            &judged("ledger.once", true),
            None,
            &expect![[r#"
                ledger.once: double: k-0 was applied twice: t-1 and t-2 each took 250 EUR from a-3

                ledger.once: A transfer is applied at most once per idempotency key.
                why:      A debit that is applied twice takes money from somebody.
                expected: one transfer for the key k-0
                found:    k-0 was applied twice: t-1 and t-2 each took 250 EUR from a-3
                the history of this run cannot be read, so its exchanges are missing here
                and 2 more findings of this requirement, in result.json
                everything that happened: runs/retries-7/history.jsonl
                judge it again: fireassay check runs/retries-7
                run it again:   fireassay replay runs/retries-7
            "#]],
        );
    }

    #[test]
    fn a_declared_failure_is_called_expected() {
        let judged = Judged { expected: Some("replicas lag".into()), ..judged("ledger.once", true) };
        let story = tell(&judged, None, Path::new("runs/retries-7"));
        let all: String = story.lines.iter().map(|line| format!("{line}\n")).collect();
        assert!(all.contains("\ndeclared: expected to fail: replicas lag\nexpected: one transfer"), "{all}");
    }

    #[test]
    fn hostile_words_of_a_target_cannot_steer_the_terminal() {
        let mut judged = judged("ledger.once", true);
        judged.finding = double_debit();
        judged.finding.anomalies[0].found = "\u{1b}]0;owned\u{7} \u{202e}TOP".into();
        let mut history = history();
        for event in &mut history.events {
            if let crate::history::What::Rows { added, .. } = &mut event.what {
                added[0]["transfer"] = "t-1\r\u{1b}[2K fine".into();
            }
        }
        let story = tell(&judged, Some(&history), Path::new("runs/\u{1b}; rm"));
        let all: String = story.lines.iter().map(ToString::to_string).chain([story.headline]).collect();
        assert!(!all.contains(|c: char| c.is_control() || c == '\u{202e}'), "{all:?}");
        assert!(all.contains("t-1\\r\\u{1b}[2K fine") && all.contains("replay 'runs/\\u{1b}; rm'"), "{all}");
    }
}
