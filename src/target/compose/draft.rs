//! Writing the manifest.

use super::notes::At;
use super::page::{Page, key, list, quoted};
use super::parts::Parts;
use super::phrase::Phrase;
use super::role::Role;
use super::{Draft, Wanted};
use crate::report::text::count;
use crate::target::Ready;

pub(super) fn write(parts: &Parts, wanted: &Wanted<'_>) -> Draft {
    let mut parts_notes = parts.notes.clone();
    if parts.topics.is_empty() && parts.speaks_kafka {
        let text =
            "the file names no topic; list those that the service uses, and give it each with `{{ prefix }}` before it";
        parts_notes.ask(&At::Topics, text);
    }
    let has_source = !wanted.profile.publications().is_empty();
    let events = parts.topics.first().map(|(name, _)| name.as_str());
    if parts.topics.len() > 1 {
        let what = if has_source { "requests come from, and which one its events" } else { "events of the profile" };
        parts_notes.ask(&At::Topics, format!("see which topic has the {what}; the first was taken"));
    }
    if has_source && events.is_none() {
        parts_notes.ask(&At::Topics, "name the topic that the service consumes from");
    }
    let notes = &parts_notes;

    let mut page = Page::default();
    page.remark(&format!("Written by `fireassay init` from {}. What is left to do is marked TODO.", wanted.path));
    page.remark("docs/target-manifest.md has every key that a manifest may have.");
    page.set("name", &quoted(&parts.name));
    page.set("profiles", &list([wanted.profile.name()]));
    if !parts.images.is_empty() {
        let images = parts.images.iter().map(|(server, image)| format!("{} = {}", server.variable(), quoted(image)));
        page.set("images", &format!("{{ {} }}", images.collect::<Vec<_>>().join(", ")));
    }
    if let Some(build) = &parts.build {
        page.set("build", &list(build.iter().map(String::as_str)));
    }
    if let Some(front) = &parts.front {
        page.set("front", &quoted(front));
    }
    notes.write(&At::Top, &mut page);
    if let Some(setup) = &parts.setup {
        page.table("setup");
        notes.write(&At::Setup, &mut page);
        page.set("image", &quoted(&setup.image.name));
        command(&setup.command, &mut page);
        environment("setup", &setup.env, &mut page);
    }
    for role in &parts.roles {
        write_role(role, notes, &mut page);
    }
    write_topics(parts, has_source, notes, &mut page);
    page.line("");
    page.remark(&format!(
        "If the HTTP API of the service is not that of the profile, say how it spells an operation, as in [{}.…]:",
        wanted.profile.name()
    ));
    page.remark("see \"Another API\" in docs/target-manifest.md.");
    Draft { text: page.text(), summary: summary(parts), to_do: notes.listed(true), left_out: notes.listed(false) }
}

fn write_role(role: &Role, notes: &super::notes::Notes, page: &mut Page) {
    let header = format!("role.{}", key(&role.name));
    page.table(&header);
    notes.write(&At::Role(role.name.clone()), page);
    page.set("image", &quoted(&role.image.name));
    if let Some(folder) = &role.image.build {
        page.set("build", &quoted(folder));
    }
    command(&role.command, page);
    if let Some(port) = role.port {
        page.set("port", &port.to_string());
    }
    if !role.volumes.is_empty() {
        page.set("volumes", &list(role.volumes.iter().map(String::as_str)));
    }
    page.set("instances", &role.instances.to_string());
    let ready = match &role.ready {
        Ready::Http(path) => format!("GET {path}"),
        Ready::Port => "port".to_owned(),
        Ready::Running => "running".to_owned(),
    };
    page.set("ready", &quoted(&ready));
    page.set("start_deadline", &quoted(&humantime::format_duration(role.start).to_string()));
    if let Some(stop) = role.stop {
        page.set("stop_deadline", &quoted(&humantime::format_duration(stop).to_string()));
    }
    environment(&header, &role.env, page);
}

fn command(words: &[Phrase], page: &mut Page) {
    if !words.is_empty() {
        let words: Vec<_> = words.iter().map(Phrase::template).collect();
        page.set("command", &list(words.iter().map(String::as_str)));
    }
}

fn environment(header: &str, values: &[(String, Phrase)], page: &mut Page) {
    if !values.is_empty() {
        page.table(&format!("{header}.env"));
        values.iter().for_each(|(name, phrase)| page.set(name, &quoted(&phrase.template())));
    }
}

fn write_topics(parts: &Parts, has_source: bool, notes: &super::notes::Notes, page: &mut Page) {
    // A profile that lives on a topic cannot be without one.
    let invented = [("requests".to_owned(), 1)];
    let topics: &[(String, u16)] = if parts.topics.is_empty() && has_source { &invented } else { &parts.topics };
    let name = |topic: &str| quoted(&format!("{{{{ prefix }}}}{topic}"));
    let Some((first, _)) = topics.first() else {
        if parts.speaks_kafka {
            page.line("");
            notes.write(&At::Topics, page);
            page.line("# [kafka]");
            page.line("# topics = [{ name = \"{{ prefix }}payments\", partitions = 4 }]");
            page.line("# [events]");
            page.line("# topic = \"{{ prefix }}payments\"");
        }
        return;
    };
    page.table("kafka");
    notes.write(&At::Topics, page);
    page.line("topics = [");
    for (topic, partitions) in topics {
        page.line(&format!("    {{ name = {}, partitions = {partitions} }},", name(topic)));
    }
    page.line("]");
    if has_source {
        page.table("source");
        page.set("topic", &name(first));
    }
    let events = topics.get(usize::from(has_source)).map_or(first, |(topic, _)| topic);
    page.table("events");
    page.set("topic", &name(events));
}

fn summary(parts: &Parts) -> String {
    let roles = parts.roles.iter().map(|role| format!("{} ({})", role.name, count(role.instances, "instance")));
    let roles = roles.collect::<Vec<_>>().join(", ");
    let setup = parts.setup.as_ref().map_or_else(String::new, |job| format!("; set-up: {}", job.name));
    format!("target `{}`; {}: {roles}{setup}", parts.name, if parts.roles.len() == 1 { "role" } else { "roles" })
}
