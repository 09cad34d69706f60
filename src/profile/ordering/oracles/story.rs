//! Telling an anomaly so that a stranger can follow it: names instead of numbers, witnesses in the order of events.

use super::Seen;
use crate::history::Moment;
use crate::judgement::Witness;
use crate::profile::faults::injected_between;
use crate::profile::ordering::books::Life;
use crate::profile::ordering::facts::{Applied, Entity, Gap, Sequence, Standing};

impl Seen<'_> {
    /// What an entity is called.
    pub(super) fn entity(&self, entity: Entity) -> &str {
        self.facts.entities.name(entity.0)
    }

    /// `#3 of e-0007`.
    pub(super) fn event(&self, entity: Entity, sequence: Sequence) -> String {
        format!("{sequence} of {}", self.entity(entity))
    }

    /// How some of an entity's events came, and the faults from then on.
    pub(super) fn came(&self, life: &Life, sequences: &[Sequence]) -> Vec<Witness> {
        let mut published: Vec<_> = sequences.iter().filter_map(|sequence| life.published.get(sequence)).collect();
        published.sort_by_key(|published| published.sent);
        let first = published.first().map_or(Moment(0), |first| first.sent);
        let faults = injected_between(&self.facts.faults, first, Moment(u64::MAX));
        published.into_iter().map(|published| Witness::Intent(published.intent)).chain(faults).collect()
    }
}

/// The row that shows that an event was applied.
pub(super) fn applied(applied: &Applied) -> Witness {
    Witness::Rows { event: applied.row.event, rows: vec![applied.row.place], removed: applied.row.gone }
}

/// The row that shows how an entity stood.
pub(super) fn standing(standing: &Standing) -> Witness {
    Witness::Rows { event: standing.row.event, rows: vec![standing.row.place], removed: standing.row.gone }
}

/// The row that shows a gap.
pub(super) fn gap(gap: &Gap) -> Witness {
    Witness::Rows { event: gap.row.event, rows: vec![gap.row.place], removed: gap.row.gone }
}
