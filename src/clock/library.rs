//! Writing the library out where processes can load it.

use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};

/// The compiled library, see `build.rs`.
const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libfireassay_clock.so"));

/// A copy of the library on disk, removed when this is dropped. Processes that have loaded it keep it.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

/// Why the library could not be written out.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// No folder is good for it.
    #[error(
        "no place for the library that changes clocks: programs may not be run from {}, or its path has a space or a \
         colon; name another folder with TMPDIR",
        places.join(" nor from ")
    )]
    NoPlace {
        /// Those that were looked at.
        places: Vec<String>,
    },
    /// It could not be written.
    #[error("failed to write the library that changes clocks to {}: {why}", path.display())]
    Unwritable {
        /// Where.
        path: PathBuf,
        /// The system's reason.
        why: io::Error,
    },
}

impl Library {
    /// Writes it into a new folder in the first of these places that programs may be run from.
    ///
    /// # Errors
    /// When there is none, or it cannot be written.
    pub fn write(places: &[&Path]) -> Result<Self, LibraryError> {
        let Some(place) = places.iter().find(|place| is_fit(place)) else {
            let places = places.iter().map(|place| place.display().to_string()).collect();
            return Err(LibraryError::NoPlace { places });
        };
        let failed = |why| LibraryError::Unwritable { path: place.to_path_buf(), why };
        let folder = tempfile::Builder::new().prefix("fireassay-clock-").tempdir_in(place).map_err(failed)?;
        let path = folder.path().join("libfireassay_clock.so");
        std::fs::write(&path, LIBRARY).map_err(failed)?;
        Ok(Self { path, _folder: folder })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that is removed in the end.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self._folder.path()
    }
}

/// Whether the dynamic linker loads from here: memory file systems are often mounted so that it does not, and spaces and
/// colons end a path in `LD_PRELOAD`.
fn is_fit(place: &Path) -> bool {
    let spelled = place.to_str().is_some_and(|path| place.is_absolute() && !path.contains([' ', ':']));
    spelled && statvfs(place).is_ok_and(|found| !found.flags().contains(FsFlags::ST_NOEXEC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_where_a_path_can_be_spelled_and_gone_in_the_end() {
        let root = tempfile::tempdir().unwrap();
        let spaced = root.path().join("a b");
        std::fs::create_dir(&spaced).unwrap();
        let error = Library::write(&[&spaced, Path::new("here")]).unwrap_err().to_string();
        assert!(error.contains("a b nor from here") && error.contains("TMPDIR"), "{error}");
        let library = Library::write(&[&spaced, root.path()]).unwrap();
        let path = library.path().to_owned();
        assert!(std::fs::read(&path).unwrap().starts_with(b"\x7fELF"));
        drop(library);
        assert!(!path.exists());
    }
}
