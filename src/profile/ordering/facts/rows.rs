//! What the readings show: the log, the entities and the gaps, as differences from one reading to the next.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Entity, Facts, Sequence};
use crate::history::{Moment, Phase};

/// A reading.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Index of the event in the history.
    pub event: u32,
    /// When it had come.
    pub at: Moment,
    /// In which phase.
    pub phase: Phase,
    /// How many of the rows that were there then could not be read.
    pub unreadable: u64,
}

impl Reading {
    /// Whether it says all that there was at the end.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.phase == Phase::Audit && self.unreadable == 0
    }
}

/// Where a row is in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The reading, by event index.
    pub event: u32,
    /// Which of the rows that the reading added, or, if it is gone, of those that it removed.
    pub place: u32,
    /// Whether the reading no longer had it.
    pub gone: bool,
}

/// An event that was applied.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The row that shows it, or that it is gone.
    pub row: Row,
    /// When it was first read.
    pub read: Moment,
    /// Its place in the log.
    pub position: i64,
    /// Of which entity.
    pub entity: Entity,
    /// Its place there.
    pub sequence: Sequence,
    /// The name that it was published under.
    pub key: Arc<str>,
}

/// How an entity stood, from one reading on and until it is seen otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// The row that shows it.
    pub row: Row,
    /// Which entity.
    pub entity: Entity,
    /// The last event that it has.
    pub sequence: Sequence,
    /// What they add up to, in minor units.
    pub total: i64,
}

/// A gap that was surfaced.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// The row that shows it last.
    pub row: Row,
    /// When it was first read.
    pub read: Moment,
    /// Whose.
    pub entity: Entity,
    /// The event that is missing: the first of them.
    pub sequence: Sequence,
    /// Whether it is still missing.
    pub open: bool,
}

/// Which reading it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Log,
    Entities,
    Gaps,
}

/// The name of a column that is missing, or is not of its type.
type Column = &'static str;

/// Takes in a reading.
pub(super) fn read(facts: &mut Facts, source: Source, mut reading: Reading, added: &[Value], removed: &[Value]) {
    let before = facts.readings[source as usize].last().map_or(0, |last| last.unreadable);
    reading.unreadable = before;
    // What is removed first may be added changed.
    for (place, row) in (0..).zip(removed) {
        let at = Row { event: reading.event, place, gone: true };
        if take(facts, source, &reading, at, row).is_err() {
            reading.unreadable = reading.unreadable.saturating_sub(1);
        }
    }
    for (place, row) in (0..).zip(added) {
        let at = Row { event: reading.event, place, gone: false };
        if let Err(column) = take(facts, source, &reading, at, row) {
            reading.unreadable += 1;
            facts.unreadable_row.get_or_insert_with(|| match row.get(column) {
                None => format!("row without `{column}`"),
                Some(_) => format!("row whose `{column}` cannot be read"),
            });
        }
    }
    facts.readings[source as usize].push(reading);
}

fn take(facts: &mut Facts, source: Source, reading: &Reading, at: Row, row: &Value) -> Result<(), Column> {
    let none = Map::new();
    let fields = row.as_object().unwrap_or(&none);
    let entity = Entity(facts.entities.intern(fields.get("entity").and_then(Value::as_str).ok_or("entity")?));
    let number = |name: Column| fields.get(name).and_then(Value::as_i64).ok_or(name);
    let sequence = Sequence(number("sequence")?);
    match source {
        Source::Log => {
            let key = Arc::from(fields.get("event").and_then(Value::as_str).ok_or("event")?);
            let applied = Applied { row: at, read: reading.at, position: number("position")?, entity, sequence, key };
            note_applied(facts, applied);
        }
        Source::Entities if at.gone => {}
        Source::Entities => facts.standings.push(Standing { row: at, entity, sequence, total: number("total")? }),
        Source::Gaps => {
            let open = fields.get("open").and_then(Value::as_bool).ok_or("open")?;
            let known = facts.gaps.iter_mut().find(|gap| (gap.entity, gap.sequence) == (entity, sequence));
            let open = open && !at.gone;
            match known {
                Some(gap) => (gap.row, gap.open) = (at, open),
                None => facts.gaps.push(Gap { row: at, read: reading.at, entity, sequence, open }),
            }
        }
    }
    Ok(())
}

/// A row of the log that is the same as one that was there is that one.
fn note_applied(facts: &mut Facts, applied: Applied) {
    if applied.row.gone {
        let is_it = |it: &&mut Applied| it.position == applied.position && it.entity == applied.entity;
        if let Some(known) = facts.log.iter_mut().rev().find(is_it) {
            known.row = applied.row;
        }
    } else {
        facts.log.push(applied);
    }
}
