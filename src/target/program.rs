//! Where a command's program is.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::ManifestError;

/// A path with a slash starts at the manifest's folder. A bare name is looked for beside the running binary, so that
/// a workspace finds what it has just built, and then on PATH.
pub(super) fn find(program: &str, directory: &Path) -> Result<PathBuf, ManifestError> {
    let beside = std::env::current_exe().ok();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = Vec::new();
    if program.contains('/') {
        folders.push(directory.to_owned());
    } else {
        // A test binary is in `deps`, one folder below what it tests.
        folders.extend(beside.iter().flat_map(|binary| binary.ancestors().skip(1).take(2)).map(Path::to_owned));
        folders.extend(std::env::split_paths(&path));
    }
    look(program, &folders)
}

fn look(program: &str, folders: &[PathBuf]) -> Result<PathBuf, ManifestError> {
    let candidates = folders.iter().map(|folder| folder.join(program));
    let mut found_but = None;
    for file in candidates {
        match file.metadata() {
            Ok(data) if data.is_file() && data.permissions().mode() & 0o111 != 0 => return Ok(file),
            Ok(_) => found_but = found_but.or(Some(file)),
            Err(_) => {}
        }
    }
    Err(ManifestError(match found_but {
        Some(file) => {
            format!("{} is not an executable file; build the target again or name another file", file.display())
        }
        None => {
            let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
            format!(
                "the program `{program}` was not found; looked in {}; build the target first, or write its path in the manifest",
                folders.join(", ")
            )
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_starts_at_the_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let error = find("./serve", folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("the program `./serve` was not found; looked in "), "{error}");
        assert!(error.contains(&folder.path().display().to_string()), "{error}");

        std::fs::write(folder.path().join("serve"), "").unwrap();
        let error = find("./serve", folder.path()).unwrap_err().to_string();
        assert!(error.contains("serve is not an executable file"), "{error}");

        std::fs::set_permissions(folder.path().join("serve"), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find("./serve", folder.path()).unwrap(), folder.path().join("./serve"));
    }

    #[test]
    fn a_bare_name_is_beside_the_binary_or_on_the_path() {
        let test_binary = std::env::current_exe().unwrap();
        let name = test_binary.file_name().unwrap().to_str().unwrap();
        assert_eq!(find(name, Path::new("/")).unwrap(), test_binary);
        assert!(find("sh", Path::new("/")).unwrap().ends_with("sh"));
    }
}
