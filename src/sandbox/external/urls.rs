//! Where somebody else's servers are, as the user writes it.

use std::fmt;
use std::str::FromStr;

use url::Url;

use super::ExternalError;

/// Where the servers are that the backend `external` uses, as they were given.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Urls {
    /// As in `postgres://user:password@host:5432/postgres`.
    pub postgres: Option<String>,
    /// As in `redis://:password@host:6379`.
    pub redis: Option<String>,
    /// As in `host:9092,host:9093`.
    pub kafka: Option<String>,
    /// Whether they may be where everybody can reach them.
    pub not_production: bool,
}

/// A text that is shown to nobody.
#[derive(Clone, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct Secret(pub(in crate::sandbox) String);

/// A host by name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
}

/// Where Postgres is and who we are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PostgresUrl {
    pub(super) place: Place,
    /// User and password as a URL has them, up to the `@` and with it.
    pub(super) login: Secret,
    /// The database for the harness's own statements.
    pub(super) database: String,
}

/// Where Redis is and who we are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RedisUrl {
    pub(super) place: Place,
    /// As [`PostgresUrl::login`]; may be empty.
    pub(super) login: Secret,
}

/// All three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) postgres: PostgresUrl,
    pub(super) redis: RedisUrl,
    pub(super) kafka: Vec<Place>,
}

impl Urls {
    /// Whether any server was given.
    #[must_use]
    pub fn are_given(&self) -> bool {
        [&self.postgres, &self.redis, &self.kafka].into_iter().any(Option::is_some)
    }

    /// These, and what `others` say where these say nothing.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            postgres: self.postgres.or(others.postgres),
            redis: self.redis.or(others.redis),
            kafka: self.kafka.or(others.kafka),
            not_production: self.not_production || others.not_production,
        }
    }

    /// What they say.
    pub(super) fn read(&self) -> Result<Given, ExternalError> {
        let (Some(postgres), Some(redis), Some(kafka)) = (&self.postgres, &self.redis, &self.kafka) else {
            let all = [
                ("--postgres (FIREASSAY_POSTGRES)", &self.postgres),
                ("--redis (FIREASSAY_REDIS)", &self.redis),
                ("--kafka (FIREASSAY_KAFKA)", &self.kafka),
            ];
            let missing = all.into_iter().filter(|(_, given)| given.is_none()).map(|(name, _)| name);
            return Err(ExternalError::NotGiven(missing.collect::<Vec<_>>().join(", ")));
        };
        let wrong = |server| move |why| ExternalError::Malformed { server, why };
        Ok(Given {
            postgres: postgres.parse().map_err(wrong("postgres"))?,
            redis: redis.parse().map_err(wrong("redis"))?,
            kafka: brokers(kafka).map_err(wrong("kafka"))?,
        })
    }
}

impl fmt::Debug for Urls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { postgres, redis, kafka, not_production } = self;
        let hidden = |given: &Option<String>| given.clone().map(Secret);
        f.debug_struct("Urls")
            .field("postgres", &hidden(postgres))
            .field("redis", &hidden(redis))
            .field("kafka", kafka)
            .field("not_production", not_production)
            .finish()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl FromStr for PostgresUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = parsed(text, &["postgres", "postgresql"], "postgres://user:password@host:5432/postgres")?;
        for (name, value) in url.query_pairs() {
            match (name.as_ref(), value.as_ref()) {
                ("sslmode", "disable" | "allow" | "prefer") => {}
                ("sslmode", _) => return Err("it asks for TLS, which is not supported: the links have to read what passes; use a server, or an entry in its pg_hba.conf, that does without".to_owned()),
                (other, _) => return Err(format!("it has the parameter `{other}`, which fireassay would not pass on; leave it out")),
            }
        }
        let login = login(&url);
        if url.username().is_empty() {
            return Err("it names no user; write postgres://user:password@host:5432/postgres".to_owned());
        }
        let database = url.path().trim_matches('/');
        let database = if database.is_empty() { "postgres" } else { database };
        Ok(Self { place: place(&url, 5432)?, login, database: database.to_owned() })
    }
}

impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with("rediss:") {
            return Err("it asks for TLS, which is not supported: the links have to read what passes; use redis:// and a server that does without".to_owned());
        }
        let url = parsed(text, &["redis"], "redis://:password@host:6379")?;
        if !matches!(url.path(), "" | "/" | "/0") {
            return Err("it names a database; leave that out: every run takes an empty one of its own".to_owned());
        }
        if url.query().is_some() {
            return Err("it has parameters, which fireassay would not pass on; leave them out".to_owned());
        }
        Ok(Self { place: place(&url, 6379)?, login: login(&url) })
    }
}

/// A URL of one of these schemes. Nothing of it is in the error, as it may have a password in any place.
fn parsed(text: &str, schemes: &[&str], example: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| format!("it is no URL ({error}); write {example}"))?;
    if !schemes.contains(&url.scheme()) {
        return Err(format!("it does not begin with {}://; write {example}", schemes[0]));
    }
    // Where the password ends too early, a part of it would pass for the host.
    if text.contains('@') && url.username().is_empty() && url.password().is_none() {
        return Err("its password has a character that means something in a URL; write it percent-encoded, `/` as %2F, `?` as %3F and `#` as %23".to_owned());
    }
    Ok(url)
}

fn place(url: &Url, port: u16) -> Result<Place, String> {
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or("it names no host")?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Place { host, port: url.port().unwrap_or(port) })
}

fn login(url: &Url) -> Secret {
    Secret(match (url.username(), url.password()) {
        ("", None) => String::new(),
        (user, None) => format!("{user}@"),
        (user, Some(password)) => format!("{user}:{password}@"),
    })
}

fn brokers(text: &str) -> Result<Vec<Place>, String> {
    let example = "write it as host:port, several with commas";
    let broker = |text: &str| {
        let text = text.trim();
        if text.contains(['@', '/']) {
            return Err(format!("it is a URL or has a login; TLS and SASL are not supported, {example}"));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("`{text}` has no port; {example}"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok().filter(|port| *port > 0 && !host.is_empty());
        let port = port.ok_or_else(|| format!("`{text}` is not a host and a port; {example}"))?;
        Ok(Place { host: host.to_owned(), port })
    };
    text.split(',').map(broker).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> String {
        text.parse::<PostgresUrl>().map_or_else(|why| why, |url| url.place.to_string())
    }

    #[test]
    fn a_url_is_host_port_and_login() {
        let url: PostgresUrl = "postgres://me:a%40b@db.internal:6432/admin?sslmode=prefer".parse().unwrap();
        assert_eq!((url.place.to_string().as_str(), url.database.as_str()), ("db.internal:6432", "admin"));
        assert_eq!(url.login, Secret("me:a%40b@".to_owned()));
        assert_eq!(place("postgresql://me@[::1]/"), "[::1]:5432");
        let url: RedisUrl = "redis://:secret@10.0.0.7".parse().unwrap();
        assert_eq!((url.place.to_string().as_str(), url.login), ("10.0.0.7:6379", Secret(":secret@".to_owned())));
        assert_eq!("redis://localhost:7000/0".parse::<RedisUrl>().unwrap().login, Secret(String::new()));
    }

    #[test]
    fn what_cannot_be_used_says_why_and_nothing_of_the_password() {
        let wrong = [
            ("postgres://me:hunter2@db/?sslmode=require", "TLS"),
            ("postgres://me:hunter2@db/?options=x", "parameter `options`"),
            ("postgres://:hunter2@db/", "no user"),
            ("mysql://me:hunter2@db/", "begin with postgres://"),
            ("postgres://me:hunter2/x@db/", "no URL"),
            ("postgres://me:12?hunter2@db/", "percent-encoded"),
            ("hunter2", "no URL"),
        ];
        for (text, expected) in wrong {
            let why = text.parse::<PostgresUrl>().unwrap_err();
            assert!(why.contains(expected) && !why.contains("hunter2"), "{text}: {why}");
        }
        for (text, expected) in [
            ("rediss://:hunter2@db", "TLS"),
            ("redis://:hunter2@db/3", "database"),
            ("redis://db?protocol=resp3", "parameters"),
        ] {
            let why = text.parse::<RedisUrl>().unwrap_err();
            assert!(why.contains(expected) && !why.contains("hunter2"), "{text}: {why}");
        }
    }

    #[test]
    fn brokers_are_hosts_with_ports() {
        let places = brokers("kafka:9092, [::1]:9093").unwrap();
        assert_eq!(places.iter().map(ToString::to_string).collect::<Vec<_>>(), ["kafka:9092", "[::1]:9093"]);
        for wrong in ["", "kafka", "kafka:0", ":9092", "kafka:x", "kafka://k:1", "me:pw@k:1", "a:1,,b:2"] {
            assert!(brokers(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let urls = Urls { redis: Some("redis://r".to_owned()), ..Urls::default() };
        let why = urls.read().unwrap_err().to_string();
        assert!(why.contains("--postgres") && why.contains("--kafka") && !why.contains("--redis"), "{why}");
    }

    #[test]
    fn no_form_of_it_shows_a_password() {
        let urls = Urls {
            postgres: Some("postgres://me:hunter2@db/".to_owned()),
            redis: Some("redis://:hunter2@db".to_owned()),
            kafka: Some("db:1".to_owned()),
            not_production: false,
        };
        assert!(!format!("{urls:?} {:?}", urls.read().unwrap()).contains("hunter2"));
    }
}
