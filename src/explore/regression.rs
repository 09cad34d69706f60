//! Findings worth keeping: `regressions/<case>/<hash>.json`, committed beside the service and run before everything else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Signature;
use super::shrink::{Rate, Share, WRONG_REJECTIONS};
use crate::runner::{CASE_FORMAT, CaseFile, is_whole};

/// Version of the files.
pub const REGRESSION_FORMAT: u32 = 1;

/// Where they are unless told.
pub const FOLDER: &str = "regressions";

/// Hexadecimal digits of the hash that are in a file's name.
const HASH_DIGITS: usize = 12;

/// The most replays of one regression among other runs; `fireassay replay` does more of them.
const REPLAYS_MAX: u32 = 5;

/// The largest file that is read, in bytes: a whole case with thousands of steps is far smaller.
const BYTES_MAX: u64 = 16 << 20;

/// The most files that are read of one folder.
const FILES_MAX: usize = 10_000;

/// A finding that is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    /// [`REGRESSION_FORMAT`].
    pub fireassay_regression: u32,
    /// What went wrong, for people, in one line.
    pub title: String,
    /// What it violated when it was found: requirements and the kinds of their anomalies.
    pub violated: Signature,
    /// How often it showed when it was kept; `None`: nobody counted.
    #[serde(default)]
    pub reproduced: Option<Share>,
    /// What has to be done to see it.
    pub case: CaseFile,
}

/// A regression and the file it is in.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The file.
    pub path: PathBuf,
    /// Its name without `.json`: the hash.
    pub hash: String,
    /// What is in it.
    pub regression: Regression,
}

/// Why a file is no regression; names the file and the reason.
#[derive(Debug, thiserror::Error)]
pub enum RegressionError {
    /// It cannot be read.
    #[error("failed to read {path}: {source}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("failed to write {path}: {source}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is something else, or damaged.
    #[error("{path} is not a regression: {why}")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl Regression {
    /// Keeps a case that violated this, to be judged by these requirements alone.
    #[must_use]
    pub fn new(title: String, violated: Signature, reproduced: Option<Share>, case: CaseFile) -> Self {
        let mut case = CaseFile { regression: None, ..case };
        case.requirements.retain(|requirement| violated.0.contains_key(&requirement.id));
        Self { fireassay_regression: REGRESSION_FORMAT, title, violated, reproduced, case }
    }

    /// How many replays it takes to believe that it does not show any more.
    #[must_use]
    pub fn times(&self) -> u32 {
        let rate = self.reproduced.filter(|share| share.hits > 0);
        rate.map_or(1, |share| {
            Rate::measured(share.hits, share.runs).misses_to_reject(WRONG_REJECTIONS).min(REPLAYS_MAX)
        })
    }

    /// The same for the same work, faults and findings, whichever version stored it and wherever the target was.
    ///
    /// # Errors
    /// When the case cannot be written as JSON, as a probability that is not a number.
    pub fn hash(&self) -> Result<String, serde_json::Error> {
        let case = &self.case;
        let text =
            serde_json::to_vec(&(&case.profile, &case.case, &self.violated, &case.env, &case.script, &case.plan))?;
        let digest = Sha256::digest(&text);
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(digits.chars().take(HASH_DIGITS).collect())
    }

    /// Writes it to `<folder>/<case>/<hash>.json`; gives back the path. The same finding gives the same file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, RegressionError> {
        let failed = |path: &Path, source: io::Error| RegressionError::Write { path: path.to_owned(), source };
        let hash = self.hash().map_err(|error| failed(folder, error.into()))?;
        let folder = folder.join(&self.case.case);
        fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        let path = folder.join(format!("{hash}.json"));
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| failed(&path, error.into()))?;
        text.push(b'\n');
        fs::write(&path, text).map_err(|error| failed(&path, error))?;
        Ok(path)
    }
}

/// Reads one file.
///
/// # Errors
/// When it cannot be read, is no regression, or speaks of what is not in it.
pub fn read(path: &Path) -> Result<Kept, RegressionError> {
    /// Read first, so that a newer file is told apart from a damaged one.
    #[derive(Deserialize)]
    struct Head {
        fireassay_regression: u32,
    }
    let failed = |source| RegressionError::Read { path: path.to_owned(), source };
    let unfit = |why: String| RegressionError::Unfit { path: path.to_owned(), why };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > BYTES_MAX {
        return Err(unfit(format!("it has {size} bytes, and {BYTES_MAX} are the most")));
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let head: Head = serde_json::from_str(&text).map_err(|error| unfit(error.to_string()))?;
    if head.fireassay_regression != REGRESSION_FORMAT {
        let found = head.fireassay_regression;
        return Err(unfit(format!("it has format {found}, and this fireassay reads {REGRESSION_FORMAT}")));
    }
    let regression: Regression = serde_json::from_str(&text).map_err(|error| unfit(error.to_string()))?;
    if regression.case.fireassay_case != CASE_FORMAT {
        let found = regression.case.fireassay_case;
        return Err(unfit(format!("its case has format {found}, and this fireassay reads {CASE_FORMAT}")));
    }
    is_whole(&regression.case).map_err(|why| unfit(why.to_string()))?;
    let hash = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Kept { path: path.to_owned(), hash, regression })
}

/// Every regression below a folder, in the order of their paths; none where there is no such folder.
///
/// # Errors
/// The first file that cannot be used, or that lies in the folder of another case.
pub fn read_all(folder: &Path) -> Result<Vec<Kept>, RegressionError> {
    let mut paths = Vec::new();
    for case in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let files = entries(&case)?.into_iter();
        paths.extend(files.filter(|path| path.extension().is_some_and(|extension| extension == "json")));
        if paths.len() > FILES_MAX {
            let why = format!("there are more than {FILES_MAX} files");
            return Err(RegressionError::Unfit { path: folder.to_owned(), why });
        }
    }
    let read_in_place = |path: &PathBuf| {
        let kept = read(path)?;
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
        if folder.to_string_lossy() == kept.regression.case.case {
            return Ok(kept);
        }
        let why = format!("it is of the case `{}`, and belongs into a folder of that name", kept.regression.case.case);
        Err(RegressionError::Unfit { path: path.clone(), why })
    };
    paths.iter().map(read_in_place).collect()
}

/// What is in a folder, sorted; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, RegressionError> {
    let failed = |source| RegressionError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{case_file, judged};

    fn regression() -> Regression {
        Regression::new("a debit twice".into(), Signature::of(&[judged("ledger.once", true)]), None, case_file())
    }

    #[test]
    fn the_same_finding_has_the_same_name_wherever_it_was_found() {
        let hash = regression().hash().expect("a hash");
        let mut elsewhere = regression();
        elsewhere.title = "twice".into();
        (elsewhere.case.tool, elsewhere.case.target) = ("9.9".into(), "acme".into());
        elsewhere.case.manifest = "elsewhere".into();
        assert_eq!(elsewhere.hash().expect("a hash"), hash);
        // Stored names: a change of this is a change of the format.
        assert_eq!(hash, "bc66a6179a61");
        let mut other = regression();
        other.case.plan.steps.clear();
        assert_ne!(other.hash().expect("a hash"), hash);
    }

    #[test]
    fn the_rarer_it_shows_the_more_often_it_is_replayed() {
        let times = |reproduced| Regression { reproduced, ..regression() }.times();
        let share = |hits, runs| Some(Share { hits, runs });
        assert_eq!([None, share(5, 5), share(3, 5), share(1, 9)].map(times), [1, 2, 4, REPLAYS_MAX]);
    }

    #[test]
    fn it_is_judged_by_what_it_violated_alone() {
        let ids: Vec<_> = regression().case.requirements.into_iter().map(|it| it.id).collect();
        assert_eq!(ids, ["ledger.once"]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(read_all(&folder.path().join("none")).expect("no folder is no mistake"), []);
        let path = regression().write(folder.path()).expect("written");
        let all = read_all(folder.path()).expect("read");
        assert_eq!(all.len(), 1);
        assert_eq!((&all[0].path, &all[0].regression), (&path, &regression()));
        assert!(path.starts_with(folder.path().join("retries")) && path.ends_with(format!("{}.json", all[0].hash)));
    }

    #[track_caller]
    fn check_unfit(spoil: impl Fn(String) -> String, expected: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = regression().write(folder.path()).expect("written");
        fs::write(&path, spoil(fs::read_to_string(&path).expect("read"))).expect("written");
        let why = read_all(folder.path()).expect_err("it is spoiled").to_string();
        assert!(why.starts_with(&format!("{} is not a regression: ", path.display())), "{why}");
        assert!(why.contains(expected), "{why}");
    }

    #[test]
    fn a_file_that_does_not_fit_is_named_with_the_reason() {
        check_unfit(|_| "{".into(), "line 1 column 1");
        check_unfit(|text| text.replace("\"fireassay_regression\": 1", "\"fireassay_regression\": 9"), "format 9");
        check_unfit(|text| text.replace("\"case\": \"retries\"", "\"case\": \"calm\""), "folder of that name");
        let waits = r#""after": {"step": 4, "pause": "1s"}"#;
        check_unfit(|text| text.replacen(r#""operations": 1"#, waits, 1), "waits for fault 5");
    }
}
