//! What a service of a Compose file is to fireassay, by its image.

/// A server that fireassay runs itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Server {
    /// Postgres, and what is made of it.
    Postgres,
    /// Redis, and what speaks as it does.
    Redis,
    /// Kafka, and what speaks as it does.
    Kafka,
}

impl Server {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "Postgres",
            Self::Redis => "Redis",
            Self::Kafka => "Kafka",
        }
    }

    /// The variable of templates, and the key under `images`.
    pub(super) const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Kafka => "kafka",
        }
    }

    pub(super) const fn port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::Redis => 6379,
            Self::Kafka => 9092,
        }
    }
}

/// What a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// fireassay runs one itself.
    Server(Server),
    /// It looks at others, or belongs to a server; nobody misses it.
    Tool,
    /// A server that fireassay does not have.
    Absent,
    /// A part of the target.
    Own,
}

/// Parts of names of images that look at others, or that belong to a server.
const TOOLS: [&str; 26] = [
    "exporter",
    "pgadmin",
    "adminer",
    "pgweb",
    "kafdrop",
    "akhq",
    "kafka-ui",
    "kafka-manager",
    "cmak",
    "kowl",
    "redis-commander",
    "redisinsight",
    "dbeaver",
    "prometheus",
    "grafana",
    "jaeger",
    "zipkin",
    "otel",
    "opentelemetry-collector",
    "loki",
    "promtail",
    "mailhog",
    "mailpit",
    "zookeeper",
    "dozzle",
    "portainer",
];

/// Parts of names of images of servers that fireassay does not have.
const ABSENT: [&str; 30] = [
    "mongo",
    "mysql",
    "mariadb",
    "rabbitmq",
    "activemq",
    "nats",
    "localstack",
    "minio",
    "nginx",
    "traefik",
    "haproxy",
    "caddy",
    "envoy",
    "elasticsearch",
    "opensearch",
    "vault",
    "consul",
    "etcd",
    "keycloak",
    "memcached",
    "pgbouncer",
    "pgpool",
    "wiremock",
    "mockserver",
    "schema-registry",
    "kafka-connect",
    "kafka-rest",
    "ksqldb",
    "debezium",
    "cassandra",
];

pub(super) fn of(image: Option<&str>) -> Kind {
    let Some(image) = image else { return Kind::Own };
    let base = base(image);
    let is_one_of = |names: &[&str]| names.iter().any(|name| base.contains(name));
    let is_postgres = base.starts_with("postgres") || ["postgis", "timescaledb", "pgvector"].contains(&base.as_str());
    if is_one_of(&TOOLS) {
        Kind::Tool
    } else if is_one_of(&ABSENT) {
        Kind::Absent
    } else if is_postgres {
        Kind::Server(Server::Postgres)
    } else if base.starts_with("redis") || base.starts_with("valkey") {
        Kind::Server(Server::Redis)
    } else if base.contains("kafka") || base == "redpanda" {
        Kind::Server(Server::Kafka)
    } else {
        Kind::Own
    }
}

/// Whether fireassay can run this image in place of the one that it would take, and whether the name says which version.
pub(super) fn is_usable(server: Server, image: &str) -> Result<(), &'static str> {
    let base = base(image);
    let keeps_to_it = match server {
        Server::Postgres => !image.contains("bitnami") && base != "postgresql",
        Server::Redis => base == "redis" && !image.contains("bitnami"),
        Server::Kafka => image.contains("apache/kafka") && base == "kafka",
    };
    if !keeps_to_it {
        return Err("it is started in another way than the image that fireassay knows");
    }
    let tag = image.rsplit('/').next().and_then(|last| last.split_once(['@', ':'])).map(|(_, tag)| tag);
    match tag {
        None | Some("" | "latest") => Err("it has no version in its name"),
        Some(_) => Ok(()),
    }
}

/// The last part of the name, without tag and digest.
fn base(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    // A digest has no slash in it, and what stands before it may have a tag.
    last.split(['@', ':']).next().unwrap_or(last).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_under_any_registry_and_tag() {
        let servers = [
            ("postgres:17.5", Server::Postgres),
            ("mirror.example:5000/library/postgres@sha256:01", Server::Postgres),
            ("bitnami/postgresql", Server::Postgres),
            ("timescale/timescaledb:2.1-pg16", Server::Postgres),
            ("valkey/valkey:8", Server::Redis),
            ("redis/redis-stack", Server::Redis),
            ("confluentinc/cp-kafka:7.7.0", Server::Kafka),
            ("redpandadata/redpanda", Server::Kafka),
        ];
        for (image, server) in servers {
            assert_eq!(of(Some(image)), Kind::Server(server), "{image}");
        }
        let tools = ["provectuslabs/kafka-ui", "oliver006/redis_exporter", "rediscommander/redis-commander:latest"];
        for image in tools {
            assert_eq!(of(Some(image)), Kind::Tool, "{image}");
        }
        assert_eq!(of(Some("confluentinc/cp-schema-registry")), Kind::Absent);
        assert_eq!((of(Some("acme/ledger:1")), of(None)), (Kind::Own, Kind::Own));
    }

    #[test]
    fn only_an_image_that_is_like_ours_and_says_its_version_is_taken() {
        assert_eq!(is_usable(Server::Postgres, "mirror.example:5000/postgres:17.5"), Ok(()));
        assert!(is_usable(Server::Postgres, "mirror.example:5000/postgres").is_err());
        assert!(is_usable(Server::Redis, "redis:latest").is_err());
        assert!(is_usable(Server::Kafka, "confluentinc/cp-kafka:7.7.0").is_err());
        assert_eq!(is_usable(Server::Kafka, "apache/kafka:4.1.0"), Ok(()));
    }
}
