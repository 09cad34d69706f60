//! Addresses of the stack in a text: where they are, and which variables take their place.

use super::kind::Server;
use super::phrase::Phrase;

/// The hosts of the stack.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts(Vec<(String, Server)>);

/// A text with the variables of fireassay in it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) phrase: Phrase,
    /// Whose address it was.
    pub(super) server: Server,
    /// What was changed besides the address, or could not be.
    pub(super) remark: Option<String>,
}

impl Hosts {
    pub(super) fn add(&mut self, name: &str, server: Server) {
        self.0.push((name.to_ascii_lowercase(), server));
    }

    /// The server of this name.
    pub(super) fn server(&self, host: &str) -> Option<Server> {
        self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(host)).map(|(_, server)| *server)
    }

    /// The text with the addresses in it replaced; nothing where there is none.
    pub(super) fn find(&self, text: &str) -> Option<Found> {
        let as_found = |(phrase, server)| Found { phrase, server, remark: None };
        self.url(text)
            .or_else(|| self.list(text).map(as_found))
            .or_else(|| self.pairs(text).map(as_found))
            .or_else(|| self.scattered(text).map(as_found))
    }

    /// `host` or `host:port`, and whether there is a port.
    fn place(&self, text: &str) -> Option<(Server, bool)> {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        let is_port = port.is_none_or(|port| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()));
        self.server(host).filter(|_| is_port).map(|server| (server, port.is_some()))
    }

    /// `kafka-1:9092,kafka-2:9092`, all of one server.
    fn list(&self, text: &str) -> Option<(Phrase, Server)> {
        let mut server = None;
        for item in text.split(',') {
            let (its, has_port) = self.place(item.trim())?;
            if !has_port || *server.get_or_insert(its) != its {
                return None;
            }
        }
        server.map(|server| (host_and_port(server), server))
    }

    /// The whole text is a URL of a server.
    fn url(&self, text: &str) -> Option<Found> {
        let (scheme, rest) = text.split_once("://")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "+.:-_".contains(c);
        if !scheme.chars().all(plain) {
            return None;
        }
        let (before, query) = rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
        let (authority, path) =
            before.split_once('/').map_or((before, None), |(authority, path)| (authority, Some(path)));
        let (user, places) =
            authority.rsplit_once('@').map_or((None, authority), |(user, places)| (Some(user), places));
        let mut server = None;
        for place in places.split(',') {
            let (its, _) = self.place(place)?;
            if *server.get_or_insert(its) != its {
                return None;
            }
        }
        let server = server?;
        let is_bare = query.is_none();
        let (query, remark) = query.map_or((Phrase::default(), None), |query| in_query(server, query));
        let phrase = match server {
            // The run's URL may have a query of its own.
            Server::Postgres if scheme == "postgres" && is_bare => Phrase::default().variable("postgres"),
            Server::Postgres => {
                // Over JDBC and R2DBC the user stands elsewhere, unless it stands here.
                let elsewhere = scheme.starts_with("jdbc:") || scheme.starts_with("r2dbc:");
                let start = Phrase::plain(scheme).text("://");
                let start = match user.is_some() || !elsewhere {
                    true => start.encoded("postgres_user").text(":").encoded("postgres_password").text("@"),
                    false => start,
                };
                start.then(host_and_port(server)).text("/").variable("postgres_database")
            }
            Server::Redis => Phrase::default().variable("redis"),
            Server::Kafka => {
                Phrase::plain(scheme).text("://").then(host_and_port(server)).text(path.unwrap_or_default())
            }
        };
        let number = path.filter(|path| server == Server::Redis && !matches!(*path, "" | "0"));
        let more = number.map(|number| format!("database {number} of Redis has become the run's own, as every other"));
        let tls = (scheme == "rediss").then(|| "the link to Redis is without TLS".to_owned());
        Some(Found { phrase: phrase.then(query), server, remark: tls.or(more).or(remark) })
    }

    /// `Host=db;Port=5432;Username=app`, or the same with spaces.
    fn pairs(&self, text: &str) -> Option<(Phrase, Server)> {
        let between = if text.contains(';') { ';' } else { ' ' };
        let pair = |part: &str| part.split_once('=').map(|(k, v)| (k.trim().to_ascii_lowercase(), v.trim().to_owned()));
        let server = text.split(between).filter_map(pair).find_map(|(key, value)| {
            let is_host = matches!(key.as_str(), "host" | "server" | "data source" | "addr" | "address");
            self.place(&value).filter(|_| is_host)
        });
        let (server, host_has_port) = server.filter(|(server, _)| *server == Server::Postgres)?;
        let mut phrase = Phrase::default();
        for (count, part) in text.split(between).enumerate() {
            let start = part.find('=').map_or(part.len(), |at| at + 1);
            let variable = pair(part).and_then(|(key, _)| match key.as_str() {
                "host" | "server" | "data source" | "addr" | "address" => Some("postgres_host"),
                "port" => Some("postgres_port"),
                "database" | "dbname" | "initial catalog" => Some("postgres_database"),
                "user" | "username" | "user id" | "uid" => Some("postgres_user"),
                "password" | "pwd" => Some("postgres_password"),
                _ => None,
            });
            if count > 0 {
                phrase = phrase.text(&between.to_string());
            }
            phrase = match variable {
                Some("postgres_host") if host_has_port => phrase.text(&part[..start]).then(host_and_port(server)),
                Some(variable) => phrase.text(&part[..start]).variable(variable),
                None => phrase.text(part),
            };
        }
        Some((phrase, server))
    }

    /// `host:port` anywhere in the text.
    fn scattered(&self, text: &str) -> Option<(Phrase, Server)> {
        let mut phrase = Phrase::default();
        let mut found = None;
        let mut plain = 0;
        for (start, word) in words(text) {
            let Some(server) = self.server(word) else { continue };
            let after = &text[start + word.len()..];
            let digits = after
                .strip_prefix(':')
                .map_or(0, |port| port.len() - port.trim_start_matches(|c: char| c.is_ascii_digit()).len());
            if digits == 0 || found.is_some_and(|other| other != server) {
                continue;
            }
            phrase = phrase.text(&text[plain..start]).then(host_and_port(server));
            plain = start + word.len() + 1 + digits;
            found = Some(server);
        }
        found.map(|server| (phrase.text(&text[plain..]), server))
    }
}

/// What could be names of hosts in a text, with their places.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut next = 0;
    let pieces = text.split_inclusive(move |c| !is_part(c)).map(move |piece| {
        let start = next;
        next += piece.len();
        (start, piece.trim_end_matches(|c| !is_part(c)))
    });
    pieces.filter(|(_, word)| !word.is_empty())
}

/// `host:port` of a server.
fn host_and_port(server: Server) -> Phrase {
    match server {
        Server::Postgres => Phrase::default().variable("postgres_host").text(":").variable("postgres_port"),
        Server::Redis => Phrase::default().variable("redis_host").text(":").variable("redis_port"),
        Server::Kafka => Phrase::default().variable("kafka"),
    }
}

/// The query of a URL. The links read what passes, so there is no TLS on them.
fn in_query(server: Server, query: &str) -> (Phrase, Option<String>) {
    let mut phrase = Phrase::plain("?");
    let mut remark = None;
    for (count, part) in query.split('&').enumerate() {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        if count > 0 {
            phrase = phrase.text("&");
        }
        let without = match (key, value) {
            ("sslmode", "require" | "verify-ca" | "verify-full") => Some("sslmode=disable"),
            ("ssl", "true" | "require") => Some("ssl=false"),
            _ => None,
        };
        phrase = match (server, key, without) {
            (_, _, Some(without)) => {
                remark = Some(format!("`{part}` has become `{without}`: the links read what passes, and have no TLS"));
                phrase.text(without)
            }
            (Server::Postgres, "user", _) => phrase.text("user=").encoded("postgres_user"),
            (Server::Postgres, "password", _) => phrase.text("password=").encoded("postgres_password"),
            _ => phrase.text(part),
        };
    }
    (phrase, remark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let mut hosts = Hosts::default();
        hosts.add("db", Server::Postgres);
        hosts.add("cache", Server::Redis);
        hosts.add("kafka", Server::Kafka);
        hosts.add("kafka-2", Server::Kafka);
        assert_eq!(hosts.find(text).map(|found| found.phrase.template()).as_deref(), expected, "{text}");
    }

    #[test]
    fn urls_become_those_of_the_run_and_keep_their_schemes() {
        check("postgres://app:pw@db:5432/app", Some("{{ postgres }}"));
        let user = "{{ postgres_user | urlencode }}:{{ postgres_password | urlencode }}@";
        let place = "{{ postgres_host }}:{{ postgres_port }}/{{ postgres_database }}";
        check("postgres://db/app?a=1", Some(&format!("postgres://{user}{place}?a=1")));
        check("postgresql+asyncpg://a:b@db/app", Some(&format!("postgresql+asyncpg://{user}{place}")));
        check(
            "jdbc:postgresql://db:5432/app?currentSchema=x",
            Some(&format!("jdbc:postgresql://{place}?currentSchema=x")),
        );
        check(
            "jdbc:postgresql://db/app?user=u&password=p",
            Some(&format!(
                "jdbc:postgresql://{place}?user={{{{ postgres_user | urlencode }}}}&password={{{{ postgres_password | urlencode }}}}"
            )),
        );
        check("postgres://db/app?sslmode=require", Some(&format!("postgres://{user}{place}?sslmode=disable")));
        check("redis://:secret@cache:6379/0", Some("{{ redis }}"));
        check("PLAINTEXT://kafka:9092", Some("PLAINTEXT://{{ kafka }}"));
    }

    #[test]
    fn hosts_and_ports_are_found_in_other_forms() {
        check("db:5432", Some("{{ postgres_host }}:{{ postgres_port }}"));
        check("kafka:9092, kafka-2:9092", Some("{{ kafka }}"));
        check("cache:6379,password=x", Some("{{ redis_host }}:{{ redis_port }},password=x"));
        check(
            "Host=db;Port=5432;Database=app;Username=u;Password=p;Pooling=true",
            Some(
                "Host={{ postgres_host }};Port={{ postgres_port }};Database={{ postgres_database }};Username={{ postgres_user }};Password={{ postgres_password }};Pooling=true",
            ),
        );
        check("host=db dbname=app", Some("host={{ postgres_host }} dbname={{ postgres_database }}"));
        check(
            "tcp://app:pw@db:5432/x",
            Some(
                "tcp://{{ postgres_user | urlencode }}:{{ postgres_password | urlencode }}@{{ postgres_host }}:{{ postgres_port }}/{{ postgres_database }}",
            ),
        );
        check("-wait db:5432 -timeout 5s", Some("-wait {{ postgres_host }}:{{ postgres_port }} -timeout 5s"));
    }

    #[test]
    fn other_texts_are_left_alone() {
        for text in [
            "db",
            "http://db.example.org:5432/",
            "kafka",
            "mydb:5432",
            "",
            "http://payments:80/db",
            "postgres://elsewhere/db",
        ] {
            check(text, None);
        }
    }
}
