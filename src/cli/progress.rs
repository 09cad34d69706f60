//! What is shown while runs go on: bars on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::output;
use crate::report::style::{Palette, Tone};
use crate::report::terminal::{case_line, seconds};
use crate::report::text::{piece, sentence};
use crate::runner::{Progress, Sink, Step};

/// The sink that fits stderr.
pub(super) fn sink(palette: Palette) -> Box<dyn Sink> {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if stderr().is_terminal() && !dumb {
        Box::new(Bars { palette, all: MultiProgress::new(), open: Mutex::default() })
    } else {
        Box::new(Lines { palette })
    }
}

/// A line for what ends, nothing for what goes on: for logs.
#[derive(Debug)]
struct Lines {
    palette: Palette,
}

impl Sink for Lines {
    fn progress(&self, progress: Progress) {
        match progress {
            Progress::Preparing(what) => output::note(&self.palette.paint(Tone::Faint, &sentence(&what))),
            Progress::Note(text) => output::note(&sentence(&text)),
            Progress::StackReady { took } => output::note(&self.palette.paint(Tone::Faint, &stack_ready(took))),
            Progress::Started { .. } | Progress::Stepped { .. } => {}
            Progress::Finished { report, .. } => output::note(&case_line(&report, self.palette)),
        }
    }
}

/// A spinner for each run under way, with finished runs above.
#[derive(Debug)]
struct Bars {
    palette: Palette,
    all: MultiProgress,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    stack: Option<ProgressBar>,
    runs: HashMap<usize, (ProgressBar, Words)>,
}

impl Bars {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spinner(&self) -> ProgressBar {
        let bar = self.all.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}  {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    fn print(&self, text: &str) {
        // The terminal may have gone away; the run goes on all the same.
        let _ = self.all.println(text);
    }
}

impl Sink for Bars {
    fn progress(&self, progress: Progress) {
        let mut open = self.open();
        match progress {
            Progress::Preparing(what) => {
                open.stack.get_or_insert_with(|| self.spinner()).set_message(piece(&what));
            }
            Progress::Note(text) => self.print(&sentence(&text)),
            Progress::StackReady { took } => {
                if let Some(bar) = open.stack.take() {
                    bar.finish_and_clear();
                }
                self.print(&self.palette.paint(Tone::Faint, &stack_ready(took)));
            }
            Progress::Started { run, case, seed, total } => {
                let bar = self.spinner();
                bar.set_prefix(format!("{}/{total} {} seed {seed}", run + 1, piece(&case)));
                open.runs.insert(run, (bar, Words::default()));
            }
            Progress::Stepped { run, step } => {
                if let Some((bar, words)) = open.runs.get_mut(&run) {
                    bar.set_message(words.of(&step));
                }
            }
            Progress::Finished { run, report } => {
                if let Some((bar, _)) = open.runs.remove(&run) {
                    bar.finish_and_clear();
                }
                self.print(&case_line(&report, self.palette));
            }
        }
    }
}

fn stack_ready(took: Duration) -> String {
    format!("stack ready in {}", seconds(took))
}

/// What is said of a run under way.
#[derive(Debug, Default)]
struct Words {
    /// The last fault: the load goes on at once, and nobody would see it otherwise.
    fault: String,
}

impl Words {
    fn of(&mut self, step: &Step) -> String {
        match step {
            Step::Reset => "making the sandbox".into(),
            Step::Starting => "starting the target".into(),
            Step::Setup => "setting up".into(),
            Step::Load { sent, of } => format!("load: {sent} of {of} sent{}", self.fault),
            Step::Fault(fault) => {
                self.fault = format!("  ✂ {}", piece(fault));
                self.fault.trim_start().into()
            }
            Step::Settling(pending) => format!("settling: {}", piece(pending)),
            Step::Audit => "reading everything back".into(),
            Step::Judging => "judging".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_still_to_be_seen_when_the_load_goes_on() {
        let mut words = Words::default();
        let mut said = |step| words.of(&step);
        assert_eq!(said(Step::Load { sent: 3, of: 9 }), "load: 3 of 9 sent");
        assert_eq!(said(Step::Fault("kill api-2\u{1b}".into())), "✂ kill api-2\\u{1b}");
        assert_eq!(said(Step::Load { sent: 4, of: 9 }), "load: 4 of 9 sent  ✂ kill api-2\\u{1b}");
        assert_eq!(said(Step::Settling("2 events".into())), "settling: 2 events");
    }
}
