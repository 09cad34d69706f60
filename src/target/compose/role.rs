//! A role of the manifest, from a service.

use std::time::Duration;

use super::address::Hosts;
use super::command;
use super::images::{Image, Images, rebased};
use super::kind::Server;
use super::mount::Mount;
use super::notes::{At, Notes};
use super::phrase::Phrase;
use super::service::Service;
use super::variables::{self, Others, translate};
use crate::target::Ready;

/// A role, or the set-up, before it is written.
#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) image: Image,
    pub(super) command: Vec<Phrase>,
    pub(super) port: Option<u16>,
    pub(super) volumes: Vec<String>,
    pub(super) instances: u64,
    pub(super) ready: Ready,
    pub(super) start: Duration,
    pub(super) stop: Option<Duration>,
    pub(super) env: Vec<(String, Phrase)>,
    pub(super) topics: Vec<String>,
    pub(super) speaks_kafka: bool,
}

/// Images with a virtual machine in them start slowly on a small computer; who is ready sooner does not wait.
const START: Duration = Duration::from_secs(60);

/// As many as a manifest may ask for.
const INSTANCES_MAX: u64 = 100;

/// What a service is without, so that it may not work.
const MATTERS: [&str; 8] =
    ["entrypoint", "working_dir", "user", "secrets", "configs", "network_mode", "volumes_from", "stop_signal"];

/// What a role is made with.
pub(super) struct Making<'a, 'b> {
    pub(super) hosts: &'a Hosts,
    pub(super) others: Others<'a>,
    pub(super) base: &'a str,
    pub(super) images: &'a mut Images<'b>,
    pub(super) notes: &'a mut Notes,
}

impl Making<'_, '_> {
    /// A role of this name.
    pub(super) fn role(&mut self, name: &str, service: &Service) -> Role {
        let at = At::Role(name.to_owned());
        let mut role = self.begun(name, service, &at);
        role.port = self.port(service, &at);
        role.ready = self.ready(service, role.port, &at);
        if let Some(port) = role.port {
            listen(&mut role.env, port);
        }
        role.volumes = service.mounts.iter().filter_map(|mount| self.volume(mount, &at)).collect();
        role
    }

    /// The set-up, which knows nothing but Postgres.
    pub(super) fn set_up(&mut self, service: &Service) -> Role {
        let at = At::Setup;
        let mut job = self.begun(&service.name, service, &at);
        let fits = |phrase: &Phrase| phrase.variables().all(|variable| variable.starts_with("postgres"));
        let (kept, other): (Vec<_>, Vec<_>) = job.env.into_iter().partition(|(_, phrase)| fits(phrase));
        job.env = kept;
        for (name, phrase) in other {
            self.notes.left_out(&at, format!("{name} = {}: the set-up has Postgres alone", phrase.template()));
        }
        if !job.command.iter().all(fits) {
            self.notes.ask(&at, "the command of the set-up needs more than Postgres, which is all that it has");
            job.command.retain(fits);
        }
        for mount in &service.mounts {
            let shown = shown(mount);
            self.notes.ask(&at, format!("the volume {shown}: a set-up has none; put what it needs into the image"));
        }
        job
    }

    fn begun(&mut self, name: &str, service: &Service, at: &At) -> Role {
        let image = self.images.of(service, *at != At::Setup, at, self.notes);
        let mut env = self.environment(service, at);
        let mut command: Vec<_> = service.command.iter().map(|word| self.word(word, at)).collect();
        if env.speaks_kafka {
            command::name_topics(&mut command, &mut env.topics);
        }
        for what in command::strangers(&command, self.hosts, self.others) {
            self.notes.ask(at, format!("the command {what}"));
        }
        for file in &service.env_files {
            let what = format!(
                "the variables of `{file}` are not here, as such files hold secrets: write down which ones it needs"
            );
            self.notes.ask(at, what);
        }
        for variable in &service.missing {
            self.notes.ask(at, format!("`${{{variable}}}` has no default in the file and was taken as empty"));
        }
        for left in &service.left_out {
            let matters = MATTERS.iter().any(|key| left.starts_with(&format!("`{key}:")));
            match matters {
                true => self
                    .notes
                    .ask(at, format!("{left}: a manifest has nothing for it; the image has to do it by itself")),
                false => self.notes.left_out(at, left.clone()),
            }
        }
        Role {
            name: name.to_owned(),
            image,
            command,
            port: None,
            volumes: Vec::new(),
            instances: self.instances(service, at),
            ready: Ready::Running,
            start: service
                .health
                .as_ref()
                .and_then(|health| health.start)
                .map_or(START, |start| START.max(start + START / 2)),
            stop: service.stop_grace.filter(|stop| !stop.is_zero()),
            topics: env.topics,
            speaks_kafka: env.speaks_kafka,
            env: env.values,
        }
    }

    fn environment(&mut self, service: &Service, at: &At) -> variables::Environment {
        let mut values: Vec<(&str, &str)> = Vec::new();
        for variable in &service.env {
            let text = variable.value.as_ref().map_or("", |value| value.text.as_str());
            if variable.name.is_empty() || variable.name.contains(['=', '\0']) || text.contains('\0') {
                self.notes.left_out(at, format!("the variable `{}`, which no process can be given", variable.name));
                continue;
            }
            // Of a name that is there twice, Docker takes the last.
            values.retain(|(name, _)| *name != variable.name);
            values.push((&variable.name, text));
        }
        let mut env = translate(values.into_iter(), self.hosts, self.others, self.is_told_kafka(service));
        for variable in &service.env {
            let why = match &variable.value {
                None => "its value comes from the shell of whoever starts it".to_owned(),
                Some(value) if value.missing.is_empty() => continue,
                Some(value) => format!("`${{{}}}` has no default in the file", value.missing.join("}`, `${")),
            };
            let Some(at_place) = env
                .values
                .iter()
                .position(|(name, phrase)| *name == variable.name && phrase.variables().next().is_none())
            else {
                continue;
            };
            env.values.remove(at_place);
            self.notes.ask(at, format!("{} is not set: {why}", variable.name));
        }
        for remark in &env.remarks {
            self.notes.ask(at, remark.clone());
        }
        env
    }

    /// Whether its command says where Kafka is.
    fn is_told_kafka(&self, service: &Service) -> bool {
        command::hosts(&service.command).any(|host| self.hosts.server(host) == Some(Server::Kafka))
    }

    fn word(&mut self, word: &str, at: &At) -> Phrase {
        if word.contains('\0') {
            self.notes.ask(at, "the command has a character in it that no process can be given; it was taken out");
        }
        let word = word.replace('\0', "");
        let Some(found) = self.hosts.find(&word) else { return Phrase::plain(&word) };
        if let Some(remark) = found.remark {
            self.notes.ask(at, format!("the command: {remark}"));
        }
        found.phrase
    }

    fn port(&mut self, service: &Service, at: &At) -> Option<u16> {
        let asked = service.health.as_ref().and_then(|health| health.port);
        let told = service.values().find(|(name, _)| matches!(*name, "PORT" | "SERVER_PORT" | "HTTP_PORT"));
        let told = told.and_then(|(_, value)| value.parse().ok()).filter(|port| *port != 0);
        let is_there = |port: &u16| service.ports.is_empty() || service.ports.contains(port);
        let port = asked.filter(is_there).or(told.filter(is_there)).or_else(|| service.ports.first().copied());
        let rest: Vec<_> = service.ports.iter().filter(|other| Some(**other) != port).map(u16::to_string).collect();
        if !rest.is_empty() {
            self.notes.left_out(at, format!("the other ports: {}", rest.join(", ")));
        }
        port
    }

    fn ready(&mut self, service: &Service, port: Option<u16>, at: &At) -> Ready {
        match (&service.health, port) {
            (Some(health), Some(port)) if health.path.is_some() && health.port == Some(port) => {
                let path = health.path.clone().unwrap_or_default();
                let is_path =
                    path.starts_with('/') && !path.contains(char::is_whitespace) && !path.contains(char::is_control);
                if is_path { Ready::Http(path) } else { Ready::Port }
            }
            (Some(health), _) => {
                self.notes.left_out(
                    at,
                    format!("the health check `{}`, which asks nothing of its port over HTTP", health.test),
                );
                if port.is_some() { Ready::Port } else { Ready::Running }
            }
            (None, Some(_)) => {
                self.notes.ask(at, "if it has a path that says that it is ready, name it: `ready = \"GET /health\"`");
                Ready::Port
            }
            (None, None) => Ready::Running,
        }
    }

    fn volume(&mut self, mount: &Mount, at: &At) -> Option<String> {
        match mount {
            Mount::Bind { here, there, read_only } => {
                let ending = if *read_only { ":ro" } else { "" };
                Some(format!("{}:{there}{ending}", rebased(self.base, here)))
            }
            Mount::Kept(_) => {
                self.notes.left_out(at, format!("the volume {}: every run begins with new containers", shown(mount)));
                None
            }
            Mount::Other(_) => {
                self.notes.ask(
                    at,
                    format!("the volume {}: only folders and files of this machine can be given", shown(mount)),
                );
                None
            }
        }
    }

    fn instances(&mut self, service: &Service, at: &At) -> u64 {
        let asked = service.replicas.unwrap_or(1);
        let taken = asked.clamp(1, INSTANCES_MAX);
        if taken != asked {
            self.notes.ask(at, format!("{asked} instances are asked for; there are from 1 to {INSTANCES_MAX}"));
        }
        taken
    }
}

fn shown(mount: &Mount) -> String {
    match mount {
        Mount::Bind { here, there, .. } => format!("`{here}:{there}`"),
        Mount::Kept(text) | Mount::Other(text) => format!("`{text}`"),
    }
}

/// Where a variable says the port, fireassay says it.
fn listen(env: &mut [(String, Phrase)], port: u16) {
    let number = Phrase::plain(&port.to_string());
    let named =
        env.iter_mut().filter(|(name, phrase)| *phrase == number && name.to_ascii_uppercase().ends_with("PORT"));
    named.for_each(|(_, phrase)| *phrase = Phrase::default().variable("port"));
}
