//! The mistakes that can be switched on. `defects.toml` tells the story of each.

reference_common::defects! {
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
    /// An order is turned away while the broker does not answer.
    RefusesWithoutBroker = "refuses-without-broker",
    /// What the database could not do is answered as if the request had been wrong.
    BlamesCaller = "blames-caller",
    /// Who sends an order again hears of an id that was made up for it.
    AnswersFreshId = "answers-fresh-id",
    /// A replay sends the event once more, and it is known by now.
    ReplaysKnownEvent = "replays-known-event",
    /// After a few failures in a row the gateway is not called any more.
    BreakerStaysOpen = "breaker-stays-open",
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_defect_is_described() {
        let toml = include_str!("../defects.toml");
        assert_eq!(reference_common::defects::undescribed::<super::Defect>(toml), [""; 0]);
    }
}
