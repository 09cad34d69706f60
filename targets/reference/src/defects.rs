//! The mistakes that can be switched on. `defects.toml` tells the story of each.

reference_common::defects! {
    /// Keys are remembered in a map of this process.
    DedupeInMemory = "dedupe-in-memory",
    /// Keys are remembered in Redis alone.
    DedupeInRedis = "dedupe-in-redis",
    /// The key is looked up first and written last.
    CheckThenInsert = "check-then-insert",
    /// The answer is stored after the commit.
    AnswerOutsideTransaction = "answer-outside-transaction",
    /// The key is committed, with its answer, before the work.
    KeyBeforeTransfer = "key-before-transfer",
    /// Keys are unique per debited account only.
    KeyPerAccount = "key-per-account",
    /// Keys are unique per day only, by the clock of the instance.
    KeyPerDay = "key-per-day",
    /// A key is refused when it is older than 30 seconds, by the clock of the instance.
    KeyWindow = "key-window",
    /// Answers are kept for a day, by the clock of the instance.
    AnswerExpires = "answer-expires",
    /// A key that comes with another request gets the first one's answer.
    MismatchAccepted = "mismatch-accepted",
    /// A decline leaves nothing behind.
    DeclineNotStored = "decline-not-stored",
    /// After a lost connection the work is done again without the key.
    BlindRetry = "blind-retry",
    /// The caller hears before the database does.
    AcknowledgeBeforeCommit = "acknowledge-before-commit",
    /// The event is published inside the transaction, without an outbox.
    PublishBeforeCommit = "publish-before-commit",
    /// The event is published after the commit, without an outbox.
    PublishAfterCommit = "publish-after-commit",
    /// Debit and credit are two transactions.
    SplitTransfer = "split-transfer",
    /// A balance is read, added to and written back without a lock.
    UnlockedBalance = "unlocked-balance",
    /// The limit is checked without a lock.
    UnlockedOverdraft = "unlocked-overdraft",
    /// Accounts are locked in the order of the request.
    LockOrder = "lock-order",
    /// Entries are numbered when the transaction starts.
    OrderByStart = "order-by-start",
    /// Entries are numbered by the clock of the instance.
    OrderByClock = "order-by-clock",
    /// The balance follows in a second transaction.
    ProjectionLater = "projection-later",
    /// Nobody asks whether a transfer has been reversed.
    ReversalUnguarded = "reversal-unguarded",
    /// A reversal rewrites the entries of the original.
    ReversalEdits = "reversal-edits",
    /// What was read of an account is cached under its id alone.
    StaleCache = "stale-cache",
    /// What was read of an account is cached, and dropped after each commit.
    CacheFillRace = "cache-fill-race",
    /// Each instance remembers the balances that it has read for a while.
    BalanceInMemory = "balance-in-memory",
    /// Balances are read from a copy that follows the events.
    LaggingCopy = "lagging-copy",
    /// Whoever asks for what an account could not pay just before is declined without a look.
    RememberedDecline = "remembered-decline",
    /// Amounts go through a floating-point number.
    FloatAmount = "float-amount",
    /// Amounts go through 32 bits.
    Overflow32 = "overflow-32",
    /// Amounts below one are taken.
    NegativeAccepted = "negative-accepted",
    /// Nobody compares the currencies.
    CurrencyIgnored = "currency-ignored",
    /// An error of the database is logged, and the caller hears success.
    SwallowedError = "swallowed-error",
    /// An error of the database is answered as the caller's fault.
    DoubtAsDecline = "doubt-as-decline",
    /// Nothing that waits for the database has a limit.
    NoTimeouts = "no-timeouts",
    /// A database that was read-only once is not written to again.
    MaintenanceForGood = "maintenance-for-good",
    /// SIGTERM ends the process at once.
    AbruptStop = "abrupt-stop",
    /// An event is marked as sent when it has been handed to the client library.
    MarkBeforeAcknowledge = "mark-before-acknowledge",
    /// Every attempt to publish makes up a new event id.
    NewEventId = "new-event-id",
    /// Events are spread over the partitions.
    RandomPartition = "random-partition",
    /// The relay stops for good at the first error of the broker.
    RelayGivesUp = "relay-gives-up",
    /// An event that could not be published is skipped.
    RelaySkips = "relay-skips",
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_defect_is_described() {
        let toml = include_str!("../defects.toml");
        assert_eq!(reference_common::defects::undescribed::<super::Defect>(toml), [""; 0]);
    }
}
