//! What the defects remember in their process.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{MutexGuard, PoisonError};

use super::Entities;
use crate::event::Event;

/// What a process remembers until it ends.
#[derive(Debug, Default)]
pub(super) struct Memory {
    held: HashMap<String, BTreeMap<i64, Event>>,
    applied: HashSet<String>,
}

impl Entities {
    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        // A map is never half changed, so a panic elsewhere does not spoil it.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    pub(super) fn hold(&mut self, event: &Event) {
        self.held.entry(event.entity.clone()).or_default().insert(event.sequence, event.clone());
    }

    pub(super) fn holds(&self, entity: &str) -> bool {
        self.held.get(entity).is_some_and(|held| !held.is_empty())
    }

    /// Takes out what follows an event without a gap.
    pub(super) fn release(&mut self, event: &Event) -> Vec<Event> {
        let Some(held) = self.held.get_mut(&event.entity) else { return Vec::new() };
        let mut released = Vec::new();
        while let Some(next) = held.remove(&(event.sequence + 1 + released.len() as i64)) {
            released.push(next);
        }
        released
    }

    pub(super) fn applied(&mut self, events: &[Event]) {
        self.applied.extend(events.iter().map(|event| event.id.clone()));
    }

    pub(super) fn has_applied(&self, event: &Event) -> bool {
        self.applied.contains(&event.id)
    }
}
