//! What goes wrong in the servers of the stack themselves, as data.
//!
//! ```toml
//! inject = "terminate-backends"                                   # every session that the target has in its database
//! inject = "read-only-postgres"                                   # the database refuses writes until healed
//! inject = { evict = { share = 0.5 } }                            # half of the keys in the cache are gone
//! inject = "redis-memory-limit"                                   # the cache refuses writes until healed
//! inject = { reproduce = { count = 5 } }                          # five records of the event topic once more
//! inject = { reproduce = { count = 5, topic = "payments" } }
//! inject = { poison = { records = 3 } }                           # three records that nobody can act on
//! inject = { rewind = { group = "mailer", to = "beginning" } }    # what the group has committed is forgotten
//! inject = { rewind = { group = "mailer", to = { back = 10 } } }  # ten records in each partition
//! inject = { phantom-member = { group = "mailer" } }              # a consumer that holds partitions and does nothing
//! ```
//!
//! Topics and groups are written without the prefix that the target puts before them.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};

use serde::{Deserialize, Serialize};

use super::plan::Node;

/// A fault on a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerFault {
    /// Every session of the target in the run's database is ended; nothing to heal.
    TerminateBackends,
    /// The run's database refuses writes, and sessions from before have been ended, as after a failover to a replica.
    /// Healing ends the sessions again.
    ReadOnlyPostgres,
    /// Some keys of the run's Redis database are gone; nothing to heal.
    Evict {
        /// How many of those that are there.
        share: Share,
        /// Which.
        seed: u64,
    },
    /// Redis refuses whatever would need memory. Exclusive.
    RedisMemoryLimit,
    /// Records that were published already are appended again, the same in everything but their offsets; nothing to
    /// heal.
    Reproduce {
        /// The topic, without prefix; that of the target's events unless told.
        topic: Option<String>,
        /// How many.
        count: NonZeroU16,
        /// Which.
        seed: u64,
    },
    /// Records that nobody can act on are appended; nothing to heal.
    Poison {
        /// The topic, without prefix; that of the target's events unless told.
        topic: Option<String>,
        /// How many.
        records: NonZeroU16,
        /// What is in them, and where they go.
        seed: u64,
    },
    /// A group's committed offsets are set back, once it has no member; nothing to heal.
    Rewind {
        /// The group, without prefix.
        group: String,
        /// How far.
        to: RewindTo,
    },
    /// A consumer joins the group, reads nothing and commits nothing. It leaves when healed.
    PhantomMember {
        /// The group, without prefix.
        group: String,
        /// The topic that it subscribes to, without prefix; that of the target's events unless told.
        topic: Option<String>,
    },
}

/// How far a group's offsets are set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RewindTo {
    /// To the first record that is still there.
    Beginning,
    /// By so many records in each partition, as far as there are as many.
    Back(NonZeroU32),
}

/// A part of what there is: above 0, at most 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

impl Share {
    /// So many of `count`, to the nearest, but at least one of any.
    #[must_use]
    pub fn of(self, count: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and `count`")]
        #[expect(clippy::cast_precision_loss, reason = "no cache has that many keys")]
        let nearest = (count as f64 * self.0).round() as usize;
        nearest.max(1).min(count)
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.0
    }
}

impl TryFrom<f64> for Share {
    type Error = String;

    fn try_from(share: f64) -> Result<Self, String> {
        if share > 0.0 && share <= 1.0 {
            return Ok(Self(share));
        }
        Err(format!("{share} is no share: write a number above 0, up to 1 for all"))
    }
}

/// Keys that are evicted, as a suite writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvictSpec {
    /// How many of those that are there.
    pub share: Share,
}

/// Records that come again, as a suite writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReproduceSpec {
    /// The topic; that of the target's events unless told.
    #[serde(default)]
    pub topic: Option<String>,
    /// How many.
    pub count: NonZeroU16,
}

/// Records that nobody can act on, as a suite writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoisonSpec {
    /// The topic; that of the target's events unless told.
    #[serde(default)]
    pub topic: Option<String>,
    /// How many: three unless told, one of each sort.
    #[serde(default = "three")]
    pub records: NonZeroU16,
}

fn three() -> NonZeroU16 {
    NonZeroU16::MIN.saturating_add(2)
}

/// A group that is set back, as a suite writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewindSpec {
    /// The group.
    pub group: String,
    /// How far.
    pub to: RewindTo,
}

/// A member too many, as a suite writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhantomSpec {
    /// The group.
    pub group: String,
    /// The topic; that of the target's events unless told.
    #[serde(default)]
    pub topic: Option<String>,
}

impl ServerFault {
    /// Which server.
    #[must_use]
    pub fn server(&self) -> Node {
        match self {
            Self::TerminateBackends | Self::ReadOnlyPostgres => Node::Postgres,
            Self::Evict { .. } | Self::RedisMemoryLimit => Node::Redis,
            Self::Reproduce { .. } | Self::Poison { .. } | Self::Rewind { .. } | Self::PhantomMember { .. } => {
                Node::Kafka
            }
        }
    }

    /// Whether it is over once it is done.
    #[must_use]
    pub fn is_momentary(&self) -> bool {
        !matches!(self, Self::ReadOnlyPostgres | Self::RedisMemoryLimit | Self::PhantomMember { .. })
    }

    /// Whether it reaches beyond what belongs to its own run.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        matches!(self, Self::RedisMemoryLimit)
    }

    /// Faults with the same name here are carried out one after the other: each needs what another one changes.
    pub(crate) fn turn(&self) -> String {
        match self {
            Self::Rewind { group, .. } | Self::PhantomMember { group, .. } => format!("group {group}"),
            _ => self.server().to_string(),
        }
    }
}

impl fmt::Display for ServerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TerminateBackends => f.write_str("end the target's sessions in postgres"),
            Self::ReadOnlyPostgres => f.write_str("make the database read-only"),
            Self::Evict { share, .. } => write!(f, "evict {}% of the keys in redis", share.0 * 100.0),
            Self::RedisMemoryLimit => f.write_str("leave redis no memory"),
            Self::Reproduce { topic, count, .. } => {
                let records = if count.get() == 1 { "record" } else { "records" };
                write!(f, "append {count} {records} of {} again", Topic(topic.as_deref()))
            }
            Self::Poison { topic, records, .. } => {
                let what = if records.get() == 1 { "record" } else { "records" };
                write!(f, "append {records} {what} to {} that nobody can act on", Topic(topic.as_deref()))
            }
            Self::Rewind { group, to: RewindTo::Beginning } => write!(f, "set the group {group} back to the beginning"),
            Self::Rewind { group, to: RewindTo::Back(by) } => {
                write!(f, "set the group {group} back by {by} in each partition")
            }
            Self::PhantomMember { group, topic } => {
                write!(f, "join the group {group} on {} and do nothing", Topic(topic.as_deref()))
            }
        }
    }
}

/// A topic in words.
struct Topic<'a>(Option<&'a str>);

impl fmt::Display for Topic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("the event topic"),
            Some(topic) => write!(f, "the topic {topic}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{FaultSpec, Plan, resolve};

    fn plan(inject: &str, seed: u64) -> Plan {
        let toml = format!("when = {{ operations = [1, 1] }}\ninject = {inject}");
        let spec: FaultSpec = toml::from_str(&toml).unwrap_or_else(|error| panic!("{inject}: {error}"));
        resolve(&[spec], &[], seed).expect("a plan")
    }

    #[test]
    fn each_is_written_and_told_and_stored() {
        let cases = [
            ("\"terminate-backends\"", "end the target's sessions in postgres after 1 attempt"),
            ("\"read-only-postgres\"", "make the database read-only after 1 attempt, to the end of the load"),
            ("{ evict = { share = 0.25 } }", "evict 25% of the keys in redis after 1 attempt"),
            ("\"redis-memory-limit\"", "leave redis no memory after 1 attempt, to the end of the load"),
            ("{ reproduce = { count = 1 } }", "append 1 record of the event topic again after 1 attempt"),
            ("{ reproduce = { count = 9, topic = \"t\" } }", "append 9 records of the topic t again after 1 attempt"),
            ("{ poison = {} }", "append 3 records to the event topic that nobody can act on after 1 attempt"),
            (
                "{ poison = { records = 1, topic = \"t\" } }",
                "append 1 record to the topic t that nobody can act on after 1 attempt",
            ),
            (
                "{ rewind = { group = \"g\", to = \"beginning\" } }",
                "set the group g back to the beginning after 1 attempt",
            ),
            (
                "{ rewind = { group = \"g\", to = { back = 3 } } }",
                "set the group g back by 3 in each partition after 1 attempt",
            ),
            (
                "{ phantom-member = { group = \"g\" } }",
                "join the group g on the event topic and do nothing after 1 attempt, to the end of the load",
            ),
        ];
        for (inject, told) in cases {
            let plan = plan(inject, 1);
            assert_eq!(plan.steps[0].to_string(), told);
            let stored = serde_json::to_string(&plan).expect("json");
            assert_eq!(serde_json::from_str::<Plan>(&stored).expect("a plan"), plan, "{stored}");
        }
    }

    #[test]
    fn what_it_acts_on_is_drawn_from_the_seed() {
        for inject in ["{ evict = { share = 0.5 } }", "{ reproduce = { count = 2 } }", "{ poison = {} }"] {
            assert_eq!(plan(inject, 1), plan(inject, 1));
            assert_ne!(plan(inject, 1), plan(inject, 2));
        }
    }

    #[test]
    fn a_share_is_a_part_and_never_nothing_of_something() {
        for wrong in [0.0, -0.5, 1.5, f64::NAN] {
            assert!(Share::try_from(wrong).is_err(), "{wrong}");
        }
        let taken = [(0.5, 10, 5), (0.5, 0, 0), (0.01, 3, 1), (1.0, 7, 7), (0.34, 3, 1)];
        for (share, count, expected) in taken {
            assert_eq!(Share::try_from(share).expect("a share").of(count), expected, "{share} of {count}");
        }
    }
}
