//! Stored runs: read back and judged again, without a target.

use std::io;
use std::path::{Path, PathBuf};

use super::{CASE_FORMAT, CaseFile, Judgement, judge};
use crate::history::{History, StoredError, read_history};
use crate::profile;

/// A run as it lies on disk.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// What was decided before it started.
    pub case: CaseFile,
    /// What happened.
    pub history: History,
}

/// Why a stored run cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file of the run cannot be read.
    #[error("failed to read {path}: {source}; give the folder of a run, as below target/fireassay/runs")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// `case.json` is damaged.
    #[error("{path}: {why}; was it written by another version of fireassay?")]
    Case {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// `case.json` has another version.
    #[error(
        "{path} has format {found}, this fireassay reads {CASE_FORMAT}; use the version of fireassay that wrote it"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: u64,
    },
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] StoredError),
    /// The profile is unknown.
    #[error("this fireassay has no profile `{0}`")]
    Profile(String),
}

impl StoredRun {
    /// Reads the run in `folder`.
    ///
    /// # Errors
    /// When a file is missing, damaged or of another version.
    pub fn read(folder: &Path) -> Result<Self, CheckError> {
        let path = folder.join("case.json");
        let text = std::fs::read_to_string(&path).map_err(|source| CheckError::Read { path: path.clone(), source })?;
        let damaged = |error: serde_json::Error| CheckError::Case { path: path.clone(), why: error.to_string() };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(damaged)?;
        match value.get("fireassay_case").and_then(serde_json::Value::as_u64) {
            Some(found) if found != u64::from(CASE_FORMAT) => return Err(CheckError::Version { path, found }),
            _ => {}
        }
        let case = serde_json::from_value(value).map_err(damaged)?;
        Ok(Self { case, history: read_history(&folder.join("history.jsonl"))? })
    }

    /// Runs the oracles on it.
    ///
    /// # Errors
    /// When its profile is unknown to this version.
    pub fn judge(&self) -> Result<Judgement, CheckError> {
        let profile =
            profile::named(&self.case.profile).ok_or_else(|| CheckError::Profile(self.case.profile.clone()))?;
        Ok(judge(profile, &self.case, &self.history))
    }
}
