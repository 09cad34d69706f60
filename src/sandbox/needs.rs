//! What the stack needs from the machine, where it is, and how to get it.

mod clocks;
mod find;
mod version;

use std::path::{Path, PathBuf};

use super::StackConfig;
use super::config::KAFKA_VERSION;
use super::docker::Docker;
use super::external::{self, ExternalError};
use super::place;

/// The oldest Java that the pinned Kafka runs on.
const JAVA_MIN: u32 = 17;
/// What a stack writes in an ordinary session.
const SPACE_BYTES_MIN: u64 = 1024 * 1024 * 1024;

/// One thing the stack needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What it is, for example `java`.
    pub name: &'static str,
    /// Whether the stack can do without it.
    pub optional: bool,
    /// Where it is and which version, or what is wrong.
    pub state: Result<Found, String>,
    /// How to get it.
    pub how: String,
}

/// A need that is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub place: String,
    /// Its version, or another figure worth showing; empty if there is none.
    pub version: String,
}

/// The programs of Postgres and the user to run them as.
#[derive(Clone, Debug)]
pub(super) struct PostgresPrograms {
    pub(super) postgres: PathBuf,
    pub(super) initdb: PathBuf,
    /// Set when we are root.
    pub(super) user: Option<find::OtherUser>,
}

impl PostgresPrograms {
    /// What `postgres --version` says.
    pub(super) fn version(&self) -> Result<String, String> {
        version::of(&self.postgres)
    }
}

/// Kafka's jars, and what runs them.
#[derive(Clone, Debug)]
pub(super) struct KafkaPrograms {
    pub(super) java: PathBuf,
    pub(super) jars: Vec<PathBuf>,
    /// Loaded classes, kept by `ci/setup`: they halve the time of a start.
    pub(super) class_archive: Option<PathBuf>,
}

/// All that the stack starts.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) postgres: PostgresPrograms,
    pub(super) redis: PathBuf,
    pub(super) kafka: KafkaPrograms,
}

/// Checks what the backend `process` needs and asks each program for its version. Takes a fraction of a second; no program is waited for
/// longer than 5 s.
#[must_use]
pub fn check(config: &StackConfig) -> Vec<Need> {
    let program = |path: PathBuf| Ok(Found { version: version::of(&path)?, place: path.display().to_string() });
    vec![
        need("postgres", find::postgres(config, "postgres").and_then(program)),
        need("initdb", find::postgres(config, "initdb").and_then(program)),
        need("user for postgres", find::other_user().map(described)),
        need("redis-server", find::on_path("redis-server").and_then(program)),
        need("java", find::java().and_then(|java| recent_java(&java))),
        need("kafka jars", find::kafka_jars(config).map(|jars| jar_folder(config, &jars))),
        need("temporary space", space(config)),
        Need { optional: true, ..need("clocks", clocks::check(config)) },
    ]
}

/// Checks what the backend `docker` needs, without downloading anything.
pub async fn check_docker(config: &StackConfig) -> Vec<Need> {
    let docker = match Docker::connect().await {
        Ok(docker) => docker,
        Err(error) => return vec![need("docker daemon", Err(error.to_string()))],
    };
    let found = docker.version().await.map(|version| Found { place: "answers".to_owned(), version });
    let mut needs = vec![need("docker daemon", found.map_err(|error| error.to_string()))];
    let images = config.images.chosen();
    let images =
        [("image of postgres", images.postgres), ("image of redis", images.redis), ("image of kafka", images.kafka)];
    for (name, image) in images {
        let state = match docker.has(&image).await {
            Ok(true) => Ok(Found { place: image.to_string(), version: String::new() }),
            Ok(false) => Err(format!("the daemon does not have {image} yet")),
            Err(error) => Err(error.to_string()),
        };
        needs.push(need(name, state));
    }
    needs
}

/// Checks whether the servers that were given for the backend `external` could be used. Nothing is changed there.
pub async fn check_external(config: &StackConfig) -> Vec<Need> {
    if !config.external.are_given() {
        return vec![need("external stack", Err("no servers were given".to_owned()))];
    }
    match external::look(&config.external).await {
        Err(error) => vec![need("external stack", Err(error.to_string()))],
        Ok(found) => {
            let state = |found: Result<(String, String), ExternalError>| match found {
                Ok((version, place)) => Ok(Found { place, version }),
                Err(error) => Err(error.to_string()),
            };
            found.into_iter().map(|(name, found)| need(name, state(found))).collect()
        }
    }
}

/// Finds all programs without running any, or says which are missing.
pub(super) fn locate(config: &StackConfig) -> Result<Programs, Vec<Need>> {
    let user = find::other_user();
    let (postgres, initdb) = (find::postgres(config, "postgres"), find::postgres(config, "initdb"));
    let (redis, java, jars) = (find::on_path("redis-server"), find::java(), find::kafka_jars(config));
    match (postgres, initdb, user, redis, java, jars) {
        (Ok(postgres), Ok(initdb), Ok(user), Ok(redis), Ok(java), Ok(jars)) => Ok(Programs {
            postgres: PostgresPrograms { postgres, initdb, user },
            redis,
            kafka: KafkaPrograms { java, jars, class_archive: find::class_archive(config) },
        }),
        (postgres, initdb, user, redis, java, jars) => {
            let problems = [
                ("postgres", postgres.err()),
                ("initdb", initdb.err()),
                ("user for postgres", user.err()),
                ("redis-server", redis.err()),
                ("java", java.err()),
                ("kafka jars", jars.err()),
            ];
            Err(problems.into_iter().filter_map(|(name, problem)| Some(need(name, Err(problem?)))).collect())
        }
    }
}

/// Every missing need on two lines: what is wrong, and how to mend it.
pub(super) fn list_missing(needs: &[Need]) -> String {
    let line = |need: &Need| Some(format!("\n  {}: {}\n    {}", need.name, need.state.as_ref().err()?, need.how));
    needs.iter().filter_map(line).collect()
}

fn need(name: &'static str, state: Result<Found, String>) -> Need {
    let how = match name {
        "postgres" | "initdb" => {
            "Debian and Ubuntu: run ci/setup, or apt install postgresql. Fedora: dnf install postgresql-server. \
             Elsewhere: FIREASSAY_POSTGRES_BIN=<folder with postgres and initdb>."
                .to_owned()
        }
        "user for postgres" => {
            "Postgres does not run as root: add a user called postgres (useradd --system postgres), or do not run as root.".to_owned()
        }
        "redis-server" => {
            "Debian and Ubuntu: run ci/setup, or apt install redis-server. Fedora: dnf install redis. Elsewhere: put redis-server on PATH."
                .to_owned()
        }
        "java" => format!(
            "Kafka needs Java {JAVA_MIN} or newer. Debian and Ubuntu: run ci/setup, or apt install default-jre-headless. \
             Fedora: dnf install java-latest-openjdk-headless. Elsewhere: set JAVA_HOME."
        ),
        "kafka jars" => format!(
            "Run ci/setup, which fetches Kafka {KAFKA_VERSION} with Maven; or FIREASSAY_KAFKA_JARS=<the libs folder of a Kafka {KAFKA_VERSION}>."
        ),
        "clocks" => {
            "Only cases with faults on clocks need it: a folder that programs may be run from, as TMPDIR=<folder> or \
             FIREASSAY_TMP=<folder>, and glibc."
                .to_owned()
        }
        "docker daemon" => {
            "Install Docker and start it, or name a daemon of this machine with DOCKER_HOST. Debian: ci/setup --docker.".to_owned()
        }
        "image of postgres" | "image of redis" | "image of kafka" => {
            "The first run downloads it. Without a registry: ci/images builds such images, and FIREASSAY_IMAGE_POSTGRES, _REDIS \
             and _KAFKA name them."
                .to_owned()
        }
        "external stack" | "external postgres" | "external redis" | "external kafka" => {
            "Start it, let us in, and name it with --postgres, --redis and --kafka, or FIREASSAY_POSTGRES, FIREASSAY_REDIS and FIREASSAY_KAFKA; \
             docs/backends.md says what it has to be able to do."
                .to_owned()
        }
        _ => "Free some space, or choose another place with FIREASSAY_TMP=<folder>.".to_owned(),
    };
    Need { name, optional: false, state, how }
}

fn described(user: Option<find::OtherUser>) -> Found {
    let place = user.map_or_else(|| "the user who runs fireassay".to_owned(), |user| user.name);
    Found { place, version: String::new() }
}

fn recent_java(java: &Path) -> Result<Found, String> {
    let version = version::of(java)?;
    match version::major(&version) {
        Some(major) if major < JAVA_MIN => Err(format!("{} is Java {version}, which is too old", java.display())),
        _ => Ok(Found { place: java.display().to_string(), version }),
    }
}

fn jar_folder(config: &StackConfig, jars: &[PathBuf]) -> Found {
    let version = find::kafka_version(jars).unwrap_or_default();
    Found { place: config.kafka_jars().display().to_string(), version }
}

fn space(config: &StackConfig) -> Result<Found, String> {
    let root = place::root(config);
    let shown = root.display().to_string();
    if nix::unistd::access(&root, nix::unistd::AccessFlags::W_OK).is_err() {
        return Err(format!("{shown} cannot be written to"));
    }
    let free = place::free_bytes(&root).ok_or_else(|| format!("{shown} cannot be looked at"))?;
    let mebibytes = free / (1024 * 1024);
    if free < SPACE_BYTES_MIN {
        return Err(format!("{shown} has only {mebibytes} MiB free"));
    }
    Ok(Found { place: shown, version: format!("{mebibytes} MiB free") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_way_to_get_it() {
        let config = StackConfig {
            postgres_bin: Some("/nowhere".into()),
            kafka_jars: Some("/nowhere/jars".into()),
            ..StackConfig::default()
        };
        let missing = locate(&config).unwrap_err();
        let names: Vec<_> = missing.iter().map(|need| need.name).collect();
        assert!(names.starts_with(&["postgres", "initdb"]) && names.ends_with(&["kafka jars"]), "{names:?}");
        let text = list_missing(&missing);
        assert!(text.contains("/nowhere/jars") && text.contains("ci/setup"), "{text}");
    }
}
