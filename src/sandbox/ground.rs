//! What a stack stands on: where its files are, who clears up after it, and what its servers run as.

use super::Processes;
use super::config::KAFKA_VERSION;
use super::docker::{Docker, Image};
use super::external::External;
use super::needs::Programs;
use super::place::Place;

/// What a stack stands on.
#[derive(Debug)]
pub(super) struct Ground {
    // Dropped in this order: the last hold on the daemon, that on the guardian, then the directory.
    pub(super) machine: Machine,
    pub(super) processes: Processes,
    pub(super) place: Place,
}

/// What servers run as.
#[derive(Debug)]
pub(super) enum Machine {
    /// Processes of this machine.
    Processes(Programs),
    /// Containers of a Docker daemon.
    Docker(Docker, Chosen),
    /// Somebody else's.
    External(Box<External>),
}

/// What the servers' containers are made from, where somebody says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images {
    /// As the official `postgres`.
    pub postgres: Option<Image>,
    /// As the official `redis`.
    pub redis: Option<Image>,
    /// As `apache/kafka`.
    pub kafka: Option<Image>,
}

/// What the servers' containers are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) postgres: Image,
    pub(super) redis: Image,
    pub(super) kafka: Image,
}

impl Images {
    /// These, and what `others` say where these say nothing.
    #[must_use]
    pub fn or(self, others: &Self) -> Self {
        Self {
            postgres: self.postgres.or_else(|| others.postgres.clone()),
            redis: self.redis.or_else(|| others.redis.clone()),
            kafka: self.kafka.or_else(|| others.kafka.clone()),
        }
    }

    /// These, and the official images where nothing is said.
    pub(super) fn chosen(&self) -> Chosen {
        let or = |said: &Option<Image>, official: &str| said.clone().unwrap_or_else(|| Image::named(official));
        Chosen {
            postgres: or(&self.postgres, "postgres:15.8"),
            redis: or(&self.redis, "redis:7.2.5"),
            kafka: or(&self.kafka, &format!("apache/kafka:{KAFKA_VERSION}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_first_holds_and_the_rest_is_official() {
        let ours = Images { redis: Some(Image::named("ours:1")), ..Images::default() };
        let theirs =
            Images { redis: Some(Image::named("theirs:1")), kafka: Some(Image::named("theirs:2")), postgres: None };
        let Chosen { postgres, redis, kafka } = ours.or(&theirs).chosen();
        assert_eq!([postgres, redis, kafka].map(|image| image.to_string()), ["postgres:15.8", "ours:1", "theirs:2"]);
        assert_eq!(Images::default().chosen().kafka.to_string(), "apache/kafka:4.1.0");
    }
}
