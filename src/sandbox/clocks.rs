//! The clocks of a run: one for each instance whose clock its plan changes, and none for the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// Clocks for these instances, once each is known. If there are any, writes the library out into the first of these
    /// places that is fit for it.
    pub(super) fn of(wanted: BTreeSet<InstanceName>, places: &[&Path]) -> Result<Self, ClockError> {
        let library = if wanted.is_empty() { None } else { Some(Library::write(places)?) };
        Ok(Self { wanted, made: BTreeMap::new(), library })
    }

    /// What has to be removed in the end, by whoever is there to do it.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.library.as_ref().map(Library::folder)
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

    /// As [`Clocks::equip`] for an instance in a container, whose user may be anybody. Gives back the folder that it has to
    /// find there under the same path. Into which program the library goes is only known when it runs.
    pub(super) fn equip_container(
        &mut self,
        name: &InstanceName,
        env: &mut Vec<(String, String)>,
    ) -> Result<Option<PathBuf>, ClockError> {
        let Some(library) = self.library.as_ref().filter(|_| self.wanted.contains(name)) else { return Ok(None) };
        let folder = library.folder();
        let file = folder.join(name.to_string());
        let failed = |why| ClockError::Page { instance: name.clone(), folder: folder.to_owned(), why };
        let clock = Arc::new(Clock::create(library, &file).map_err(failed)?);
        std::fs::set_permissions(folder, Permissions::from_mode(0o755)).map_err(failed)?;
        std::fs::set_permissions(&file, Permissions::from_mode(0o666)).map_err(failed)?;
        clock.add_to(env);
        self.made.insert(name.clone(), Ok(clock));
        Ok(Some(folder.to_owned()))
    }

    /// The clock of an instance, or why it cannot have one; `None` when it was to have none.
    pub(super) fn get(&self, name: &InstanceName) -> Option<&Result<Arc<Clock>, Unloadable>> {
        self.made.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u16) -> InstanceName {
        InstanceName { role: "api".into(), number }
    }

    #[test]
    fn only_instances_whose_clocks_are_changed_are_touched() {
        let folder = tempfile::tempdir().unwrap();
        let mut clocks = Clocks::of(BTreeSet::from([name(2), name(3)]), &[folder.path()]).unwrap();
        let mut equip = |number, program: &Path| {
            let mut env = vec![("LD_PRELOAD".to_owned(), "theirs.so".to_owned())];
            clocks.equip(&name(number), program, &mut env).unwrap();
            env
        };
        let untouched = [("LD_PRELOAD".to_owned(), "theirs.so".to_owned())];
        assert_eq!(equip(1, Path::new("/bin/sh")), untouched);
        let env = equip(2, Path::new("/bin/sh"));
        assert!(env[0].1.starts_with("theirs.so:/") && env[0].1.ends_with("/libfireassay_clock.so"), "{env:?}");
        assert_eq!(env[1].0, "FIREASSAY_CLOCK");

        // A program without a dynamic linker: the first 64 bytes of this one, with no segments.
        let program = folder.path().join("static");
        let mut bytes = std::fs::read("/proc/self/exe").unwrap()[..64].to_vec();
        bytes[56..58].fill(0);
        std::fs::write(&program, bytes).unwrap();
        assert_eq!(equip(3, &program), untouched);
        assert!(clocks.get(&name(1)).is_none());
        assert!(clocks.get(&name(2)).unwrap().is_ok());
        assert_eq!(clocks.get(&name(3)).unwrap().as_ref().unwrap_err(), &Unloadable::Static);
    }

    #[test]
    fn without_a_fault_on_a_clock_nothing_is_written() {
        let clocks = Clocks::of(BTreeSet::new(), &[Path::new("/nowhere")]).unwrap();
        assert_eq!(clocks.folder(), None);
    }
}
