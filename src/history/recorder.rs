//! Appending to a history while the run goes on: in memory for the oracles, and line by line on disk
//! so that a run that ends badly leaves a readable beginning.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::stored::Header;
use super::{Event, History, Moment, What};

/// The most events a run may record; a run that reaches it is ended with [`RecorderError::Full`].
const EVENTS_MAX: usize = 5_000_000;

/// The most bytes that a run's stored events may have: a few events of a megabyte each add up, too. In memory they take
/// several times as much.
const BYTES_MAX: usize = 1 << 30;

/// Why the history could not be kept. The run must end: its verdict would rest on less than what happened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RecorderError {
    /// The file could not be written.
    #[error(
        "failed to write the history {path}: {why}; free some space there or choose another folder with --runs-dir"
    )]
    Write {
        /// The history's file.
        path: PathBuf,
        /// The system's reason.
        why: String,
    },
    /// The limit on events was reached.
    #[error("the history reached its limit of {EVENTS_MAX} events; use a smaller workload")]
    Full,
    /// The limit on bytes was reached.
    #[error(
        "the history reached its limit of {} MiB; use a smaller workload, or have it read everything back less often \
         (`read_every` in the suite)",
        BYTES_MAX >> 20
    )]
    TooLarge,
}

/// Records events. Shared by all tasks of a run.
#[derive(Debug)]
pub struct Recorder {
    start: Instant,
    path: PathBuf,
    bytes_max: usize,
    inner: Mutex<Inner>,
    /// Locked apart from the events, so that recording never waits for the disk.
    file: Mutex<File>,
}

#[derive(Debug, Default)]
struct Inner {
    events: Vec<Event>,
    /// The length of all their lines.
    bytes: usize,
    /// Lines that are not in the file yet.
    unwritten: Vec<u8>,
    failure: Option<RecorderError>,
}

impl Recorder {
    /// Starts a history in a new file at `path`. The run's clock starts now.
    ///
    /// # Errors
    /// When the file cannot be created or its header cannot be written.
    pub fn create(path: &Path) -> Result<Self, RecorderError> {
        let failed = |error: io::Error| write_error(path, &error);
        let mut file = File::create(path).map_err(failed)?;
        let mut header = serde_json::to_vec(&Header::current()).map_err(|e| failed(e.into()))?;
        header.push(b'\n');
        file.write_all(&header).map_err(failed)?;
        let (inner, file) = (Mutex::default(), Mutex::new(file));
        Ok(Self { start: Instant::now(), path: path.to_owned(), bytes_max: BYTES_MAX, inner, file })
    }

    /// The time now on the run's clock.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Appends an event stamped now. Never waits for the disk; a failure is kept for [`Recorder::flush`].
    pub fn record(&self, what: What) -> Moment {
        let mut guard = lock(&self.inner);
        let inner = &mut *guard;
        // Stamped under the lock, so that the order of events is the order of their stamps.
        let at = self.now();
        if inner.events.len() >= EVENTS_MAX {
            inner.failure.get_or_insert(RecorderError::Full);
            return at;
        }
        let event = Event { at, what };
        let before = inner.unwritten.len();
        if let Err(error) = serde_json::to_writer(&mut inner.unwritten, &event) {
            inner.failure.get_or_insert(write_error(&self.path, &error.into()));
        }
        inner.unwritten.push(b'\n');
        let bytes = inner.bytes + inner.unwritten.len() - before;
        if bytes > self.bytes_max {
            inner.unwritten.truncate(before);
            inner.failure.get_or_insert(RecorderError::TooLarge);
            return at;
        }
        inner.bytes = bytes;
        inner.events.push(event);
        at
    }

    /// Writes what has been recorded since the last flush to the file.
    ///
    /// # Errors
    /// The first failure since the start; every later call reports it again.
    pub fn flush(&self) -> Result<(), RecorderError> {
        let mut file = lock(&self.file);
        let lines = {
            let mut inner = lock(&self.inner);
            inner.failure.clone().map_or(Ok(()), Err)?;
            std::mem::take(&mut inner.unwritten)
        };
        file.write_all(&lines).map_err(|error| {
            let failure = write_error(&self.path, &error);
            lock(&self.inner).failure.get_or_insert(failure).clone()
        })
    }

    /// Calls `read` with all events so far. Recording waits meanwhile.
    pub fn with_events<T>(&self, read: impl FnOnce(&[Event]) -> T) -> T {
        read(&lock(&self.inner).events)
    }

    /// A copy of everything so far.
    #[must_use]
    pub fn snapshot(&self) -> History {
        self.with_events(|events| History { events: events.to_vec() })
    }
}

/// A panic elsewhere must not lose the history: it is whole after every push.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_error(path: &Path, error: &io::Error) -> RecorderError {
    RecorderError::Write { path: path.to_owned(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{End, read_history};

    #[test]
    fn a_history_is_read_back_as_it_was_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let recorder = Recorder::create(&path).unwrap();
        recorder.record(What::Note { text: "one\ntwo".into() });
        recorder.record(What::End { why: End::Completed });
        recorder.flush().unwrap();
        assert_eq!(read_history(&path).unwrap(), recorder.snapshot());
    }

    #[test]
    fn a_history_that_was_cut_off_keeps_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let recorder = Recorder::create(&path).unwrap();
        for text in ["one", "two"] {
            recorder.record(What::Note { text: text.into() });
        }
        recorder.flush().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
        let history = read_history(&path).unwrap();
        assert_eq!(history.events.len(), 1);
        assert_eq!(history.end(), None);
    }

    #[test]
    fn a_history_cut_inside_a_character_keeps_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let recorder = Recorder::create(&path).unwrap();
        for text in ["one", "zwölf"] {
            recorder.record(What::Note { text: text.into() });
        }
        recorder.flush().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let cut = bytes.iter().position(|byte| !byte.is_ascii()).unwrap();
        std::fs::write(&path, &bytes[..=cut]).unwrap();
        assert_eq!(read_history(&path).unwrap().events.len(), 1);
    }

    #[test]
    fn a_history_of_too_many_bytes_is_ended_with_what_fitted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let recorder = Recorder { bytes_max: 2_000, ..Recorder::create(&path).unwrap() };
        recorder.record(What::Note { text: "small".into() });
        recorder.flush().unwrap();
        recorder.record(What::Note { text: "x".repeat(2_000) });
        let error = recorder.flush().unwrap_err();
        assert!(error.to_string().contains("1024 MiB"), "{error}");
        assert_eq!(read_history(&path).unwrap(), recorder.snapshot());
        assert_eq!(recorder.with_events(<[Event]>::len), 1);
    }

    #[test]
    fn a_full_disk_is_an_error_that_stays() {
        // /dev/full takes no byte; the header is the first that it refuses.
        let error = Recorder::create(Path::new("/dev/full")).unwrap_err();
        assert!(error.to_string().contains("No space left"), "{error}");
        assert!(error.to_string().contains("--runs-dir"), "{error}");
    }
}
