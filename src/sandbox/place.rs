//! The one temporary directory of a stack.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use nix::sys::statfs::{TMPFS_MAGIC, statfs};

use super::StackConfig;

/// Free memory that `/dev/shm` must have to be worth using. Containers often give it 64 MiB.
const MEMORY_BYTES_MIN: u64 = 2 * 1024 * 1024 * 1024;
const PREFIX: &str = "fireassay-";
/// Locked by the harness that the directory belongs to. The lock ends with the harness, whatever ends it.
const LOCK: &str = "lock";

/// A directory that is removed when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    _lock: File,
}

/// The directory could not be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to make a temporary directory in {}: {why}; choose another place with FIREASSAY_TMP=<folder>", root.display())]
pub struct PlaceError {
    /// Where it was to be made.
    pub root: PathBuf,
    /// The system's reason.
    pub why: io::Error,
}

impl Place {
    /// Removes what dead harnesses left, and makes a new directory called `fireassay-<pid>-<random>`.
    pub(super) fn make(config: &StackConfig) -> Result<Self, PlaceError> {
        // Servers run in folders of their own, where a relative path would mean something else.
        let root = std::path::absolute(root(config)).unwrap_or_else(|_| root(config));
        sweep(&root);
        let failed = |why| PlaceError { root: root.clone(), why };
        let path = root.join(format!("{PREFIX}{}-{:08x}", std::process::id(), rand::random::<u32>()));
        // Others may pass through but not look: Postgres runs as another user when we are root.
        DirBuilder::new().mode(0o711).create(&path).map_err(failed)?;
        let lock = File::create(path.join(LOCK)).and_then(|file| file.lock().map(|()| file)).map_err(failed)?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The guardian tries again if this fails.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Where the stack's directory is made: memory, if there is enough, because nothing of it has to last.
pub(super) fn root(config: &StackConfig) -> PathBuf {
    let memory = Path::new("/dev/shm");
    match &config.data_root {
        Some(root) => root.clone(),
        None if is_roomy_memory(memory) => memory.to_owned(),
        None => std::env::temp_dir(),
    }
}

/// Bytes that may still be written below `path`.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let found = statfs(path).ok()?;
    Some(found.blocks_available().saturating_mul(u64::try_from(found.block_size()).ok()?))
}

fn is_roomy_memory(path: &Path) -> bool {
    let writable = nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok();
    let in_memory = statfs(path).is_ok_and(|found| found.filesystem_type() == TMPFS_MAGIC);
    writable && in_memory && free_bytes(path).is_some_and(|free| free >= MEMORY_BYTES_MIN)
}

/// Removes the directories of harnesses that are gone. Nothing here is worth failing for.
fn sweep(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        if is_leftover(&entry.file_name().to_string_lossy(), &entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A directory of ours whose harness is gone. The number alone would not do where containers share a folder but not
/// their processes, and the lock alone not for a directory that was made this instant: both must say so.
fn is_leftover(name: &str, path: &Path) -> bool {
    let harness =
        name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')).and_then(|(pid, _)| pid.parse::<u32>().ok());
    let Some(harness) = harness else { return false };
    // A symbolic link or somebody else's directory is not ours to remove.
    let ours =
        fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw());
    let unlocked = || File::open(path.join(LOCK)).is_ok_and(|file| file.try_lock().is_ok());
    ours && !Path::new("/proc").join(harness.to_string()).exists() && unlocked()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_dead_harnesses_are_swept_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let config = StackConfig { data_root: Some(root.path().to_owned()), ..StackConfig::default() };
        // Above the largest number that Linux gives to a process.
        let dead = root.path().join("fireassay-4999999-00000000");
        let locked = root.path().join("fireassay-4999998-00000000");
        let foreign = root.path().join("fireassay-notes");
        for path in [&dead, &locked, &foreign] {
            fs::create_dir(path).unwrap();
            File::create(path.join(LOCK)).unwrap();
        }
        let lock = File::open(locked.join(LOCK)).unwrap();
        lock.lock().unwrap();

        let place = Place::make(&config).unwrap();
        assert!(!dead.exists());
        assert!(locked.exists() && foreign.exists() && place.path().exists());
        let made = place.path().to_owned();
        drop(place);
        assert!(!made.exists());
    }

    #[test]
    fn an_impossible_place_is_an_error_that_says_how_to_choose_another() {
        let config = StackConfig { data_root: Some("/proc/nowhere".into()), ..StackConfig::default() };
        let message = Place::make(&config).unwrap_err().to_string();
        assert!(message.contains("/proc/nowhere") && message.contains("FIREASSAY_TMP"), "{message}");
    }
}
