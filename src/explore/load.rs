//! What a user names to have it run again: a run's folder, its `case.json`, or a regression.

use std::path::{Path, PathBuf};

use super::Signature;
use super::regression::{self, RegressionError};
use crate::history::History;
use crate::judgement::Verdict;
use crate::profile;
use crate::report::stored::{StoredRun, StoredRunError, read_case, read_run};
use crate::runner::{CaseFile, Judged, conclude};

/// A case that was stored, with what is known of the run that it was.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The case.
    pub case: CaseFile,
    /// What it violated; empty: nothing, or nobody knows.
    pub violated: Signature,
    /// The run itself, where its history is there.
    pub run: Option<Evidence>,
}

/// What a stored run shows.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Its folder.
    pub directory: PathBuf,
    /// What happened.
    pub history: History,
    /// What today's oracles find in it.
    pub findings: Vec<Judged>,
    /// What it comes to.
    pub verdict: Verdict,
}

/// Why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is no stored run.
    #[error(transparent)]
    Run(#[from] StoredRunError),
    /// It is no regression.
    #[error(transparent)]
    Regression(#[from] RegressionError),
    /// It is of a profile that there is not.
    #[error("{path} is of the profile `{profile}`, which this fireassay does not have")]
    Profile {
        /// What was named.
        path: PathBuf,
        /// The profile.
        profile: String,
    },
}

/// Reads what is at `path`. A folder without a history is taken as its case alone.
///
/// # Errors
/// When there is nothing that can be run again.
pub fn load(path: &Path) -> Result<Stored, LoadError> {
    if path.is_dir() {
        return load_folder(path);
    }
    if path.file_name().is_some_and(|name| name == "case.json") {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return load_folder(folder);
    }
    // Anything else may be a case under another name; a regression says what it is.
    match regression::read(path) {
        Ok(kept) => {
            let case = CaseFile { regression: Some(kept.hash), ..kept.regression.case };
            Ok(Stored { case, violated: kept.regression.violated, run: None })
        }
        Err(unfit) => match read_case(path) {
            Ok(case) => Ok(Stored { case, violated: Signature::default(), run: None }),
            Err(_) => Err(unfit.into()),
        },
    }
}

fn load_folder(folder: &Path) -> Result<Stored, LoadError> {
    if !folder.join("history.jsonl").exists() {
        let case = read_case(&folder.join("case.json"))?;
        return Ok(Stored { case, violated: Signature::default(), run: None });
    }
    let StoredRun { case, history } = read_run(folder)?;
    let profile = profile::named(&case.profile)
        .ok_or_else(|| LoadError::Profile { path: folder.to_owned(), profile: case.profile.clone() })?;
    let conclusion = conclude(profile, &case, &history);
    let violated = Signature::of(&conclusion.findings);
    let run =
        Evidence { directory: folder.to_owned(), history, findings: conclusion.findings, verdict: conclusion.verdict };
    Ok(Stored { case, violated, run: Some(run) })
}
