//! Colour for terminals, and none for everything else.

use super::story::Kind;
use super::summary::Standing;

/// Whether text is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// With ANSI colours.
    Colour,
    /// As it is.
    Plain,
}

/// What a piece of text is, for the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// Something is wrong.
    Bad,
    /// Something is open.
    Doubtful,
    /// Less important than its surroundings.
    Faint,
    /// More important than its surroundings.
    Strong,
    /// Like its surroundings.
    Usual,
}

impl Palette {
    /// Paints `text`, which must not hold escapes of its own.
    #[must_use]
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Doubtful => "33",
            Tone::Faint => "2",
            Tone::Strong => "1",
            Tone::Usual => return text.to_owned(),
        };
        match self {
            Self::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

impl From<Kind> for Tone {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Requirement => Self::Strong,
            Kind::Found | Kind::Fault => Self::Bad,
            Kind::Doubt => Self::Doubtful,
            Kind::Why | Kind::Process | Kind::Gap | Kind::Where => Self::Faint,
            Kind::Expected | Kind::Exchange | Kind::Row | Kind::Command => Self::Usual,
        }
    }
}

impl From<Standing> for Tone {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Pass => Self::Good,
            Standing::Violation => Self::Bad,
            Standing::Error | Standing::Inconclusive | Standing::Expected => Self::Doubtful,
            Standing::NotApplicable => Self::Faint,
        }
    }
}
