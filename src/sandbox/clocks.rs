//! The clocks of a run: one for each instance whose clock its plan changes, and none for the others.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Stack;
use crate::clock::{Clock, Library, LibraryError, Unloadable, loadable};
use crate::history::InstanceName;

/// Why a clock could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// The library could not be written out.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The page could not be made.
    #[error("failed to make the clock of {instance} in {}: {why}", folder.display())]
    Page {
        /// Whose.
        instance: InstanceName,
        /// Where.
        folder: PathBuf,
        /// The system's reason.
        why: io::Error,
    },
}

/// The clocks of a run.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    wanted: BTreeSet<InstanceName>,
    made: BTreeMap<InstanceName, Result<Arc<Clock>, Unloadable>>,
    library: Option<Library>,
}

impl Clocks {
    /// Clocks for these instances, once each is known. Writes the library out, if there are any.
    pub(super) fn of(wanted: BTreeSet<InstanceName>, stack: &Stack, logs: &Path) -> Result<Self, ClockError> {
        if wanted.is_empty() {
            return Ok(Self::default());
        }
        let temporary = std::env::temp_dir();
        let library = Library::write(&[stack.directory(), &temporary, logs])?;
        stack.processes().guard_directory(library.folder());
        Ok(Self { wanted, made: BTreeMap::new(), library: Some(library) })
    }

    /// Gives an instance that runs this program its clock through its environment, if it is to have one.
    pub(super) fn equip(
        &mut self,
        name: &InstanceName,
        program: &Path,
        env: &mut Vec<(String, String)>,
    ) -> Result<(), ClockError> {
        let Some(library) = self.library.as_ref().filter(|_| self.wanted.contains(name)) else { return Ok(()) };
        let clock = match loadable(program) {
            Err(why) => Err(why),
            Ok(()) => {
                let folder = library.folder();
                let made = Clock::create(library, &folder.join(name.to_string()));
                let failed = |why| ClockError::Page { instance: name.clone(), folder: folder.to_owned(), why };
                let clock = Arc::new(made.map_err(failed)?);
                clock.add_to(env);
                Ok(clock)
            }
        };
        self.made.insert(name.clone(), clock);
        Ok(())
    }

    /// The clock of an instance, or why it cannot have one; `None` when it was to have none.
    pub(super) fn get(&self, name: &InstanceName) -> Option<&Result<Arc<Clock>, Unloadable>> {
        self.made.get(name)
    }
}
