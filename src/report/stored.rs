//! Reading a run's folder: `case.json` and `history.jsonl`.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use crate::history::{History, StoredError, read_history};
use crate::runner::{CASE_FORMAT, CaseFile, CaseReport};

/// A stored run.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// What was decided before it started.
    pub case: CaseFile,
    /// What happened.
    pub history: History,
}

/// Why a stored run cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoredRunError {
    /// `case.json` cannot be opened.
    #[error("failed to read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// `case.json` is no case.
    #[error("{path} is not the case of a fireassay run: {why}")]
    NotACase {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        why: serde_json::Error,
    },
    /// Another version of the format.
    #[error(
        "{path} has format {found}, this fireassay reads {CASE_FORMAT}; use the version of fireassay that wrote it ({tool})"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: u32,
        /// The version of the tool that wrote it.
        tool: String,
    },
    /// The history cannot be used.
    #[error(transparent)]
    History(#[from] StoredError),
}

/// Reads the run in this folder.
///
/// # Errors
/// When a file is missing, damaged or of another version.
pub fn read_run(directory: &Path) -> Result<StoredRun, StoredRunError> {
    let case = read_case(&directory.join("case.json"))?;
    Ok(StoredRun { case, history: read_history(&directory.join("history.jsonl"))? })
}

/// Reads the `result.json` of the run in this folder.
///
/// # Errors
/// When it is missing or damaged.
pub fn read_result(directory: &Path) -> Result<CaseReport, StoredRunError> {
    let path = directory.join("result.json");
    let text = std::fs::read_to_string(&path).map_err(|source| StoredRunError::Read { path: path.clone(), source })?;
    serde_json::from_str(&text).map_err(|why| StoredRunError::NotACase { path, why })
}

/// Reads a `case.json`.
///
/// # Errors
/// When it is missing, damaged or of another version.
pub fn read_case(path: &Path) -> Result<CaseFile, StoredRunError> {
    /// Read first, so that a newer file is told apart from a damaged one.
    #[derive(serde::Deserialize)]
    struct Head {
        fireassay_case: u32,
        tool: String,
    }
    let text = File::open(path)
        .and_then(|file| io::read_to_string(BufReader::new(file)))
        .map_err(|source| StoredRunError::Read { path: path.to_owned(), source })?;
    let not_a_case = |why| StoredRunError::NotACase { path: path.to_owned(), why };
    let head: Head = serde_json::from_str(&text).map_err(not_a_case)?;
    if head.fireassay_case != CASE_FORMAT {
        let tool = super::text::piece(&head.tool);
        return Err(StoredRunError::Version { path: path.to_owned(), found: head.fireassay_case, tool });
    }
    serde_json::from_str(&text).map_err(not_a_case)
}
