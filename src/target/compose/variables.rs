//! An environment with the addresses of the stack in it, for one that has variables of fireassay instead.

use std::collections::BTreeSet;

use super::address::{Found, Hosts, words};
use super::kind::Server;
use super::phrase::Phrase;

/// What the environment of a role becomes.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    pub(super) values: Vec<(String, Phrase)>,
    /// Topics that are named in it, without a prefix.
    pub(super) topics: Vec<String>,
    /// Whether the service is told where Kafka is.
    pub(super) speaks_kafka: bool,
    /// What is to be looked at.
    pub(super) remarks: Vec<String>,
}

/// What an environment may name besides the servers of the stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Others<'a> {
    /// The other services.
    pub(super) names: &'a [&'a str],
    /// Whether fireassay plays a payment gateway for the profile.
    pub(super) has_gateway: bool,
}

/// What can be apart in an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Port,
    User,
    Password,
    Database,
}

const HOST_ENDINGS: [&str; 16] = [
    "HOSTNAME",
    "HOST",
    "JDBC_URL",
    "URL",
    "URI",
    "DSN",
    "ADDRESSES",
    "ADDRESS",
    "ADDR",
    "ENDPOINT",
    "SERVERS",
    "SERVER",
    "BROKERS",
    "BROKER",
    "CONNECTION_STRING",
    "NODES",
];

const PARTS: [(Part, &[&str]); 4] = [
    (Part::Port, &["PORT"]),
    (Part::User, &["USER", "USERNAME", "LOGIN"]),
    (Part::Password, &["PASSWORD", "PASS", "PASSWD", "PWD"]),
    (Part::Database, &["DATABASE", "DB", "DBNAME", "NAME", "DB_NAME", "DATABASE_NAME", "DATABASE_INDEX", "DB_INDEX"]),
];

const fn variable(server: Server, part: Part) -> Option<&'static str> {
    match (server, part) {
        (Server::Postgres, Part::Port) => Some("postgres_port"),
        (Server::Postgres, Part::User) => Some("postgres_user"),
        (Server::Postgres, Part::Password) => Some("postgres_password"),
        (Server::Postgres, Part::Database) => Some("postgres_database"),
        (Server::Redis, Part::Port) => Some("redis_port"),
        (Server::Redis, Part::Password) => Some("redis_password"),
        (Server::Redis, Part::Database) => Some("redis_database"),
        (Server::Kafka, Part::Port) => Some("kafka_port"),
        (Server::Redis, Part::User) | (Server::Kafka, _) => None,
    }
}

const fn host(server: Server) -> &'static str {
    match server {
        Server::Postgres => "postgres_host",
        Server::Redis => "redis_host",
        Server::Kafka => "kafka_host",
    }
}

/// A variable that holds an address, and so says what its neighbours are about.
struct Anchor {
    prefix: String,
    server: Server,
    /// Whether it was a host and nothing else.
    is_bare: bool,
}

/// The environment of a service. Where an address was in it, a variable is. What the service is told elsewhere, in its
/// command, counts for whether it speaks to Kafka.
pub(super) fn translate<'a>(
    values: impl Iterator<Item = (&'a str, &'a str)>,
    hosts: &Hosts,
    others: Others<'_>,
    is_told_kafka: bool,
) -> Environment {
    let values: Vec<_> = values.collect();
    let mut environment = Environment::default();
    let mut anchors = Vec::new();
    let mut phrases: Vec<Option<Phrase>> = Vec::new();
    for (name, value) in &values {
        let found = of_address(name, value, hosts);
        if let Some(found) = &found {
            let is_bare = hosts.server(value).is_some();
            anchors.extend(prefix(name).map(|prefix| Anchor { prefix, server: found.server, is_bare }));
            environment.remarks.extend(found.remark.as_ref().map(|remark| format!("{name}: {remark}")));
        }
        phrases.push(found.map(|found| found.phrase));
    }
    environment.speaks_kafka =
        is_told_kafka || phrases.iter().flatten().any(|phrase| phrase.has("kafka") || phrase.has("kafka_host"));
    for ((name, value), phrase) in values.into_iter().zip(phrases) {
        let phrase = phrase.or_else(|| of_part(name, value, &anchors));
        let phrase = phrase
            .or_else(|| if environment.speaks_kafka { of_topic(name, value, &mut environment.topics) } else { None });
        let phrase = phrase.unwrap_or_else(|| {
            environment.remarks.extend(stranger(name, value, hosts, others).map(|what| format!("{name} {what}")));
            Phrase::plain(value)
        });
        environment.values.push((name.to_owned(), phrase));
    }
    environment.remarks.extend(missing(&environment.values, &anchors));
    environment
}

/// As environments write it: upper case, with underscores.
fn normal(name: &str) -> String {
    name.to_ascii_uppercase().replace(['.', '-'], "_")
}

/// What the name begins with, if it ends as those of addresses do.
fn prefix(name: &str) -> Option<String> {
    let name = normal(name);
    let ending = HOST_ENDINGS.iter().find(|ending| name.ends_with(**ending))?;
    let prefix = name.strip_suffix(*ending)?;
    (!prefix.trim_matches('_').is_empty()).then(|| prefix.to_owned())
}

fn of_address(name: &str, value: &str, hosts: &Hosts) -> Option<Found> {
    if let Some(server) = hosts.server(value) {
        // Services are often called what users, databases and dialects are called too.
        let normal = normal(name);
        let is_host = HOST_ENDINGS.iter().any(|ending| normal == *ending || normal.ends_with(ending));
        return is_host.then(|| Found { phrase: Phrase::default().variable(host(server)), server, remark: None });
    }
    hosts.find(value)
}

/// A part that is apart from its host.
fn of_part(name: &str, value: &str, anchors: &[Anchor]) -> Option<Phrase> {
    let name = normal(name);
    anchors.iter().find_map(|anchor| {
        let rest = name.strip_prefix(&anchor.prefix)?;
        let (part, _) = PARTS.iter().find(|(_, endings)| endings.contains(&rest))?;
        // Beside a URL, a port may be that of something else.
        let is_its = *part != Part::Port || anchor.is_bare || value == anchor.server.port().to_string();
        variable(anchor.server, *part).filter(|_| is_its).map(|variable| Phrase::default().variable(variable))
    })
}

/// The names in a list of them.
pub(super) fn listed(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim)
}

/// Each with the prefix of the run: on the broker that all runs share, each has its own topics and groups.
pub(super) fn prefixed<'a>(names: impl Iterator<Item = &'a str>) -> Phrase {
    names.enumerate().fold(Phrase::default(), |phrase, (count, name)| {
        let phrase = if count > 0 { phrase.text(",") } else { phrase };
        phrase.variable("prefix").text(name)
    })
}

/// Topics and groups, if that is what the variable, or the option of a command, is called after.
pub(super) fn of_topic(name: &str, value: &str, topics: &mut Vec<String>) -> Option<Phrase> {
    const SETTINGS: [&str; 13] = [
        "PARTITIONS",
        "PARTITION",
        "REPLICATION",
        "REPLICAS",
        "FACTOR",
        "RETENTION",
        "AUTO",
        "CREATE",
        "ENABLED",
        "COUNT",
        "TIMEOUT",
        "INSTANCE",
        "INTERVAL",
    ];
    let normal = normal(name);
    let words: BTreeSet<&str> = normal.split('_').collect();
    let has = |word: &str| words.contains(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let is_name = |name: &str| {
        !name.is_empty()
            && name.len() <= 200
            && name.chars().all(plain)
            && name.contains(|c: char| c.is_ascii_alphabetic())
    };
    if SETTINGS.iter().any(|word| has(word)) || !listed(value).all(is_name) || matches!(value, "true" | "false") {
        return None;
    }
    let is_topic = has("TOPIC") || has("TOPICS");
    let is_group = has("GROUP") || has("GROUPID") || normal.ends_with("TRANSACTIONAL_ID");
    if !is_topic && !is_group {
        return None;
    }
    for name in listed(value).filter(|_| is_topic && !has("PREFIX")) {
        if !topics.iter().any(|topic| topic == name) {
            topics.push(name.to_owned());
        }
    }
    Some(prefixed(listed(value)))
}

/// The hosts that a value names: those of addresses, and the whole of it if its name ends as those of addresses do.
pub(super) fn named<'a>(name: &str, value: &'a str) -> impl Iterator<Item = &'a str> {
    let looks_like_host = prefix(name).is_some();
    let is_address = move |start: usize, word: &str| {
        let (before, after) = (&value[..start], &value[start + word.len()..]);
        before.ends_with("://")
            || before.ends_with('@')
            || (after.starts_with(':') && after[1..].starts_with(|c: char| c.is_ascii_digit()))
    };
    let is_named = move |start, word| is_address(start, word) || (word == value && looks_like_host);
    words(value).filter(move |(start, word)| is_named(*start, word)).map(|(_, word)| word)
}

/// What is to be said of a value that names a service in a way that is not understood, or one that cannot be reached.
pub(super) fn stranger(name: &str, value: &str, hosts: &Hosts, others: Others<'_>) -> Option<String> {
    for word in named(name, value) {
        if hosts.server(word).is_some() {
            return Some(format!(
                "names `{word}` in a way that is not understood: write it with the variables of fireassay"
            ));
        }
        if others.names.iter().any(|other| other.eq_ignore_ascii_case(word)) {
            let gateway = if others.has_gateway { "; the payment gateway is `{{ gateway }}`" } else { "" };
            return Some(format!(
                "names the service `{word}`, which cannot be reached: an instance has links to Postgres, Redis and Kafka{gateway}"
            ));
        }
    }
    None
}

/// What a server asks for and nothing in the environment gives.
fn missing(values: &[(String, Phrase)], anchors: &[Anchor]) -> Option<String> {
    let has = |variable: &str| values.iter().any(|(_, phrase)| phrase.has(variable));
    let given = |variables: &[&'static str]| variables.iter().copied().filter(|v| !has(v)).collect::<Vec<_>>();
    let by_host = |server: Server| has(host(server)) && !has(server.variable());
    let mut lacking = Vec::new();
    if by_host(Server::Postgres) {
        lacking.extend(given(&["postgres_port", "postgres_user", "postgres_password", "postgres_database"]));
    }
    if by_host(Server::Redis) {
        lacking.extend(given(&["redis_port", "redis_password", "redis_database"]));
    }
    if by_host(Server::Kafka) {
        lacking.extend(given(&["kafka_port"]));
    }
    if lacking.is_empty() {
        return None;
    }
    let prefix_of = |variable: &str| {
        let server =
            [Server::Postgres, Server::Redis, Server::Kafka].into_iter().find(|s| variable.starts_with(s.variable()));
        anchors.iter().find(|anchor| Some(anchor.server) == server).map_or("", |anchor| anchor.prefix.as_str())
    };
    let lines = lacking.iter().map(|variable| {
        let ending = variable.split_once('_').map_or("", |(_, ending)| ending).to_ascii_uppercase();
        format!("`{}{ending} = \"{{{{ {variable} }}}}\"`", prefix_of(variable))
    });
    Some(format!(
        "nothing in the environment says {}; give it under the names that the service reads, perhaps {}",
        in_words(&lacking),
        lines.collect::<Vec<_>>().join(", ")
    ))
}

/// `the port, user of Postgres`.
fn in_words(variables: &[&str]) -> String {
    let of = |server: Server| {
        let parts = variables.iter().filter_map(|variable| variable.strip_prefix(server.variable())?.strip_prefix('_'));
        let parts = parts.collect::<Vec<_>>().join(", ");
        (!parts.is_empty()).then(|| format!("the {parts} of {}", server.name()))
    };
    [Server::Postgres, Server::Redis, Server::Kafka].into_iter().filter_map(of).collect::<Vec<_>>().join(" and ")
}
