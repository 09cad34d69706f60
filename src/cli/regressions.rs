//! The findings that are kept beside a service, where they are run and listed.

use std::path::Path;
use std::sync::Arc;

use super::failure::Failure;
use crate::explore::regression::{Kept, RegressionError, read_all};
use crate::runner::{CaseFile, Planned, fits};
use crate::target::Target;

/// How to go on when a file is in the way.
const NEXT: &str = "mend or remove the file; `fireassay run --no-regressions` leaves all of them out";

/// Every regression in a folder, in the order of their paths.
pub(crate) fn kept(folder: &Path) -> Result<Vec<Kept>, Failure> {
    read_all(folder).map_err(|error| match error {
        RegressionError::Unfit { .. } => Failure::usage(error.to_string(), NEXT),
        RegressionError::Read { .. } | RegressionError::Write { .. } => {
            Failure::environment(error.to_string(), "see the folder's path and rights")
        }
    })
}

/// The runs that replay a regression, as many as its rate asks for.
///
/// # Errors
/// When it does not fit the target; names the file.
pub(crate) fn planned(kept: &Kept, target: &Target) -> Result<Vec<Planned>, Failure> {
    let case = CaseFile { regression: Some(kept.hash.clone()), ..kept.regression.case.clone() };
    fits(&case, target).map_err(|why| {
        let unfit = RegressionError::Unfit { path: kept.path.clone(), why: why.to_string() };
        Failure::usage(unfit.to_string().replace("is not a regression", "is not a regression of this target"), NEXT)
    })?;
    let case = Arc::new(case);
    Ok((0..kept.regression.times()).map(|_| Planned::stored(Arc::clone(&case))).collect())
}
