//! The mistakes that can be switched on. `defects.toml` tells the story of each.

reference_common::defects! {
    /// An event is applied if its timestamp is later than all before it.
    LastWriterWins = "last-writer-wins",
    /// An event is applied if its sequence is higher than all before it.
    HighestWins = "highest-wins",
    /// What came too early is held in a map of this process.
    HeldInMemory = "held-in-memory",
    /// What has waited long enough is applied without what was missing.
    SkipsInSilence = "skips-in-silence",
    /// A gap is waited for, and nobody is told.
    WaitsInSilence = "waits-in-silence",
    /// A gap is surfaced as soon as there is one.
    SurfacesAtOnce = "surfaces-at-once",
    /// A gap that was filled stays open.
    GapsStayOpen = "gaps-stay-open",
    /// Sequences are taken to count over all entities.
    GlobalSequence = "global-sequence",
    /// What comes too early is tried again and again, and what is behind it waits.
    StopsPartition = "stops-partition",
    /// Which events were applied is remembered in this process, and what is not remembered and too old is applied late.
    DedupeInMemory = "dedupe-in-memory",
    /// What comes twice is recognised while it is held back, but not once it was applied.
    NoDedupe = "no-dedupe",
    /// The offset is committed before the event is stored.
    CommitBeforeStoring = "commit-before-storing",
    /// What is held back is taken out in one transaction and applied in the next.
    ReleasedBeforeApplied = "released-before-applied",
    /// What is told has a random key.
    RandomPartitionKey = "random-partition-key",
    /// What is told is marked as told before the broker has it.
    MarkBeforeAcknowledge = "mark-before-acknowledge",
    /// The consumer ends with the first thing that goes wrong, and its process goes on without it.
    ConsumerEnds = "consumer-ends",
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_defect_is_described() {
        let toml = include_str!("../defects.toml");
        assert_eq!(reference_common::defects::undescribed::<super::Defect>(toml), [""; 0]);
    }
}
