//! Ways in which everything up to now may have gone.

/// One way. The sets are bits by slot, of what is under way now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Configuration {
    /// The additions that have been applied.
    pub(super) applied: u64,
    /// The observations that have been satisfied.
    pub(super) satisfied: u64,
    /// What the account stands at.
    pub(super) value: i128,
}

impl Configuration {
    /// Whether whatever may follow from the other may follow from this one: it has applied no more, so it can catch up,
    /// and satisfied no less.
    fn covers(&self, other: &Self) -> bool {
        self.applied & !other.applied == 0 && other.satisfied & !self.satisfied == 0
    }
}

/// Ways of which none covers another.
#[derive(Clone, Debug, Default)]
pub(super) struct Front {
    ways: Vec<Configuration>,
}

impl Front {
    /// The ways.
    pub(super) fn ways(&self) -> &[Configuration] {
        &self.ways
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.ways.clear();
    }

    /// Adds a way unless it is covered, and drops those that it covers. Whether it was added.
    pub(super) fn admit(&mut self, way: Configuration) -> bool {
        if self.ways.iter().any(|other| other.covers(&way)) {
            return false;
        }
        self.ways.retain(|other| !way.covers(other));
        self.ways.push(way);
        true
    }

    /// What all ways have applied.
    pub(super) fn applied_by_all(&self) -> u64 {
        self.ways.iter().fold(u64::MAX, |all, way| all & way.applied)
    }

    /// What all ways have satisfied.
    pub(super) fn satisfied_by_all(&self) -> u64 {
        self.ways.iter().fold(u64::MAX, |all, way| all & way.satisfied)
    }

    /// An observation came under way: those whose value fits have satisfied it.
    pub(super) fn watch(&mut self, bit: u64, fits: impl Fn(i128) -> bool) {
        for way in &mut self.ways {
            if fits(way.value) {
                way.satisfied |= bit;
            }
        }
    }

    /// Frees slots of what is over for all. Ways that differed in nothing else become one.
    pub(super) fn free(&mut self, additions: u64, observations: u64) {
        for way in &mut self.ways {
            way.applied &= !additions;
            way.satisfied &= !observations;
        }
        if self.ways.len() > 1 {
            for way in std::mem::take(&mut self.ways) {
                self.admit(way);
            }
        }
    }
}
