//! From a role of a manifest to a command that can be started.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::manifest::{ManifestError, Role, Target};
use super::parse::{GATEWAY_VARIABLE, POSTGRES_PARTS};
use super::program;
use super::template::fill;

/// What the templates of one instance are filled in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variables {
    /// The instance's own port on 127.0.0.1.
    pub port: u16,
    /// The instance's name, for example `api-1`.
    pub instance: String,
    /// URL of the run's database, through the instance's link.
    pub postgres: String,
    /// URL of the run's Redis database, through the instance's link.
    pub redis: String,
    /// `host:port` of the broker, through the instance's link.
    pub kafka: String,
    /// What the run's topics begin with.
    pub prefix: String,
    /// URL of the payment gateway, through the instance's link; `None` where there is none.
    pub gateway: Option<String>,
}

/// Words and environment of a command.
type Filled = (Vec<String>, BTreeMap<String, String>);

/// A command with nothing left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The program's file.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its environment, on top of whatever else it is given.
    pub env: BTreeMap<String, String>,
}

/// What a container is given, with nothing left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedContainer {
    /// Program and arguments, or what the image makes of them; empty for the image's own.
    pub command: Vec<String>,
    /// Its environment, on top of the image's.
    pub env: BTreeMap<String, String>,
}

impl Target {
    /// The command of an instance of `role`. The working directory is [`Target::directory`].
    ///
    /// # Errors
    /// When the program is nowhere to be found, or a template fails.
    pub fn render(&self, role: &Role, variables: &Variables) -> Result<Rendered, ManifestError> {
        let (words, env) = self.filled_role(role, variables)?;
        self.found(words, env)
    }

    /// What the container of an instance of `role` is given.
    ///
    /// # Errors
    /// When a template fails.
    pub fn render_container(&self, role: &Role, variables: &Variables) -> Result<RenderedContainer, ManifestError> {
        let (command, env) = self.filled_role(role, variables)?;
        Ok(RenderedContainer { command, env })
    }

    fn filled_role(&self, role: &Role, variables: &Variables) -> Result<Filled, ManifestError> {
        let port = variables.port.to_string();
        let gateway = variables.gateway.as_deref().map(|url| (GATEWAY_VARIABLE, url));
        let values = [
            ("port", port.as_str()),
            ("instance", &variables.instance),
            ("postgres", &variables.postgres),
            ("redis", &variables.redis),
            ("kafka", &variables.kafka),
            ("prefix", &variables.prefix),
        ];
        let parts = [postgres_parts(&variables.postgres), redis_parts(&variables.redis), kafka_parts(&variables.kafka)];
        let parts = parts.iter().flatten().map(|(name, value)| (*name, value.as_str()));
        let values: Vec<_> = values.into_iter().chain(parts).chain(gateway).collect();
        self.filled(&format!("role `{}`", role.name), &role.command, &role.env, &values)
    }

    /// The command that fills the empty database at `postgres`; `None` when the target has no `[setup]`.
    ///
    /// # Errors
    /// As [`Target::render`].
    pub fn render_setup(&self, postgres: &str) -> Result<Option<Rendered>, ManifestError> {
        self.filled_setup(postgres)?.map(|(words, env)| self.found(words, env)).transpose()
    }

    /// The same for a set-up that runs in a container.
    ///
    /// # Errors
    /// When a template fails.
    pub fn render_setup_container(&self, postgres: &str) -> Result<Option<RenderedContainer>, ManifestError> {
        Ok(self.filled_setup(postgres)?.map(|(command, env)| RenderedContainer { command, env }))
    }

    fn filled_setup(&self, postgres: &str) -> Result<Option<Filled>, ManifestError> {
        let parts = postgres_parts(postgres);
        let parts = parts.iter().map(|(name, value)| (*name, value.as_str()));
        let values: Vec<_> = std::iter::once(("postgres", postgres)).chain(parts).collect();
        let setup = self.setup.as_ref();
        setup.map(|setup| self.filled("`[setup]`", &setup.command, &setup.env, &values)).transpose()
    }

    /// The command that compiles the target, to be run in [`Target::directory`]; `None` when the manifest has no `build`.
    ///
    /// # Errors
    /// When the program is nowhere to be found.
    pub fn render_build(&self) -> Result<Option<Rendered>, ManifestError> {
        let Some((program, arguments)) = self.build.as_ref().and_then(|words| words.split_first()) else {
            return Ok(None);
        };
        let program = program::find(program, &self.directory)?;
        Ok(Some(Rendered { program, arguments: arguments.to_vec(), env: BTreeMap::new() }))
    }

    fn found(&self, words: Vec<String>, env: BTreeMap<String, String>) -> Result<Rendered, ManifestError> {
        let mut words = words.into_iter();
        let program = words.next().unwrap_or_default();
        Ok(Rendered { program: program::find(&program, &self.directory)?, arguments: words.collect(), env })
    }

    fn filled(
        &self,
        what: &str,
        command: &[String],
        env: &BTreeMap<String, String>,
        values: &[(&str, &str)],
    ) -> Result<Filled, ManifestError> {
        let directory = self.directory.display().to_string();
        let values: Vec<_> = values.iter().copied().chain([("directory", directory.as_str())]).collect();
        let fill = |text: &String| {
            fill(text, &values).map_err(|why| ManifestError(format!("{what} of {}: `{text}`: {why}", self.name)))
        };
        let words = command.iter().map(fill).collect::<Result<_, _>>()?;
        let env = env.iter().map(|(name, text)| Ok((name.clone(), fill(text)?))).collect::<Result<_, _>>()?;
        Ok((words, env))
    }
}

/// A part of an address, and the name that templates know it by.
type Part = (&'static str, String);

/// The parts of the URL of Postgres. A URL that cannot be read has none, and templates that ask for them say so.
fn postgres_parts(url: &str) -> Vec<Part> {
    let Ok(url) = reqwest::Url::parse(url) else { return Vec::new() };
    let [host, port, user, password, database] = POSTGRES_PARTS;
    vec![
        (host, url.host_str().unwrap_or_default().to_owned()),
        (port, url.port().unwrap_or(5432).to_string()),
        (user, url.username().to_owned()),
        (password, url.password().unwrap_or_default().to_owned()),
        (database, url.path().trim_start_matches('/').to_owned()),
    ]
}

/// The same of Redis.
fn redis_parts(url: &str) -> Vec<Part> {
    let Ok(url) = reqwest::Url::parse(url) else { return Vec::new() };
    vec![
        ("redis_host", url.host_str().unwrap_or_default().to_owned()),
        ("redis_port", url.port().unwrap_or(6379).to_string()),
        ("redis_password", url.password().unwrap_or_default().to_owned()),
        ("redis_database", url.path().trim_start_matches('/').to_owned()),
    ]
}

/// The same of the broker, which has no URL.
fn kafka_parts(address: &str) -> Vec<Part> {
    let Some((host, port)) = address.rsplit_once(':') else { return Vec::new() };
    vec![("kafka_host", host.to_owned()), ("kafka_port", port.to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::parse::OTHER_PARTS;

    #[test]
    fn addresses_come_in_parts_under_the_names_that_manifests_may_use() {
        let of =
            |parts: Vec<Part>| parts.into_iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>();
        let postgres = postgres_parts("postgres://app:secret@172.18.0.1:40001/run_1");
        let mut names: Vec<_> = postgres.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, POSTGRES_PARTS);
        assert_eq!(
            of(postgres),
            [
                "postgres_host 172.18.0.1",
                "postgres_port 40001",
                "postgres_user app",
                "postgres_password secret",
                "postgres_database run_1"
            ]
        );
        let redis = redis_parts("redis://:secret@127.0.0.1:40002/3");
        let kafka = kafka_parts("127.0.0.1:40003");
        names = redis.iter().chain(&kafka).map(|(name, _)| *name).collect();
        assert_eq!(names, OTHER_PARTS);
        assert_eq!(
            of(redis),
            ["redis_host 127.0.0.1", "redis_port 40002", "redis_password secret", "redis_database 3"]
        );
        assert_eq!(of(kafka), ["kafka_host 127.0.0.1", "kafka_port 40003"]);
    }
}
