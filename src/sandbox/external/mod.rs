//! A stack that somebody else runs: a Postgres, a Redis and a Kafka that are there already, and that others may use too.
//!
//! **Invariant:** nothing is changed there but what carries our `Mark` and the Redis databases that were empty. What
//! would reach further is refused (`refused`).

mod check;
mod leftovers;
mod mark;
mod private;
mod refused;
mod urls;
mod watch;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use self::check::survey;
pub(super) use self::leftovers::remove;
pub(super) use self::mark::Mark;
pub(super) use self::refused::refused;
pub(super) use self::urls::Secret;
pub use self::urls::Urls;
pub(super) use self::watch::Watch;

/// Servers that answered, and what we need to know of them.
#[derive(Debug)]
pub(super) struct External {
    pub(super) postgres: ExternalPostgres,
    pub(super) redis: ExternalRedis,
    /// Where the broker says that it is.
    pub(super) kafka: SocketAddr,
    /// What everything that we make there begins with.
    pub(super) mark: Mark,
}

/// A Postgres that answered.
#[derive(Debug)]
pub(super) struct ExternalPostgres {
    pub(super) address: SocketAddr,
    pub(super) login: Secret,
    /// For the harness's own statements.
    pub(super) database: String,
    /// Whether it would encrypt if it were asked to, so that the target must not ask.
    pub(super) offers_tls: bool,
    pub(super) version: String,
}

/// A Redis that answered.
#[derive(Debug)]
pub(super) struct ExternalRedis {
    pub(super) address: SocketAddr,
    pub(super) login: Secret,
}

/// Why a stack that was given cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// Some URL is missing.
    #[error("the backend external is told where the servers are, and {0} is missing")]
    NotGiven(String),
    /// A URL cannot be used. Says nothing of what was given, as it may have a password in it.
    #[error("the address of {server} that was given cannot be used: {why}")]
    Malformed {
        /// Which server.
        server: &'static str,
        /// What is wrong and how to write it.
        why: String,
    },
    /// A host that anybody can reach.
    #[error(
        "{server} at {at} is at {address}, which is neither this machine nor in a private network, and faults are not for \
         production; if it may be treated badly, say so with --i-know-this-is-not-production \
         (FIREASSAY_NOT_PRODUCTION=1)"
    )]
    Public {
        /// Which server.
        server: &'static str,
        /// Host and port as given.
        at: String,
        /// The address that is not private.
        address: IpAddr,
    },
    /// A host without an address.
    #[error("{server} at {at}: the host is not found: {why}")]
    Unresolved {
        /// Which server.
        server: &'static str,
        /// Host and port as given.
        at: String,
        /// The resolver's reason.
        why: String,
    },
    /// It does not answer, or not as it should.
    #[error("{server} at {at} {tried}: {why}")]
    Unusable {
        /// Which server.
        server: &'static str,
        /// Host and port.
        at: String,
        /// What was tried, as in `did not answer a query within 10 s`.
        tried: String,
        /// Its answer, or what kept us from getting one, and how to mend it.
        why: String,
    },
    /// Several of them.
    #[error("the servers that were given cannot be used:{}", list(.0))]
    Several(Vec<Self>),
}

impl ExternalError {
    /// Whether the command line or a variable has to be mended, rather than a server.
    #[must_use]
    pub fn is_mistake(&self) -> bool {
        match self {
            Self::NotGiven(_) | Self::Malformed { .. } | Self::Public { .. } => true,
            Self::Unresolved { .. } | Self::Unusable { .. } => false,
            Self::Several(all) => all.iter().any(Self::is_mistake),
        }
    }
}

fn list(errors: &[ExternalError]) -> String {
    errors.iter().map(|error| format!("\n  {error}")).collect()
}

impl External {
    /// Connects to each server and looks whether it can be used.
    ///
    /// # Errors
    /// Everything that is wrong, of all three.
    pub(super) async fn connect(urls: &Urls) -> Result<Self, ExternalError> {
        let given = urls.read()?;
        let (postgres, redis, kafka) = survey(&given, urls.not_production).await;
        match (postgres, redis, kafka) {
            (Ok(postgres), Ok(redis), Ok(kafka)) => Ok(Self { postgres, redis, kafka, mark: Mark::new() }),
            (postgres, redis, kafka) => {
                let mut wrong: Vec<_> = [postgres.err(), redis.err(), kafka.err()].into_iter().flatten().collect();
                Err(if wrong.len() == 1 { wrong.remove(0) } else { ExternalError::Several(wrong) })
            }
        }
    }
}

/// What each of the servers that were given is, for those who only want to know.
pub(super) async fn look(
    urls: &Urls,
) -> Result<[(&'static str, Result<(String, String), ExternalError>); 3], ExternalError> {
    let (postgres, redis, kafka) = survey(&urls.read()?, urls.not_production).await;
    let there = |address: SocketAddr, version: String| (version, address.to_string());
    Ok([
        ("external postgres", postgres.map(|found| there(found.address, found.version))),
        ("external redis", redis.map(|found| there(found.address, String::new()))),
        ("external kafka", kafka.map(|address| there(address, String::new()))),
    ])
}

/// For one try to reach a server.
const TRY_DEADLINE: Duration = Duration::from_secs(3);
