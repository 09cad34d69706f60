//! Where the stack finds what it needs and where it may put things.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::backend::Backend;
use super::docker::Image;
use super::external::Urls;
use super::ground::Images;

/// The version of Kafka in `ci/kafka.pom.xml`, which is also the name of its folder in the cache.
pub const KAFKA_VERSION: &str = "4.1.0";

/// Outside the range from which systems take ports for outgoing connections (on Linux 32768 and above), so that a
/// connection cannot sit on the port of a server that is being restarted.
const PORTS: RangeInclusive<u16> = 20_000..=29_999;

/// Settings of the stack. [`StackConfig::from_env`] reads them from the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackConfig {
    /// What the servers run as; [`Backend::Auto`] where nobody says.
    pub backend: Option<Backend>,
    /// What their containers are made from.
    pub images: Images,
    /// Where they are, if somebody else has started them.
    pub external: Urls,
    /// The folder of Postgres' programs; without it PATH and Debian's folders are searched.
    pub postgres_bin: Option<PathBuf>,
    /// The folder of Kafka's jars; without it the one that `ci/setup` fills.
    pub kafka_jars: Option<PathBuf>,
    /// What is kept between stacks: Kafka's jars and an initialised Postgres.
    pub cache: PathBuf,
    /// Where the stack's temporary directory is made; without it memory (`/dev/shm`) if there is room, else the system's
    /// folder for temporary files.
    pub data_root: Option<PathBuf>,
    /// Ports of 127.0.0.1 that servers and instances listen on.
    pub ports: RangeInclusive<u16>,
}

/// A variable of the environment that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// `FIREASSAY_PORTS`
    #[error(
        "FIREASSAY_PORTS is `{0}`, which is no range of ports; write first and last, as in FIREASSAY_PORTS=20000-29999"
    )]
    Ports(String),
    /// `FIREASSAY_BACKEND`
    #[error("FIREASSAY_BACKEND is `{0}`, which is no backend; write auto, process, docker or external")]
    Backend(String),
    /// `FIREASSAY_NOT_PRODUCTION`
    #[error("FIREASSAY_NOT_PRODUCTION is `{0}`; write 1, or unset it")]
    NotProduction(String),
    /// Servers are named that would not be taken.
    #[error(
        "FIREASSAY_BACKEND is {0}, which starts servers of its own, and FIREASSAY_POSTGRES, FIREASSAY_REDIS or FIREASSAY_KAFKA \
         names one that runs already; set FIREASSAY_BACKEND=external, or unset the one or the other (in fireassay's own \
         repository Cargo sets FIREASSAY_BACKEND, unless it is set)"
    )]
    Contradiction(Backend),
}

impl Default for StackConfig {
    fn default() -> Self {
        Self {
            backend: None,
            images: Images::default(),
            external: Urls::default(),
            postgres_bin: None,
            kafka_jars: None,
            cache: cache_folder(),
            data_root: None,
            ports: PORTS,
        }
    }
}

impl StackConfig {
    /// Reads `FIREASSAY_BACKEND`, `FIREASSAY_POSTGRES`, `FIREASSAY_REDIS`, `FIREASSAY_KAFKA`, `FIREASSAY_NOT_PRODUCTION`,
    /// `FIREASSAY_IMAGE_POSTGRES`, `FIREASSAY_IMAGE_REDIS`, `FIREASSAY_IMAGE_KAFKA`,
    /// `FIREASSAY_POSTGRES_BIN`, `FIREASSAY_KAFKA_JARS`, `FIREASSAY_CACHE`, `FIREASSAY_TMP` and `FIREASSAY_PORTS`.
    ///
    /// # Errors
    /// When a variable is set to something that cannot be used.
    pub fn from_env() -> Result<Self, ConfigError> {
        let ports = match std::env::var_os("FIREASSAY_PORTS") {
            None => PORTS,
            Some(text) => ports(&text).ok_or_else(|| ConfigError::Ports(text.to_string_lossy().into_owned()))?,
        };
        let backend = match text_from_env("FIREASSAY_BACKEND") {
            None => None,
            Some(text) => Some(text.parse().map_err(|()| ConfigError::Backend(text.clone()))?),
        };
        Ok(Self {
            backend,
            images: images_from_env(),
            external: urls_from_env()?,
            postgres_bin: path_from_env("FIREASSAY_POSTGRES_BIN"),
            kafka_jars: path_from_env("FIREASSAY_KAFKA_JARS"),
            cache: cache_folder(),
            data_root: path_from_env("FIREASSAY_TMP"),
            ports,
        })
    }

    /// Checks that the servers that are named are those that would be taken.
    ///
    /// # Errors
    /// When servers are named, and another backend as well.
    pub fn agreed(self) -> Result<Self, ConfigError> {
        match self.backend {
            Some(backend) if backend != Backend::External && self.external.are_given() => {
                Err(ConfigError::Contradiction(backend))
            }
            _ => Ok(self),
        }
    }

    /// The same, where it says nothing with what somebody else says. Whoever says where servers are means these.
    #[must_use]
    pub fn or(self, backend: Option<Backend>, images: &Images) -> Self {
        let implied = self.external.are_given().then_some(Backend::External);
        Self { backend: self.backend.or(implied).or(backend), images: self.images.or(images), ..self }
    }

    /// The folder of Kafka's jars.
    #[must_use]
    pub fn kafka_jars(&self) -> PathBuf {
        self.kafka_jars.clone().unwrap_or_else(|| self.cache.join("kafka").join(KAFKA_VERSION))
    }
}

/// Where things are kept between runs: `FIREASSAY_CACHE`, else `fireassay` in the user's cache folder. The same rule is in `ci/setup`.
fn cache_folder() -> PathBuf {
    path_from_env("FIREASSAY_CACHE")
        .or_else(|| path_from_env("XDG_CACHE_HOME").map(|cache| cache.join("fireassay")))
        .or_else(|| path_from_env("HOME").map(|home| home.join(".cache/fireassay")))
        .unwrap_or_else(|| std::env::temp_dir().join("fireassay-cache"))
}

fn images_from_env() -> Images {
    let named = |name: &str| text_from_env(name).map(Image::named);
    Images {
        postgres: named("FIREASSAY_IMAGE_POSTGRES"),
        redis: named("FIREASSAY_IMAGE_REDIS"),
        kafka: named("FIREASSAY_IMAGE_KAFKA"),
    }
}

fn urls_from_env() -> Result<Urls, ConfigError> {
    let not_production = match text_from_env("FIREASSAY_NOT_PRODUCTION").as_deref() {
        None => false,
        Some("1") => true,
        Some(other) => return Err(ConfigError::NotProduction(other.to_owned())),
    };
    Ok(Urls {
        postgres: text_from_env("FIREASSAY_POSTGRES"),
        redis: text_from_env("FIREASSAY_REDIS"),
        kafka: text_from_env("FIREASSAY_KAFKA"),
        not_production,
    })
}

fn text_from_env(name: &str) -> Option<String> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(|value| value.to_string_lossy().into_owned())
}

fn path_from_env(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn ports(text: &OsString) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.to_str()?.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first > 0 && first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ports_is_first_and_last() {
        assert_eq!(ports(&"20000-20099".into()), Some(20_000..=20_099));
        for wrong in ["", "20000", "200-100", "0-5", "1-70000", "a-b"] {
            assert_eq!(ports(&wrong.into()), None, "{wrong}");
        }
    }

    #[test]
    fn servers_that_nobody_would_take_are_an_error() {
        let named = Urls { redis: Some("redis://127.0.0.1".into()), ..Urls::default() };
        let agrees = |backend, external: &Urls| {
            StackConfig { backend, external: external.clone(), ..StackConfig::default() }.agreed().is_ok()
        };
        assert!(agrees(None, &named) && agrees(Some(Backend::External), &named));
        assert!(!agrees(Some(Backend::Process), &named) && !agrees(Some(Backend::Auto), &named));
        assert!(agrees(Some(Backend::Process), &Urls::default()));
    }

    #[test]
    fn the_pinned_version_is_the_one_in_the_pom() {
        let pom = include_str!("../../ci/kafka.pom.xml");
        assert!(pom.contains(&format!("<kafka.version>{KAFKA_VERSION}</kafka.version>")));
    }
}
