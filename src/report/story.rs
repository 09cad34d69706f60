//! The story of a finding: what was demanded, what was found, and what passed between callers and target around it.
//!
//! Pure: the same report and history give the same lines.

use crate::history::{History, Moment};
use crate::judgement::Anomaly;
use crate::runner::Judged;

use super::text::{clean, count, piece, shell};
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

/// Where a story comes from and how to see it again.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    /// The run's folder.
    pub directory: &'a std::path::Path,
    /// The case's id.
    pub case: &'a str,
    /// The seed.
    pub seed: u64,
    /// What the user gave, or would have to give, as `--target`.
    pub target: &'a str,
    /// Variables that were added to the target's environment.
    pub env: &'a [(String, String)],
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

/// Tells what is wrong with one requirement. Without a history the exchanges are left out, and the story says so.
#[must_use]
pub fn tell(judged: &Judged, history: Option<&History>, origin: &Origin<'_>) -> Story {
    let requirement = &judged.requirement;
    let sentence = |text: &str| clean(text, SENTENCE_CHARS_MAX);
    let mut lines = vec![
        Line::new(Kind::Requirement, format!("{}: {}", piece(&requirement.id), sentence(&requirement.text))),
        Line::new(Kind::Why, format!("why: {}", sentence(&requirement.why))),
    ];
    if let Some(reason) = &judged.expected {
        lines.push(Line::new(Kind::Why, format!("known: {}", sentence(reason))));
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
        let others = count(judged.finding.anomalies_total - 1, "finding");
        lines.push(Line::new(Kind::Gap, format!("and {others} more of this requirement, all in result.json")));
    }
    lines.extend(ways_on(origin));
    Story { requirement: piece(&requirement.id), headline: headline(judged, first), lines }
}

/// The requirement and the clearest anomaly in one line.
fn headline(judged: &Judged, anomaly: Option<&Anomaly>) -> String {
    let id = piece(&judged.requirement.id);
    match anomaly {
        Some(anomaly) => format!("{id}: {}: {}", piece(&anomaly.kind), clean(&anomaly.found, SENTENCE_CHARS_MAX)),
        None => format!("{id}: {}", judged.verdict),
    }
}

fn ways_on(origin: &Origin<'_>) -> [Line; 3] {
    let directory = origin.directory.display().to_string();
    let quoted = shell(&clean(&directory, SENTENCE_CHARS_MAX));
    let mut again = format!(
        "fireassay run --target {} --case {} --seed {}",
        shell(&piece(origin.target)),
        shell(&piece(origin.case)),
        origin.seed
    );
    for (name, value) in origin.env {
        again.push_str(" --env ");
        again.push_str(&shell(&piece(&format!("{name}={value}"))));
    }
    [
        Line::new(
            Kind::Where,
            format!("everything that happened: {}/history.jsonl", clean(&directory, SENTENCE_CHARS_MAX)),
        ),
        Line::new(Kind::Command, format!("judge it again: fireassay check {quoted}")),
        Line::new(Kind::Command, format!("run it again:   {again}")),
    ]
}
