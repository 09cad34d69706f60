//! From the text of a manifest to a [`Target`]. Everything that can be checked without starting anything is checked here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use super::ManifestError;
use super::container;
use super::events::EventMapping;
use super::manifest::{Command, Expected, Lack, Ready, Role, Target, Topic};
use super::mapping::{self, Mapping};
use super::table::{Item, Result, Table};
use crate::profile::Profile;
use crate::sandbox::{Backend, Images};
use crate::source::{Source, suggest};

/// What the templates of a role may use.
pub(super) const ROLE_VARIABLES: [&str; 7] = ["port", "instance", "postgres", "redis", "kafka", "prefix", "directory"];

/// Postgres's address in parts: not every service takes a URL.
pub(super) const POSTGRES_PARTS: [&str; 5] =
    ["postgres_host", "postgres_port", "postgres_user", "postgres_password", "postgres_database"];

/// The addresses of the others in parts, for roles.
pub(super) const OTHER_PARTS: [&str; 6] =
    ["redis_host", "redis_port", "redis_password", "redis_database", "kafka_host", "kafka_port"];

/// What they may use besides, where a profile of the target has a payment gateway.
pub(super) const GATEWAY_VARIABLE: &str = "gateway";

/// What the templates of the setup command may use.
pub(super) const SETUP_VARIABLES: [&str; 2] = ["postgres", "directory"];

const INSTANCES_MAX: i64 = 100;
const PARTITIONS_MAX: i64 = 1_000;
const START_DEADLINE: Duration = Duration::from_secs(10);
const STOP_DEADLINE: Duration = Duration::from_secs(10);
const SETUP_DEADLINE: Duration = Duration::from_secs(60);

/// Reads a manifest for these profiles. `path` is what errors call the file.
pub(super) fn target(path: &str, text: &str, directory: PathBuf, profiles: &[&'static dyn Profile]) -> Result<Target> {
    let source = Source { path, text };
    let document = DeTable::parse(text)
        .map_err(|error| ManifestError(source.point(error.span().unwrap_or(0..0), error.message().trim_end(), None)))?;
    let root = Table::root(source, &document);
    let all: Vec<_> = profiles.iter().map(|profile| profile.name()).collect();
    let mut keys = vec![
        "name", "profiles", "backend", "images", "build", "setup", "role", "front", "kafka", "source", "events",
        "expected", "lacks",
    ];
    keys.extend(&all);
    root.only(&keys)?;

    let spoken = spoken(&root, profiles)?;
    for (name, item) in root.items() {
        if all.contains(&name) && !spoken.iter().any(|profile| profile.name() == name) {
            return Err(item.wrong_key(&format!("`{name}` is mapped but not among `profiles`"), None));
        }
    }
    let roles = roles(&root, &role_variables(&spoken), &directory)?;
    let topics = topics(&root)?;
    let mut mappings = BTreeMap::new();
    for profile in &spoken {
        mappings.insert(profile.name(), Mapping::read(*profile, root.get(profile.name()).as_ref())?);
    }
    Ok(Target {
        name: name(&root)?,
        manifest: PathBuf::from(path),
        directory,
        profiles: spoken.iter().map(|profile| profile.name().to_owned()).collect(),
        backend: root.get("backend").map(|item| backend(&item)).transpose()?,
        images: root.get("images").map(|item| images(&item.table()?)).transpose()?.unwrap_or_default(),
        build: root.get("build").map(|item| words(&item, None)).transpose()?,
        setup: root.get("setup").map(|item| setup(&item.table()?)).transpose()?,
        front: front(&root, &roles)?,
        events: events(&root, &spoken, &topics)?,
        source: source_topic(&root, &spoken, &topics)?,
        expected: declared(&root, "expected", &["requirement", "reason", "issue"], &spoken)?,
        lacks: lacks(&root, &spoken)?,
        roles,
        topics,
        mappings,
    })
}

fn name(root: &Table<'_>) -> Result<String> {
    let item = root.require("name", "call the target something, as in `name = \"acme-ledger\"`")?;
    identifier(&item, item.string()?)?;
    item.string().map(str::to_owned)
}

/// Names go into file names, process names and reports.
fn identifier(item: &Item<'_>, name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.len() <= 64 && name.chars().all(plain) {
        return Ok(());
    }
    Err(item.wrong_key("this is not a name", Some("use up to 64 letters, digits, `-` and `_`")))
}

fn spoken(root: &Table<'_>, profiles: &[&'static dyn Profile]) -> Result<Vec<&'static dyn Profile>> {
    let all: Vec<_> = profiles.iter().map(|profile| profile.name()).collect();
    let list = root.require("profiles", "say what it implements, as in `profiles = [\"ledger\"]`")?;
    let mut spoken: Vec<&'static dyn Profile> = Vec::new();
    for item in list.list()? {
        let name = item.string()?;
        let Some(profile) = profiles.iter().find(|profile| profile.name() == name) else {
            return Err(item.wrong(&format!("unknown profile `{name}`"), Some(&suggest(name, &all))));
        };
        if spoken.iter().any(|other| other.name() == name) {
            return Err(item.wrong(&format!("profile `{name}` is named twice"), None));
        }
        spoken.push(*profile);
    }
    if spoken.is_empty() {
        return Err(list.wrong("the target implements no profile", Some(&suggest("", &all))));
    }
    Ok(spoken)
}

fn backend(item: &Item<'_>) -> Result<Backend> {
    let name = item.string()?;
    let known = Backend::ALL.map(|backend| backend.to_string());
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    name.parse().map_err(|()| item.wrong(&format!("there is no backend `{name}`"), Some(&suggest(name, &known))))
}

fn images(table: &Table<'_>) -> Result<Images> {
    table.only(&["postgres", "redis", "kafka"])?;
    let named = |key| table.get(key).map(|item| container::image(&item)).transpose();
    Ok(Images { postgres: named("postgres")?, redis: named("redis")?, kafka: named("kafka")? })
}

fn roles(root: &Table<'_>, known: &BTreeSet<&str>, directory: &Path) -> Result<Vec<Role>> {
    let help = "describe a kind of process, as in `[role.api]` with `command = [\"./serve\"]`";
    let table = root.require("role", help)?.table()?;
    let mut roles = Vec::new();
    for (name, item) in table.items() {
        identifier(&item, name)?;
        roles.push(role(name, &item.table()?, known, directory)?);
    }
    if roles.is_empty() {
        return Err(table.wrong("the target has no role", Some(help)));
    }
    Ok(roles)
}

/// What the templates of a role of such a target may use.
fn role_variables(spoken: &[&'static dyn Profile]) -> BTreeSet<&'static str> {
    let gateway = spoken.iter().any(|profile| profile.has_gateway()).then_some(GATEWAY_VARIABLE);
    ROLE_VARIABLES.into_iter().chain(POSTGRES_PARTS).chain(OTHER_PARTS).chain(gateway).collect()
}

fn role(name: &str, table: &Table<'_>, known: &BTreeSet<&str>, directory: &Path) -> Result<Role> {
    if let Some(item) = table.get("url") {
        return Err(item.wrong_key(
            "`url` is not supported yet: fireassay starts a role's processes itself",
            Some("give the role a `command` or an `image`"),
        ));
    }
    let mut keys = vec!["command", "image", "instances", "env", "ready", "start_deadline", "stop_deadline"];
    let container = container::read(table, directory)?;
    if container.is_some() {
        keys.extend(container::KEYS);
    }
    table.only(&keys)?;
    let help = format!("say how to start `{name}`, as in `command = [\"./serve\"]` or `image = \"acme:1.4\"`");
    let command = match (table.get("command"), &container) {
        (None, Some(_)) => Vec::new(),
        _ => words(&table.require("command", &help)?, Some(known))?,
    };
    let instances = table.get("instances").map_or(Ok(1), |item| item.integer(1..=INSTANCES_MAX))?;
    Ok(Role {
        name: name.to_owned(),
        command,
        container,
        instances: u16::try_from(instances).unwrap_or(1),
        env: environment(table, known)?,
        ready: table.get("ready").map_or(Ok(Ready::Running), |item| ready(&item))?,
        start_deadline: deadline(table, "start_deadline", START_DEADLINE)?,
        stop_deadline: deadline(table, "stop_deadline", STOP_DEADLINE)?,
    })
}

fn setup(table: &Table<'_>) -> Result<Command> {
    table.only(&["command", "image", "env", "deadline"])?;
    let known: BTreeSet<_> = SETUP_VARIABLES.into_iter().chain(POSTGRES_PARTS).collect();
    let help = "say what prepares an empty database, as in `command = [\"./migrate\"]`";
    let image = table.get("image").map(|item| container::image(&item)).transpose()?;
    let command = match (table.get("command"), &image) {
        (None, Some(_)) => Vec::new(),
        _ => words(&table.require("command", help)?, Some(&known))?,
    };
    Ok(Command {
        command,
        image,
        env: environment(table, &known)?,
        deadline: deadline(table, "deadline", SETUP_DEADLINE)?,
    })
}

/// A command; its templates are checked where it may have any.
fn words(item: &Item<'_>, known: Option<&BTreeSet<&str>>) -> Result<Vec<String>> {
    let words = item.command()?;
    for word in &words {
        if let Some(known) = known {
            mapping::parse(word, known)?;
        }
    }
    words.iter().map(|word| word.string().map(str::to_owned)).collect()
}

fn environment(table: &Table<'_>, known: &BTreeSet<&str>) -> Result<BTreeMap<String, String>> {
    let mut environment = BTreeMap::new();
    for (name, item) in table.get("env").map(|item| item.strings()).transpose()?.unwrap_or_default() {
        mapping::parse(&item, known)?;
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(item.wrong_key("this is not the name of an environment variable", None));
        }
        environment.insert(name.to_owned(), item.string()?.to_owned());
    }
    Ok(environment)
}

fn ready(item: &Item<'_>) -> Result<Ready> {
    match item.string()? {
        "port" => Ok(Ready::Port),
        "running" => Ok(Ready::Running),
        text => match text.strip_prefix("GET ").map(str::trim) {
            Some(path) if path.starts_with('/') && !path.contains(char::is_whitespace) => {
                Ok(Ready::Http(path.to_owned()))
            }
            _ => Err(item.wrong(
                &format!("`{text}` is not a ready probe"),
                Some("write `\"GET /health\"` (any path), `\"port\"` or `\"running\"`"),
            )),
        },
    }
}

fn deadline(table: &Table<'_>, key: &str, default: Duration) -> Result<Duration> {
    table.get(key).map_or(Ok(default), |item| item.duration())
}

fn front(root: &Table<'_>, roles: &[Role]) -> Result<String> {
    if let Some(item) = root.get("front") {
        let names: Vec<_> = roles.iter().map(|role| role.name.as_str()).collect();
        let name = item.string()?;
        return match names.contains(&name) {
            true => Ok(name.to_owned()),
            false => Err(item.wrong(&format!("there is no role `{name}`"), Some(&suggest(name, &names)))),
        };
    }
    let first = roles.iter().find(|role| matches!(role.ready, Ready::Http(_)));
    first.map(|role| role.name.clone()).ok_or_else(|| {
        root.wrong(
            "it is not said which role takes the callers' requests",
            Some("give that role `ready = \"GET /health\"`, or name it with `front = \"api\"` above the first table"),
        )
    })
}

fn topics(root: &Table<'_>) -> Result<Vec<Topic>> {
    let Some(kafka) = root.get("kafka") else { return Ok(Vec::new()) };
    let kafka = kafka.table()?;
    kafka.only(&["topics"])?;
    let help = "list the topics, as in `topics = [{ name = \"{{ prefix }}payments\", partitions = 4 }]`";
    let mut topics: Vec<Topic> = Vec::new();
    for item in kafka.require("topics", help)?.list()? {
        let table = item.table()?;
        table.only(&["name", "partitions"])?;
        let name = table.require("name", help)?;
        let partitions = table.get("partitions").map_or(Ok(1), |item| item.integer(1..=PARTITIONS_MAX))?;
        let topic = Topic { name: topic(&name)?, partitions: i32::try_from(partitions).unwrap_or(1) };
        if topics.iter().any(|other| other.name == topic.name) {
            return Err(name.wrong("this topic is listed twice", None));
        }
        topics.push(topic);
    }
    Ok(topics)
}

/// A topic's name: without the run's prefix, runs side by side would read each other's records.
fn topic(item: &Item<'_>) -> Result<String> {
    mapping::parse(item, &BTreeSet::from(["prefix"]))?;
    let name = item.string()?;
    let rest = name.strip_prefix("{{").map(str::trim_start).and_then(|rest| rest.strip_prefix("prefix"));
    match rest.map(str::trim_start).and_then(|rest| rest.strip_prefix("}}")) {
        Some(plain) if !plain.is_empty() && !plain.contains("{{") => Ok(format!("{}{plain}", Topic::PREFIX)),
        _ => Err(item.wrong(
            "the topic does not begin with the run's prefix",
            Some("begin it with `{{ prefix }}`, and give the service the same prefix in its `env`"),
        )),
    }
}

/// One of the topics that the harness creates.
fn created<'a>(item: &Item<'_>, topics: &'a [Topic]) -> Result<&'a Topic> {
    let name = topic(item)?;
    topics
        .iter()
        .find(|topic| topic.name == name)
        .ok_or_else(|| item.wrong("this topic is not created by anybody", Some("add it to `topics` of `[kafka]`")))
}

/// The topic that callers publish to, if a profile has them publish.
fn source_topic(root: &Table<'_>, spoken: &[&'static dyn Profile], topics: &[Topic]) -> Result<Option<Topic>> {
    let help = "name the topic that it consumes from, as in `topic = \"{{ prefix }}movements\"`";
    let publishing = spoken.iter().find(|profile| !profile.publications().is_empty());
    match (root.get("source"), publishing) {
        (None, None) => Ok(None),
        (None, Some(profile)) => {
            let what = format!("it is not said where callers of the profile `{}` publish", profile.name());
            Err(root.wrong(&what, Some("add `[source]` with the `topic` that the target consumes from")))
        }
        (Some(item), None) => Err(item.wrong_key("no profile of the target has callers that publish", None)),
        (Some(item), Some(_)) => {
            let table = item.table()?;
            table.only(&["topic"])?;
            created(&table.require("topic", help)?, topics).cloned().map(Some)
        }
    }
}

fn events(
    root: &Table<'_>,
    spoken: &[&'static dyn Profile],
    topics: &[Topic],
) -> Result<BTreeMap<&'static str, EventMapping>> {
    let Some(item) = root.get("events") else { return Ok(BTreeMap::new()) };
    let table = item.table()?;
    let help = "name the topic of its events, as in `topic = \"{{ prefix }}payments\"`";
    let topic = created(&table.require("topic", help)?, topics)?;
    let mut known = vec!["topic"];
    known.extend(spoken.iter().flat_map(|profile| profile.event_fields()).map(|field| field.name));
    table.only(&known)?;
    let mut events = BTreeMap::new();
    for profile in spoken {
        let mut fields =
            mapping::paths(profile.event_fields()).map_err(|error| mapping::built_in(profile.name(), &error))?;
        for field in profile.event_fields() {
            if let Some(item) = table.get(field.name) {
                mapping::change_path(&mut fields, field.name, &item)?;
            }
        }
        events.insert(profile.name(), EventMapping { topic: topic.clone(), fields });
    }
    Ok(events)
}

fn lacks(root: &Table<'_>, spoken: &[&'static dyn Profile]) -> Result<Vec<Lack>> {
    let declared = declared(root, "lacks", &["requirement", "reason"], spoken)?;
    Ok(declared.into_iter().map(|Expected { requirement, reason, .. }| Lack { requirement, reason }).collect())
}

/// A list of tables that each say something of one requirement, with the reason.
fn declared(root: &Table<'_>, key: &str, keys: &[&str], spoken: &[&'static dyn Profile]) -> Result<Vec<Expected>> {
    let Some(item) = root.get(key) else { return Ok(Vec::new()) };
    let mut expected: Vec<Expected> = Vec::new();
    for item in item.list()? {
        let table = item.table()?;
        table.only(keys)?;
        let requirement = table.require("requirement", "name the requirement, as in `ledger.once`")?;
        let id = requirement.string()?;
        let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        let of = id.split_once('.').filter(|(_, rest)| word(rest)).map(|(profile, _)| profile);
        if !spoken.iter().any(|profile| Some(profile.name()) == of) {
            let names: Vec<_> = spoken.iter().map(|profile| format!("`{}.…`", profile.name())).collect();
            return Err(requirement.wrong(
                &format!("`{id}` is not a requirement of the target's profiles"),
                Some(&format!("requirements here: {}", names.join(", "))),
            ));
        }
        if expected.iter().any(|other| other.requirement == id) {
            return Err(requirement.wrong(&format!("`{id}` is declared twice"), None));
        }
        let reason = table.require("reason", "say why, for whoever reads the report")?;
        if reason.string()?.trim().is_empty() {
            return Err(reason.wrong("the reason is empty", None));
        }
        let issue = table.get("issue").map(|item| item.string().map(str::to_owned)).transpose()?;
        expected.push(Expected { requirement: id.to_owned(), reason: reason.string()?.to_owned(), issue });
    }
    Ok(expected)
}
