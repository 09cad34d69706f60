//! The stored form of a history: a header line with the format's version, then one JSON object a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Event, History};

/// Version of the stored form; raised by every change that an older reader could misread.
pub const FORMAT_VERSION: u32 = 2;

/// The longest line that is read, in bytes.
const LINE_BYTES_MAX: usize = 256 << 20;

/// First line of the file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    fireassay_history: u32,
    tool: String,
}

impl Header {
    pub(super) fn current() -> Self {
        Self { fireassay_history: FORMAT_VERSION, tool: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// Why a stored history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The file cannot be opened or read.
    #[error("failed to read the history {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The first line is not the header of a history.
    #[error("{path} is not a history of fireassay: its first line is not a header")]
    NotAHistory {
        /// The file.
        path: PathBuf,
    },
    /// Another version of the format.
    #[error(
        "{path} has format {found}, this fireassay reads {FORMAT_VERSION}; use the version of fireassay that wrote it ({tool})"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: u32,
        /// The version of the tool that wrote it.
        tool: String,
    },
    /// A line in the middle is damaged.
    #[error("{path}:{line}: {why}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

/// Reads a stored history. A last line that was cut short, as after a crash of the harness, is left out.
///
/// # Errors
/// When the file is missing, is no history, has another version or is damaged before its last line.
pub fn read_history(path: &Path) -> Result<History, StoredError> {
    let failed = |source| StoredError::Read { path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut line = Vec::new();
    read_line(&mut reader, &mut line).map_err(failed)?;
    let header: Header =
        serde_json::from_slice(&line).map_err(|_| StoredError::NotAHistory { path: path.to_owned() })?;
    if header.fireassay_history != FORMAT_VERSION {
        return Err(StoredError::Version { path: path.to_owned(), found: header.fireassay_history, tool: header.tool });
    }
    let mut events = Vec::new();
    for number in 2.. {
        read_line(&mut reader, &mut line).map_err(failed)?;
        let whole = line.ends_with(b"\n");
        let damaged = |why: String| StoredError::Line { path: path.to_owned(), line: number, why };
        if line.is_empty() {
            break;
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(damaged(format!("longer than {LINE_BYTES_MAX} bytes")));
        }
        match serde_json::from_slice::<Event>(&line) {
            Ok(event) => events.push(event),
            // Also one that was cut inside a character.
            Err(_) if !whole => break,
            Err(error) => return Err(damaged(error.to_string())),
        }
    }
    Ok(History { events })
}

/// Reads the next line with its end into `line`, and of a line that is too long only as much as it takes to see that.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    reader.take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', line)
}
