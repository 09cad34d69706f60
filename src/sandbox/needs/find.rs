//! Where things are. Nothing is run.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, User, access, geteuid};

use crate::sandbox::StackConfig;

const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";
const CLASS_ARCHIVE: &str = "classes.jsa";

/// Whom to run Postgres as when we are root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sandbox) struct OtherUser {
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) uid: u32,
    pub(in crate::sandbox) gid: u32,
}

/// A program on PATH.
pub(super) fn on_path(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_program(file));
    found.ok_or_else(|| format!("there is no {name} on PATH"))
}

/// A program of Postgres: in the configured folder, on PATH, or where Debian keeps it, newest version first.
pub(super) fn postgres(config: &StackConfig, name: &str) -> Result<PathBuf, String> {
    if let Some(folder) = &config.postgres_bin {
        let file = folder.join(name);
        return if is_program(&file) { Ok(file) } else { Err(format!("{} is not a program", file.display())) };
    }
    let debian =
        || newest_first(Path::new(DEBIAN_POSTGRES)).map(|v| v.join("bin").join(name)).find(|file| is_program(file));
    on_path(name).or_else(|problem| debian().ok_or(format!("{problem} and none in {DEBIAN_POSTGRES}/*/bin")))
}

/// `java` of JAVA_HOME, else on PATH.
pub(super) fn java() -> Result<PathBuf, String> {
    match std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty()) {
        None => on_path("java"),
        Some(home) => {
            let file = PathBuf::from(home).join("bin/java");
            if is_program(&file) {
                Ok(file)
            } else {
                Err(format!("JAVA_HOME is set, but {} is not a program", file.display()))
            }
        }
    }
}

/// Kafka's jars, sorted, so that the class path is the same at every start.
pub(super) fn kafka_jars(config: &StackConfig) -> Result<Vec<PathBuf>, String> {
    let folder = config.kafka_jars();
    let entries =
        std::fs::read_dir(&folder).map_err(|error| format!("{} cannot be read: {error}", folder.display()))?;
    let is_jar = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "jar");
    let mut jars: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_jar).collect();
    jars.sort();
    if kafka_version(&jars).is_none() {
        return Err(format!("{} has no kafka_2.13-*.jar", folder.display()));
    }
    Ok(jars)
}

/// What `ci/setup` puts beside the jars. Java passes over one that does not fit it.
pub(super) fn class_archive(config: &StackConfig) -> Option<PathBuf> {
    Some(config.kafka_jars().join(CLASS_ARCHIVE)).filter(|archive| archive.is_file())
}

/// The version in the name of the broker's own jar.
pub(super) fn kafka_version(jars: &[PathBuf]) -> Option<String> {
    let version = |jar: &PathBuf| Some(jar.file_stem()?.to_str()?.strip_prefix("kafka_2.13-")?.to_owned());
    jars.iter().find_map(version)
}

/// The user for Postgres, or `None` when it can run as ourselves because we are not root.
pub(super) fn other_user() -> Result<Option<OtherUser>, String> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let found = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten());
    let user = found.ok_or_else(|| "there is neither a user postgres nor nobody".to_owned())?;
    Ok(Some(OtherUser { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
}

fn is_program(path: &Path) -> bool {
    path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

fn newest_first(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<_> = entries.filter(|path| version(path).is_some()).collect();
    folders.sort_by_key(|path| std::cmp::Reverse(version(path)));
    folders.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let root = tempfile::tempdir().unwrap();
        for name in ["9", "15", "100", "notes"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let names: Vec<_> = newest_first(root.path()).map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["100", "15", "9"]);
    }

    #[test]
    fn a_folder_without_the_broker_is_not_kafka() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kafka-clients-4.1.0.jar"), "").unwrap();
        let config = StackConfig { kafka_jars: Some(folder.path().to_owned()), ..StackConfig::default() };
        assert!(kafka_jars(&config).unwrap_err().contains("kafka_2.13"));
        std::fs::write(folder.path().join("kafka_2.13-4.1.0.jar"), "").unwrap();
        assert_eq!(kafka_version(&kafka_jars(&config).unwrap()).as_deref(), Some("4.1.0"));
    }
}
