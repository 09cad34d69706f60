//! The mistakes that can be switched on. `defects.toml` tells the story of each.

use std::fmt;
use std::str::FromStr;

/// Declares the defects once, so that no name can be forgotten in a second list.
macro_rules! defects {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A mistake, found at the `if` that names it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Defect { $($(#[$doc])* $variant,)* }

        impl Defect {
            /// Every one.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As it is written in `REFERENCE_DEFECTS`.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

defects! {
    /// The event is published after the commit, without an outbox.
    DualWrite = "dual-write",
    /// The event is published inside the transaction, without an outbox.
    PublishBeforeCommit = "publish-before-commit",
    /// An event is marked as sent when it has been handed to the client library.
    MarkBeforeAcknowledge = "mark-before-acknowledge",
    /// Every relay publishes the events that no other one is about to publish.
    RelaysCompete = "relays-compete",
    /// Records have keys that have nothing to do with the order.
    RandomPartitionKey = "random-partition-key",
    /// The correlation id is not sent along with the event.
    CorrelationDropped = "correlation-dropped",
    /// The caller hears before the database does.
    AcceptedBeforeCommit = "accepted-before-commit",
    /// The whole request is logged at debug.
    SecretInDebugLog = "secret-in-debug-log",
    /// The offset is committed before the event is looked at.
    CommitBeforeProcessing = "commit-before-processing",
    /// The client library commits offsets by itself, every second.
    AutoCommit = "auto-commit",
    /// Which events were acted on is remembered in this process, and decides alone.
    DedupeInMemory = "dedupe-in-memory",
    /// Events are known by their place in the topic, which decides alone.
    DedupeByOffset = "dedupe-by-offset",
    /// Events that are older than a few seconds are dropped.
    DropsOldEvents = "drops-old-events",
    /// The order is first made what the event says that it is.
    EventOverwritesState = "event-overwrites-state",
    /// What fails is tried until it does not.
    NoAttemptLimit = "no-attempt-limit",
    /// Dead letters have no payload.
    LetterWithoutPayload = "letter-without-payload",
    /// The offset of a dead-lettered record is not committed, and the consumer begins again.
    LetterWithoutCommit = "letter-without-commit",
    /// An event counts as processed when its payment has been handed to a task of this process.
    ProcessedBeforeCharge = "processed-before-charge",
    /// The charge comes first, without a key, and everything is written down after it.
    ChargeBeforeRecord = "charge-before-record",
    /// Every attempt has a key of its own at the gateway, and nobody looks whether the last one had an effect.
    KeyPerAttempt = "key-per-attempt",
    /// A decline is tried again like any other failure.
    RetriesDecline = "retries-decline",
    /// A throttled charge is tried again at once.
    IgnoresRetryAfter = "ignores-retry-after",
    /// A charge that was not answered in time fails the order.
    TimeoutAsDecline = "timeout-as-decline",
    /// After a charge that was not answered nobody looks whether it had an effect.
    LateSuccessIgnored = "late-success-ignored",
    /// The state changes whatever it is by now.
    NoVersionCheck = "no-version-check",
    /// What a worker took up it finishes, with the version that it saw then, however long ago that was.
    WritesAfterLoss = "writes-after-loss",
}

/// The defects of this process: none, unless told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Defects(Vec<Defect>);

impl Defects {
    /// Whether this mistake is to be made.
    pub(crate) fn has(&self, defect: Defect) -> bool {
        self.0.contains(&defect)
    }
}

impl fmt::Display for Defects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(|defect| defect.name()).collect::<Vec<_>>().join(","))
    }
}

/// A name that no defect has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no defect is called {name:?}; there are: {}", known())]
pub(crate) struct UnknownDefect {
    name: String,
}

fn known() -> String {
    Defect::ALL.iter().map(|defect| defect.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Defects {
    type Err = UnknownDefect;

    fn from_str(names: &str) -> Result<Self, UnknownDefect> {
        names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(|name| {
                let found = Defect::ALL.iter().find(|defect| defect.name() == name);
                found.copied().ok_or_else(|| UnknownDefect { name: name.to_owned() })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let defects: Defects = "dual-write, auto-commit,".parse().expect("both exist");
        assert!(defects.has(Defect::DualWrite) && defects.has(Defect::AutoCommit));
        assert!(!defects.has(Defect::NoVersionCheck));
    }

    #[test]
    fn none_is_the_default() {
        assert_eq!("".parse(), Ok(Defects::default()));
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        let error = "dual-right".parse::<Defects>().expect_err("no such defect").to_string();
        assert!(error.contains("\"dual-right\"") && error.contains("dual-write"), "{error}");
    }

    #[test]
    fn every_defect_is_documented() {
        let toml = include_str!("../defects.toml");
        for defect in Defect::ALL {
            assert!(toml.contains(&format!("name = \"{}\"\n", defect.name())), "{} is missing", defect.name());
        }
        assert_eq!(toml.matches("[[defect]]").count(), Defect::ALL.len());
    }
}
