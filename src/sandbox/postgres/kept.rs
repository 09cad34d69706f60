//! An initialised data directory, kept between stacks.
//!
//! `initdb` takes half a second of a processor, which a JVM that starts at the same time would like to have; and killed in
//! the middle it leaves shared memory behind. A copy takes 40 ms. Keeping it is only an optimisation: whatever goes wrong
//! here, `initdb` does the work.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use crate::sandbox::StackConfig;
use crate::sandbox::needs::PostgresPrograms;

/// Part of the name; to be counted up when `initdb` is called with other options.
const REVISION: u32 = 1;

/// Where the directory for these programs is kept, or `None` if they do not tell their version.
pub(super) fn folder(config: &StackConfig, programs: &PostgresPrograms) -> Option<PathBuf> {
    let version = programs.version().ok()?;
    Some(config.cache.join("postgres").join(format!("{version}-{REVISION}")))
}

/// Copies what is kept to `to`, a new folder, and gives it to `owner`.
pub(super) fn restore(kept: &Path, to: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    // Settings are code to Postgres. They have to be our own, even where the cache is in a folder open to all.
    if fs::symlink_metadata(kept)?.uid() != nix::unistd::geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    copy_tree(kept, to, owner)
}

/// Keeps a copy of `from`. Another harness may do the same at this moment: the first one wins.
pub(super) fn keep(from: &Path, kept: &Path) -> io::Result<()> {
    let beside = kept.with_file_name(format!(".new-{:016x}", rand::random::<u64>()));
    if let Some(parent) = kept.parent() {
        fs::create_dir_all(parent)?;
    }
    let copied = copy_tree(from, &beside, None).and_then(|()| fs::rename(&beside, kept));
    if copied.is_err() {
        let _ = fs::remove_dir_all(&beside);
    }
    copied
}

/// Copies folders and files; a data directory that was just initialised has nothing else.
fn copy_tree(from: &Path, to: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    let give = |path: &Path| owner.map_or(Ok(()), |(user, group)| chown(path, Some(user), Some(group)));
    DirBuilder::new().mode(0o700).create(to)?;
    give(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target, owner)?;
        } else {
            fs::copy(entry.path(), &target)?;
            give(&target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_whole_and_the_first_copy_stays() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("data/base")).unwrap();
        fs::write(path("data/base/1"), "rows").unwrap();
        keep(&path("data"), &path("cache/15.1-1")).unwrap();
        restore(&path("cache/15.1-1"), &path("again"), None).unwrap();
        assert_eq!(fs::read_to_string(path("again/base/1")).unwrap(), "rows");

        fs::write(path("data/base/1"), "other rows").unwrap();
        assert!(keep(&path("data"), &path("cache/15.1-1")).is_err());
        assert_eq!(fs::read_to_string(path("cache/15.1-1/base/1")).unwrap(), "rows");
        assert_eq!(fs::read_dir(path("cache")).unwrap().count(), 1, "nothing half-copied is left");
    }
}
