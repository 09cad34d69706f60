//! All that goes into the manifest, from all services together.

use std::collections::BTreeSet;

use serde_json::Value;

use super::address::Hosts;
use super::command;
use super::images::Images;
use super::kind::{self, Kind, Server};
use super::notes::{At, Notes};
use super::role::{Making, Role};
use super::service::Service;
use super::variables::{self, Others};
use super::{ComposeError, Wanted, read, topics};
use crate::source::suggest;
use crate::target::Ready;

/// A manifest before it is written.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) name: String,
    pub(super) images: Vec<(Server, String)>,
    pub(super) build: Option<Vec<String>>,
    pub(super) front: Option<String>,
    pub(super) setup: Option<Role>,
    pub(super) roles: Vec<Role>,
    pub(super) topics: Vec<(String, u16)>,
    pub(super) speaks_kafka: bool,
    pub(super) notes: Notes,
}

/// More than anybody has in one file.
const SERVICES_MAX: usize = 500;

pub(super) fn of(wanted: &Wanted<'_>) -> Result<Parts, ComposeError> {
    let tree = read::tree(wanted.path, wanted.text)?;
    let services = services(wanted.path, &tree)?;
    check_names(&services, wanted.services)?;
    let mut notes = Notes::default();
    let name = tree.get("name").and_then(Value::as_str).filter(|name| !name.contains('$')).unwrap_or(wanted.name);
    let name = identifier(name);

    let hosts = hosts(&services);
    let images = servers(&services, wanted.base, &mut notes);
    let jobs: BTreeSet<&str> = services.iter().flat_map(|service| &service.after).map(String::as_str).collect();
    let (own, jobs) = chosen(&services, &jobs, wanted.services, &mut notes);
    if own.is_empty() {
        return Err(ComposeError(format!(
            "{} has no service that could be tested: all of them are servers, tools or jobs; name the one to test with --service",
            wanted.path
        )));
    }
    let others: Vec<&str> =
        services.iter().filter(|service| !is_server(service)).map(|service| service.name.as_str()).collect();
    let others = Others { names: &others, has_gateway: wanted.profile.has_gateway() };
    let mut built = Images::new(&name, wanted.base);
    let mut making = Making { hosts: &hosts, others, base: wanted.base, images: &mut built, notes: &mut notes };
    let mut roles: Vec<Role> = Vec::new();
    for service in own {
        let unique = unique(&service.name, &roles);
        roles.push(making.role(&unique, service));
    }
    let mut jobs = jobs.into_iter();
    let setup = jobs.next().map(|job| making.set_up(job));
    for job in jobs {
        notes.ask(
            &At::Setup,
            format!("`{}` is to be done before the start as well, and there is one set-up: make one of both", job.name),
        );
    }
    let speaks_kafka = roles.iter().any(|role| role.speaks_kafka);
    let topics = all_topics(&services, &roles);
    for role in &mut roles {
        let at = At::Role(role.name.clone());
        command::take_known(&mut role.command, &topics, role.speaks_kafka)
            .into_iter()
            .for_each(|remark| notes.ask(&at, remark));
    }
    let build = built.command.map(|(_, command)| command);
    let front = front(&roles, &mut notes);
    Ok(Parts { name, images, build, front, setup, roles, topics, speaks_kafka, notes })
}

fn services(path: &str, tree: &Value) -> Result<Vec<Service>, ComposeError> {
    let whole = "`docker compose config > whole.yml` writes the file out as Docker reads it";
    if tree.get("include").is_some() {
        return Err(ComposeError(format!(
            "{path} includes other files, and `include` is not read here; {whole}: give that"
        )));
    }
    let Some(services) = tree.get("services").and_then(Value::as_object) else {
        return Err(ComposeError(format!(
            "{path} is no Compose file: there is no map of `services` at its top; give the file that `docker compose up` reads"
        )));
    };
    if services.is_empty() {
        return Err(ComposeError(format!(
            "{path} has no services: there is nothing under `services`; give the file that has those to be tested, or write them there"
        )));
    }
    if services.len() > SERVICES_MAX {
        return Err(ComposeError(format!("{path} has {} services, and {SERVICES_MAX} are the most", services.len())));
    }
    services.iter().map(|(name, value)| Service::read(name, value)).collect()
}

fn check_names(services: &[Service], named: &[String]) -> Result<(), ComposeError> {
    let known: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
    for name in named {
        let Some(service) = services.iter().find(|service| service.name == *name) else {
            return Err(ComposeError(format!("there is no service `{name}` in the file; {}", suggest(name, &known))));
        };
        if let Kind::Server(server) = kind::of(service.image.as_deref()) {
            return Err(ComposeError(format!(
                "the service `{name}` is {}, which fireassay runs itself; name the services that are to be tested",
                server.name()
            )));
        }
    }
    Ok(())
}

fn is_server(service: &Service) -> bool {
    matches!(kind::of(image_unless_built(service)), Kind::Server(_))
}

/// What is built here is the target's own, whatever it is called.
fn image_unless_built(service: &Service) -> Option<&str> {
    service.image.as_deref().filter(|_| service.build.is_none())
}

fn hosts(services: &[Service]) -> Hosts {
    let mut hosts = Hosts::default();
    for service in services {
        if let Kind::Server(server) = kind::of(image_unless_built(service)) {
            hosts.add(&service.name, server);
            service.aliases.iter().for_each(|alias| hosts.add(alias, server));
        }
    }
    hosts
}

/// Whether it is a client that makes topics, in the image of a broker.
fn makes_topics(service: &Service) -> bool {
    let is_broker = service.values().any(|(name, _)| name == "KAFKA_CREATE_TOPICS");
    !is_broker && !topics::created_by(service).is_empty()
}

/// The images that fireassay's own servers are to be made of.
fn servers(services: &[Service], base: &str, notes: &mut Notes) -> Vec<(Server, String)> {
    let mut images: Vec<(Server, String)> = Vec::new();
    let after: BTreeSet<&str> = services.iter().flat_map(|service| &service.after).map(String::as_str).collect();
    for service in services.iter().filter(|service| !after.contains(service.name.as_str())) {
        let (Kind::Server(server), Some(image)) = (kind::of(image_unless_built(service)), &service.image) else {
            continue;
        };
        let name = &service.name;
        if server == Server::Kafka && makes_topics(service) {
            notes.left_out(&At::Top, format!("`{name}`, whose topics are under [kafka]"));
            continue;
        }
        match kind::is_usable(server, image) {
            Ok(()) if !images.iter().any(|(known, _)| *known == server) => images.push((server, image.clone())),
            Ok(()) => notes.left_out(
                &At::Top,
                format!("`{name}`: there is one {} for each run, and it takes this one's place too", server.name()),
            ),
            Err(why) => {
                notes.left_out(&At::Top, format!("the image `{image}` of `{name}`: {why}; fireassay takes its own"));
            }
        }
        if let Some(program) = service.command.first().filter(|_| server != Server::Kafka) {
            // Its arguments are not shown: there may be a password among them.
            notes.left_out(&At::Top, format!("how `{name}` is started: `{program}` and its arguments"));
        }
        for mount in &service.mounts {
            if let super::mount::Mount::Bind { here, there, .. } = mount
                && there.contains("docker-entrypoint-initdb.d")
            {
                let here = super::images::rebased(base, here);
                notes.ask(
                    &At::Top,
                    format!("`{name}` is filled from {here}; fireassay's Postgres begins empty: fill it in [setup]"),
                );
            }
        }
    }
    images
}

/// The services that become roles, and those that prepare.
fn chosen<'a>(
    services: &'a [Service],
    awaited: &BTreeSet<&str>,
    named: &[String],
    notes: &mut Notes,
) -> (Vec<&'a Service>, Vec<&'a Service>) {
    let is_named = |service: &Service| named.contains(&service.name);
    let (mut own, mut jobs, mut tools) = (Vec::new(), Vec::new(), Vec::new());
    for service in services {
        let name = &service.name;
        let is_migration = service.ends && ["migrat", "flyway", "liquibase"].iter().any(|word| name.contains(word));
        let is_wanted_by = |other: &Service| other.after.contains(name) && (named.is_empty() || is_named(other));
        match kind::of(image_unless_built(service)) {
            _ if is_named(service) => own.push(service),
            Kind::Server(Server::Kafka) => {}
            _ if awaited.contains(name.as_str()) => {
                if services.iter().any(is_wanted_by) {
                    jobs.push(service);
                }
            }
            Kind::Server(_) => {}
            Kind::Tool => tools.push(name),
            Kind::Absent => notes.ask(&At::Top, format!(
                "`{name}` ({}) is not here: fireassay has Postgres, Redis and Kafka; see whether the service can do without it",
                service.image.as_deref().unwrap_or_default()
            )),
            Kind::Own if !named.is_empty() => notes.left_out(&At::Top, format!("`{name}`, which is not among those named")),
            Kind::Own if !service.profiles.is_empty() => notes.left_out(&At::Top, format!(
                "`{name}`, which Compose starts only for its profile {}; --service takes it", service.profiles.join(", ")
            )),
            Kind::Own if service.replicas == Some(0) => notes.left_out(&At::Top, format!("`{name}`, of which there are none")),
            Kind::Own if is_migration => {
                notes.ask(&At::Setup, format!("`{name}` is taken for the set-up because of its name; see whether it ends by itself"));
                jobs.push(service);
            }
            Kind::Own => own.push(service),
        }
    }
    for tool in tools {
        let user = own.iter().chain(&jobs).find(|service| names(service, tool));
        let why = user.map_or_else(
            || "which the service does not need".to_owned(),
            |user| format!("which is not started, though `{}` names it", user.name),
        );
        notes.left_out(&At::Top, format!("`{tool}`, {why}"));
    }
    (own, jobs)
}

/// Whether a service is to reach another one.
fn names(service: &Service, other: &str) -> bool {
    let values = service.env.iter().filter_map(|variable| Some((&variable.name, variable.value.as_ref()?)));
    let in_environment = values.flat_map(|(name, value)| variables::named(name, &value.text));
    in_environment.chain(command::hosts(&service.command)).any(|host| host.eq_ignore_ascii_case(other))
}

fn all_topics(services: &[Service], roles: &[Role]) -> Vec<(String, u16)> {
    let kafka = services.iter().filter(|service| kind::of(image_unless_built(service)) == Kind::Server(Server::Kafka));
    let mut created: Vec<(String, u16)> = Vec::new();
    for topic in kafka.flat_map(topics::created_by) {
        if !created.iter().any(|(known, _)| *known == topic.0) {
            created.push(topic);
        }
    }
    for topic in roles.iter().flat_map(|role| &role.topics) {
        if !created.iter().any(|(known, _)| known == topic) {
            created.push((topic.clone(), 1));
        }
    }
    created
}

/// The role that takes the requests, where it has to be said.
fn front(roles: &[Role], notes: &mut Notes) -> Option<String> {
    let listening: Vec<&Role> = roles.iter().filter(|role| role.port.is_some()).collect();
    let over_http = |role: &&Role| matches!(role.ready, Ready::Http(_));
    let first = roles.iter().find(over_http);
    let front = first.or(listening.first().copied()).or(roles.first())?;
    let names = || listening.iter().map(|role| format!("`{}`", role.name)).collect::<Vec<_>>().join(", ");
    match listening.len() {
        0 => notes.ask(&At::Top, format!(
            "no service says where it listens; `{}` is taken for the one that takes the requests: give it its `port`, as in `port = 8080`", front.name
        )),
        1 => {}
        _ => notes.ask(&At::Top, format!("{} listen; see whether `{}` is the one that takes the requests", names(), front.name)),
    }
    (listening.len() != 1 || first.is_none()).then(|| front.name.clone())
}

/// A name that a manifest may have.
pub(super) fn identifier(name: &str) -> String {
    /// As long as names in manifests may be, with room for a number behind.
    const CHARS_MAX: usize = 56;
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let name: String = name.chars().take(CHARS_MAX).map(plain).collect();
    // A name that began with a hyphen would be an option somewhere.
    let name = name.trim_matches('-');
    if name.is_empty() { "target".to_owned() } else { name.to_owned() }
}

fn unique(name: &str, roles: &[Role]) -> String {
    let plain = identifier(name);
    let is_free = |name: &String| !roles.iter().any(|role| role.name == *name);
    let numbered = (2..=SERVICES_MAX + 1).map(|number| format!("{plain}-{number}"));
    std::iter::once(plain.clone()).chain(numbered).find(is_free).unwrap_or(plain)
}
