//! Appending to a history while the run goes on: in memory for the oracles, and line by line on disk
//! so that a run that ends badly leaves a readable beginning.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::stored::Header;
use super::{Event, History, Moment, What};

/// The most events a run may record; a run that reaches it is ended with [`RecorderError::Full`].
const EVENTS_MAX: usize = 5_000_000;

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
}

/// Records events. Shared by all tasks of a run.
#[derive(Debug)]
pub struct Recorder {
    start: Instant,
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    events: Vec<Event>,
    file: BufWriter<File>,
    /// Events below this index are in the file's buffer.
    written: usize,
    failure: Option<RecorderError>,
}

impl Recorder {
    /// Starts a history in a new file at `path`. The run's clock starts now.
    ///
    /// # Errors
    /// When the file cannot be created or its header cannot be written.
    pub fn create(path: &Path) -> Result<Self, RecorderError> {
        let failed = |error: io::Error| write_error(path, &error);
        let mut file = BufWriter::new(File::create(path).map_err(failed)?);
        serde_json::to_writer(&mut file, &Header::current()).map_err(|e| failed(e.into()))?;
        file.write_all(b"\n").and_then(|()| file.flush()).map_err(failed)?;
        let inner = Inner { events: Vec::new(), file, written: 0, failure: None };
        Ok(Self { start: Instant::now(), path: path.to_owned(), inner: Mutex::new(inner) })
    }

    /// The time now on the run's clock.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Appends an event stamped now. Never blocks on the disk; a failure is kept for [`Recorder::flush`].
    pub fn record(&self, what: What) -> Moment {
        let mut inner = self.lock();
        // Stamped under the lock, so that the order of events is the order of their stamps.
        let at = self.now();
        if inner.events.len() >= EVENTS_MAX {
            inner.failure.get_or_insert(RecorderError::Full);
        } else {
            inner.events.push(Event { at, what });
        }
        at
    }

    /// Writes what has been recorded since the last flush to the file.
    ///
    /// # Errors
    /// The first failure since the start; every later call reports it again.
    pub fn flush(&self) -> Result<(), RecorderError> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        if inner.failure.is_none()
            && let Err(error) = append(&mut inner.file, &inner.events[inner.written..])
        {
            inner.failure = Some(write_error(&self.path, &error));
        }
        inner.written = inner.events.len();
        inner.failure.clone().map_or(Ok(()), Err)
    }

    /// Calls `read` with all events so far.
    pub fn with_events<T>(&self, read: impl FnOnce(&[Event]) -> T) -> T {
        read(&self.lock().events)
    }

    /// Flushes and hands over the history.
    ///
    /// # Errors
    /// As [`Recorder::flush`].
    pub fn finish(&self) -> Result<History, RecorderError> {
        self.flush()?;
        Ok(History { events: std::mem::take(&mut self.lock().events) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere must not lose the history: the events are whole after every push.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(file: &mut BufWriter<File>, events: &[Event]) -> io::Result<()> {
    for event in events {
        serde_json::to_writer(&mut *file, event)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}

fn write_error(path: &Path, error: &io::Error) -> RecorderError {
    RecorderError::Write { path: path.to_owned(), why: error.to_string() }
}
