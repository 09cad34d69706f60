//! Faults at single exchanges of a link: which exchanges are meant, and what happens at them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use super::plan::Edge;
use crate::history::InstanceName;

/// Something that happens at exchanges of a link, each a request and its reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtExchange {
    /// The link.
    pub edge: Edge,
    /// Which exchanges are meant at all. Without one: those that change something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Pattern>,
    /// Which of these.
    pub pick: Pick,
    /// What happens at them.
    pub act: Act,
}

/// What happens at an exchange. "Before": no byte of the request has been passed on. "After": the whole reply has been
/// read from the upstream, and no byte of it was passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// SIGKILL to the instance before; the request is lost with it.
    CrashBefore,
    /// SIGKILL to the instance after: the upstream has acted, and whoever asked dies not knowing.
    CrashAfter,
    /// The caller's connection is reset before.
    CutBefore,
    /// The caller's connection is reset after.
    CutAfter,
    /// After: nothing ever arrives on the caller's connection again, and nobody is told.
    LoseReply,
    /// SIGSTOP to the instance before. When it goes on, so does its request: a zombie that acts late.
    Stall,
    /// The request is held this long; what follows on its connection waits behind it.
    Delay(#[serde(with = "humantime_serde")] Duration),
    /// The request is delivered twice; the caller hears the first answer.
    Repeat(Repeat),
}

/// Which exchanges of a link are meant, counted from the injection on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pick {
    /// The `n`th, counted from 1.
    Nth(u32),
    /// The first `n`.
    First(u32),
    /// All.
    Every,
    /// Each with this probability, from a stream of random numbers of its own.
    Probability(f64),
}

/// How a request is delivered a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeat {
    /// Once the first delivery has been answered.
    InARow,
    /// At the same time, on a second connection.
    Concurrently,
    /// This long after the first delivery was answered.
    Late(#[serde(with = "humantime_serde")] Duration),
}

/// Matches labels of exchanges: `*` stands for any text, `?` for one character. After a `=` both stand for themselves.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Pattern {
    text: String,
    matcher: WildMatch,
}

/// What a pattern that matches one label only begins with.
const EXACT: char = '=';

impl Pattern {
    /// A pattern for this label and no other.
    #[must_use]
    pub fn exact(label: &str) -> Self {
        format!("{EXACT}{label}").into()
    }

    /// Whether an exchange with this label is meant.
    #[must_use]
    pub fn matches(&self, label: &str) -> bool {
        match self.text.strip_prefix(EXACT) {
            Some(exact) => exact == label,
            None => self.matcher.matches(label),
        }
    }

    /// As people read it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text.strip_prefix(EXACT).unwrap_or(&self.text)
    }
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self { matcher: WildMatch::new(&text), text }
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl Pick {
    /// Whether the `nth` candidate, counted from 1, is picked; `chance` decides what is left to it.
    #[must_use]
    pub fn takes(self, nth: u32, chance: impl FnOnce(f64) -> bool) -> bool {
        match self {
            Self::Nth(n) => nth == n,
            Self::First(n) => nth <= n,
            Self::Every => true,
            Self::Probability(probability) => chance(probability),
        }
    }
}

impl AtExchange {
    /// The process that it treats, if it treats one.
    #[must_use]
    pub fn victim(&self) -> Option<&InstanceName> {
        self.edge.actor().filter(|_| self.act.is_on_process())
    }
}

impl Act {
    /// Whether it treats a process, so that healing has to undo that.
    #[must_use]
    pub fn is_on_process(self) -> bool {
        matches!(self, Self::CrashBefore | Self::CrashAfter | Self::Stall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_wildcards_unless_it_is_exact() {
        let insert = "insert into keys (a, b) values (?, ?)";
        assert!(Pattern::from("insert into *").matches(insert));
        assert!(Pattern::exact(insert).matches(insert));
        assert!(!Pattern::exact("select * from a").matches("select b from a"));
        assert!(Pattern::from("COMMIT").matches("COMMIT") && !Pattern::from("COMMIT").matches("COMMIT PREPARED"));
        let stored = serde_json::to_string(&Pattern::exact("a*")).expect("text");
        assert_eq!(stored, "\"=a*\"");
        assert!(!serde_json::from_str::<Pattern>(&stored).expect("a pattern").matches("ab"));
    }
}
