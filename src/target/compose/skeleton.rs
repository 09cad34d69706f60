//! A manifest to be filled in, for a service that no file describes.

use super::page::{Page, list, quoted};
use super::parts::identifier;
use crate::profile::Profile;

/// The skeleton of a manifest for this profile.
#[must_use]
pub fn skeleton(name: &str, profile: &dyn Profile) -> String {
    let mut page = Page::default();
    page.remark("Written by `fireassay init`. Fill in what is marked TODO; docs/target-manifest.md has every key.");
    page.set("name", &quoted(&identifier(name)));
    page.set("profiles", &list([profile.name()]));
    page.line(BEFORE_ENV);
    if profile.has_gateway() {
        page.line("# The payment gateway, which fireassay plays.");
        page.line("GATEWAY_URL = \"{{ gateway }}\"");
    }
    page.line(TOPICS);
    if !profile.publications().is_empty() {
        page.line("\n# The topic that fireassay publishes to, and the service consumes from.\n[source]\ntopic = \"{{ prefix }}events\"");
    }
    page.line("");
    page.remark(&format!(
        "If the HTTP API of the service is not that of the profile, say how it spells an operation, as in [{}.…]:",
        profile.name()
    ));
    page.remark("see \"Another API\" in docs/target-manifest.md.");
    page.text()
}

const BEFORE_ENV: &str = r##"
# Run once against an empty database; every run gets a copy of it.
[setup]
# TODO: what makes the tables
command = ["./service", "migrate"]
env = { DATABASE_URL = "{{ postgres }}" }

[role.api]
# TODO: program and arguments; or `image = "acme/service:1.4"`, with `port = 8080` where it listens
command = ["./service", "serve"]
instances = 2
# TODO: a path that answers 2xx when it is ready
ready = "GET /health"

# Every address has to come from here, so that fireassay is on the line.
[role.api.env]
# TODO: the names under which the service reads these
PORT = "{{ port }}"
DATABASE_URL = "{{ postgres }}"
REDIS_URL = "{{ redis }}"
KAFKA_BROKERS = "{{ kafka }}"
TOPIC = "{{ prefix }}events"
# In parts: {{ postgres_host }}, _port, _user, _password, _database; {{ redis_host }}, _port, _password, _database;
# {{ kafka_host }}, _port."##;

const TOPICS: &str = r##"
# The topics of a run begin with its prefix.
[kafka]
topics = [{ name = "{{ prefix }}events", partitions = 4 }]

# The topic that the events of the profile are on.
[events]
topic = "{{ prefix }}events""##;
