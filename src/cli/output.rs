//! Where text goes. What a command was asked for goes to stdout; everything that accompanies it to stderr.

use std::io::{self, ErrorKind, IsTerminal, Write};

use super::failure::Failure;
use crate::report::style::Palette;
use crate::report::text::lines;

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// The palette for what goes to stdout.
    pub(super) fn for_stdout(self) -> Palette {
        self.palette(io::stdout().is_terminal())
    }

    /// The palette for what goes to stderr.
    pub(super) fn for_stderr(self) -> Palette {
        self.palette(io::stderr().is_terminal())
    }

    fn palette(self, is_terminal: bool) -> Palette {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match self {
            Self::Always => Palette::Colour,
            Self::Auto if is_terminal && !set("NO_COLOR") && !dumb => Palette::Colour,
            Self::Auto | Self::Never => Palette::Plain,
        }
    }
}

/// Writes the answer. A reader that has seen enough, as `head`, is no failure.
pub(super) fn answer(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::environment(format!("failed to write to stdout: {error}"), "see where the output is sent to"))
        }
        _ => Ok(()),
    }
}

/// Writes what is wrong and what to do next. It may quote a manifest or the output of a program, line by line.
pub(super) fn failure(failure: &Failure) {
    /// Longer than any line of ours.
    const LINE_CHARS_MAX: usize = 2_000;
    note(&format!("error: {}\n next: {}", lines(&failure.what, LINE_CHARS_MAX).join("\n"), failure.next));
}

/// Writes a line beside the answer. There is nobody left to tell when this fails.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
