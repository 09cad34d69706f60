//! A service of a Compose file, read into what fireassay can use, and what it cannot.

use std::time::Duration;

use serde_json::{Map, Value};

use super::ComposeError;
use super::health::{self, Health};
use super::interpolate::{Filled, fill, fill_all};
use super::mount::{self, Mount};

/// What a manifest can say of a service.
#[derive(Clone, Debug, Default)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) image: Option<String>,
    pub(super) build: Option<Build>,
    pub(super) command: Vec<String>,
    pub(super) env: Vec<Variable>,
    pub(super) env_files: Vec<String>,
    /// Its ports in the container: published ones first.
    pub(super) ports: Vec<u16>,
    pub(super) mounts: Vec<Mount>,
    pub(super) replicas: Option<u64>,
    pub(super) health: Option<Health>,
    pub(super) stop_grace: Option<Duration>,
    /// Services that have to have ended well before it starts.
    pub(super) after: Vec<String>,
    /// Whether nobody starts it again when it ends.
    pub(super) ends: bool,
    /// Other names that it is reached by.
    pub(super) aliases: Vec<String>,
    /// It is started only when somebody asks for one of these.
    pub(super) profiles: Vec<String>,
    /// Keys that matter and that a manifest has nothing for, with their values.
    pub(super) left_out: Vec<String>,
    /// Variables without a default, outside of its environment.
    pub(super) missing: Vec<String>,
}

/// How its image is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Build {
    pub(super) context: String,
    pub(super) dockerfile: Option<String>,
    pub(super) target: Option<String>,
    pub(super) args: Vec<(String, String)>,
}

impl Build {
    /// Whether `docker build` of the folder is all.
    pub(super) fn is_plain(&self) -> bool {
        self.dockerfile.as_deref().is_none_or(|file| file == "Dockerfile")
            && self.target.is_none()
            && self.args.is_empty()
    }
}

/// A variable of the environment.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    /// Nothing where it is handed on from the shell.
    pub(super) value: Option<Filled>,
}

/// Keys that change nothing for fireassay, or are handled.
const KNOWN: [&str; 34] = [
    "annotations",
    "attach",
    "build",
    "command",
    "container_name",
    "depends_on",
    "deploy",
    "develop",
    "env_file",
    "environment",
    "expose",
    "healthcheck",
    "hostname",
    "image",
    "init",
    "labels",
    "logging",
    "networks",
    "platform",
    "ports",
    "profiles",
    "pull_policy",
    "restart",
    "scale",
    "stdin_open",
    "stop_grace_period",
    "tty",
    "volumes",
    "extends",
    "cpus",
    "mem_limit",
    "mem_reservation",
    "label_file",
    "links",
];

impl Service {
    pub(super) fn read(name: &str, value: &Value) -> Result<Self, ComposeError> {
        let at = Place { service: name };
        let mut table = at.map(value, "")?.clone();
        let env = at.variables(table.get("environment"))?;
        table.remove("environment");
        let mut missing = Vec::new();
        table.values_mut().for_each(|value| fill_all(value, &mut missing));
        let get = |key: &str| table.get(key).filter(|value| !value.is_null());
        if get("extends").is_some() {
            return Err(ComposeError(format!(
                "the service `{name}` extends another one, and `extends` is not read here; write the file out with `docker compose config > whole.yml` and give that"
            )));
        }
        let deploy = get("deploy").and_then(Value::as_object);
        let count = get("scale").or_else(|| deploy?.get("replicas"));
        let mut service = Self {
            name: name.to_owned(),
            image: get("image").and_then(scalar).filter(|image| !image.is_empty()),
            build: get("build").map(|value| at.build(value)).transpose()?,
            command: get("command").map(|value| at.words(value, "command")).transpose()?.unwrap_or_default(),
            env,
            env_files: texts(get("env_file")),
            ports: at.ports(get("ports"), get("expose"))?,
            mounts: at.list(get("volumes"), "volumes")?.iter().map(mount::read).collect(),
            replicas: count.and_then(scalar).and_then(|text| text.parse().ok()),
            health: get("healthcheck").and_then(health::read),
            stop_grace: get("stop_grace_period")
                .and_then(scalar)
                .and_then(|text| humantime::parse_duration(&text).ok()),
            after: after(get("depends_on")),
            ends: get("restart")
                .and_then(scalar)
                .is_none_or(|policy| policy == "no" || policy.starts_with("on-failure")),
            aliases: aliases(&table),
            profiles: texts(get("profiles")),
            left_out: Vec::new(),
            missing,
        };
        let unknown = table.iter().filter(|(key, _)| !KNOWN.contains(&key.as_str()) && !key.starts_with("x-"));
        service.left_out = unknown.map(|(key, value)| format!("`{key}: {value}`")).collect();
        Ok(service)
    }

    /// All that it reads from its environment by itself, without what has no value.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        let known = self.env.iter().filter_map(|variable| Some((variable, variable.value.as_ref()?)));
        known
            .filter(|(_, value)| value.missing.is_empty())
            .map(|(variable, value)| (variable.name.as_str(), value.text.as_str()))
    }
}

/// Whose keys are being read, for errors.
struct Place<'a> {
    service: &'a str,
}

impl Place<'_> {
    fn wrong(&self, key: &str, expected: &str) -> ComposeError {
        let dot = if key.is_empty() { "" } else { "." };
        ComposeError(format!(
            "`services.{}{dot}{key}` is not {expected}; `docker compose config` says what Docker makes of the file",
            self.service
        ))
    }

    fn map<'v>(&self, value: &'v Value, key: &str) -> Result<&'v Map<String, Value>, ComposeError> {
        value.as_object().ok_or_else(|| self.wrong(key, "a map"))
    }

    fn list<'v>(&self, value: Option<&'v Value>, key: &str) -> Result<&'v [Value], ComposeError> {
        value.map_or(Ok(&[]), |value| value.as_array().map(Vec::as_slice).ok_or_else(|| self.wrong(key, "a list")))
    }

    fn variables(&self, value: Option<&Value>) -> Result<Vec<Variable>, ComposeError> {
        let wrong = || self.wrong("environment", "a map or a list of `NAME=VALUE`");
        let variable =
            |name: &str, value: Option<String>| Variable { name: name.to_owned(), value: value.map(|v| fill(&v)) };
        match value {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Object(map)) => {
                let read = |(name, value): (&String, &Value)| match value {
                    Value::Null => Ok(variable(name, None)),
                    value => scalar(value).map(|text| variable(name, Some(text))).ok_or_else(wrong),
                };
                map.iter().map(read).collect()
            }
            Some(Value::Array(list)) => {
                let read = |item: &Value| {
                    let text = scalar(item).ok_or_else(wrong)?;
                    Ok(match text.split_once('=') {
                        Some((name, value)) => variable(name, Some(value.to_owned())),
                        None => variable(&text, None),
                    })
                };
                list.iter().map(read).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    fn words(&self, value: &Value, key: &str) -> Result<Vec<String>, ComposeError> {
        let wrong = || self.wrong(key, "a text or a list of texts");
        match value {
            Value::Array(items) => items.iter().map(|item| scalar(item).ok_or_else(wrong)).collect(),
            // Compose takes a text apart as a shell does, and runs no shell.
            value => scalar(value).and_then(|text| shlex::split(&text)).ok_or_else(wrong),
        }
    }

    fn build(&self, value: &Value) -> Result<Build, ComposeError> {
        if let Some(context) = scalar(value) {
            return Ok(Build { context, ..Build::default() });
        }
        let table = self.map(value, "build")?;
        let text = |key: &str| table.get(key).and_then(scalar);
        let args = self.variables(table.get("args"))?.into_iter();
        Ok(Build {
            context: text("context").unwrap_or_else(|| ".".to_owned()),
            dockerfile: text("dockerfile"),
            target: text("target"),
            args: args.map(|arg| (arg.name, arg.value.unwrap_or_default().text)).collect(),
        })
    }

    fn ports(&self, published: Option<&Value>, exposed: Option<&Value>) -> Result<Vec<u16>, ComposeError> {
        let published = self.list(published, "ports")?.iter().map(|port| (port, "ports"));
        let exposed = self.list(exposed, "expose")?.iter().map(|port| (port, "expose"));
        let mut ports = Vec::new();
        for (value, key) in published.chain(exposed) {
            let inside = match value {
                Value::Object(long) => long.get("target").and_then(scalar),
                short => scalar(short),
            };
            let inside = inside.ok_or_else(|| self.wrong(key, "a list of ports"))?;
            if inside.ends_with("/udp") {
                continue;
            }
            // The last part is the port in the container; of a range its first.
            let last = inside.rsplit(':').next().unwrap_or(&inside);
            let digits = last.split(['/', '-']).next().unwrap_or(last);
            let port = digits.parse().map_err(|_| self.wrong(key, "a list of ports"))?;
            if port != 0 && !ports.contains(&port) {
                ports.push(port);
            }
        }
        Ok(ports)
    }
}

/// A plain value as the text that it is for Docker.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// One text, a list of them, or a list of tables with a `path`.
fn texts(value: Option<&Value>) -> Vec<String> {
    let one = |value: &Value| scalar(value).or_else(|| value.get("path").and_then(scalar));
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}

fn after(value: Option<&Value>) -> Vec<String> {
    let Some(Value::Object(map)) = value else { return Vec::new() };
    let done = |value: &Value| value.get("condition").and_then(Value::as_str) == Some("service_completed_successfully");
    map.iter().filter(|(_, value)| done(value)).map(|(name, _)| name.clone()).collect()
}

fn aliases(table: &Map<String, Value>) -> Vec<String> {
    let named = ["container_name", "hostname"].into_iter().filter_map(|key| table.get(key).and_then(scalar));
    let networks = table.get("networks").and_then(Value::as_object).into_iter().flat_map(Map::values);
    let on_networks = networks.flat_map(|network| texts(network.get("aliases")));
    named.chain(on_networks).collect()
}
