//! An ordering history in types: read once from the generic events, dense and interned.
//!
//! Nothing is judged here. What cannot be read is counted, never guessed.

mod reader;
mod rows;

pub use reader::Reader;
pub use rows::{Applied, Gap, Reading, Standing};

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::history::{AttemptId, Event, IntentId, Moment, Phase};
pub use crate::profile::faults::{FaultKind, FaultSeen};
use crate::profile::names::{Names, Pattern};

/// How the harness names events: the number is that of the intent that publishes it.
pub const KEYS: Pattern = Pattern { prefix: "k-", width: 1 };

/// An entity, numbered in the order of first mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity(pub u32);

/// The place of an event among those of its entity, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub i64);

impl Sequence {
    /// Before the first event.
    pub const NONE: Self = Self(0);

    /// The one that follows.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl std::fmt::Display for Sequence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Everything that a history says about a sequenced consumer.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// By [`IntentId`]; `None` for one that was never sent, or is no event.
    pub intents: Vec<Option<Intent>>,
    /// By [`AttemptId`].
    pub attempts: Vec<Attempt>,
    /// Entity names.
    pub entities: Names,
    /// Readings of the log, of the entities and of the gaps.
    pub readings: [Vec<Reading>; 3],
    /// Every event that a reading showed to be applied, in the order of the log.
    pub log: Vec<Applied>,
    /// How the readings showed the entities, in the order of the readings; one for each change.
    pub standings: Vec<Standing>,
    /// Every gap that was surfaced, as it was last seen.
    pub gaps: Vec<Gap>,
    /// What the target told of events that it applied, in the order in which it was consumed.
    pub deliveries: Vec<Delivery>,
    /// Entities of which a fault put an event on the topic that the target consumes: that it applied it is all right.
    pub foreign: BTreeSet<Entity>,
    /// Copies of events that a fault put on the topic that the target consumes.
    pub copies: u64,
    /// Records of the target's own that cannot be read.
    pub unreadable_records: u64,
    /// What kept the first such row from being read.
    pub unreadable_row: Option<String>,
    /// What kept the first such record from being read.
    pub unreadable_record: Option<String>,
    /// Whether the target declares no event topic, so that nothing can be told.
    pub eventless: bool,
    /// Whether everything in the event topic had been recorded at some moment of the audit.
    pub events_read: bool,
    /// What happened to the plan's steps.
    pub faults: Vec<FaultSeen>,
    /// When an instance that applies events ended.
    pub ends: Vec<(Moment, Arc<str>)>,
    /// When each phase began, in the order of [`Phase`].
    pub phases: [Option<Moment>; 4],
    /// Whether somebody or something ended the run before it was through.
    pub broken_off: bool,
}

/// An event that a caller wanted published.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Of which entity.
    pub entity: Entity,
    /// Its place there.
    pub sequence: Sequence,
    /// What it adds to the entity's total, in minor units.
    pub amount: i64,
    /// When it is said to have happened. A text that sorts like the time.
    pub at: Arc<str>,
    /// The phase in which it was first sent.
    pub phase: Phase,
    /// Its attempts, in order.
    pub attempts: Vec<AttemptId>,
}

/// One sending of an event.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Of which.
    pub intent: IntentId,
    /// When it was sent.
    pub invoked: Moment,
    /// When it ended; `None` if it never did.
    pub returned: Option<Moment>,
    /// How.
    pub answer: Answer,
}

/// How a sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The broker has it. Where, if that was said.
    Published(Option<Place>),
    /// It is not there.
    Not,
    /// It may be there, or come there later.
    Doubtful,
}

/// A place in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The partition.
    pub partition: i32,
    /// Where in it.
    pub offset: i64,
}

/// A record in which the target tells of an event that it applied.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Index of the event in the history.
    pub event: u32,
    /// When it was consumed.
    pub at: Moment,
    /// Where it was.
    pub place: Place,
    /// The event that was applied, by the name that it was published under.
    pub key: Arc<str>,
    /// Of which entity.
    pub entity: Entity,
    /// Its place there.
    pub sequence: Sequence,
}

impl Facts {
    /// Reads a history.
    #[must_use]
    pub fn read(events: &[Event]) -> Self {
        let mut reader = Reader::default();
        for event in events {
            reader.see(event);
        }
        reader.finish()
    }

    /// Every event that somebody published, or tried to.
    pub fn events(&self) -> impl Iterator<Item = (IntentId, &Intent)> {
        (0..).map(IntentId).zip(&self.intents).filter_map(|(id, intent)| Some((id, intent.as_ref()?)))
    }

    /// An event.
    #[must_use]
    pub fn intent(&self, id: IntentId) -> Option<&Intent> {
        self.intents.get(id.0 as usize)?.as_ref()
    }

    /// The sendings of an event, in order.
    pub fn attempts_of<'a>(&'a self, intent: &'a Intent) -> impl Iterator<Item = (AttemptId, &'a Attempt)> {
        intent.attempts.iter().filter_map(|id| Some((*id, self.attempts.get(id.0 as usize)?)))
    }

    /// When a phase began.
    #[must_use]
    pub fn began(&self, phase: Phase) -> Option<Moment> {
        self.phases[phase as usize]
    }

    /// When the audit began, if the run went its way and all was read in it.
    #[must_use]
    pub fn audited(&self) -> Option<Moment> {
        let is_whole = self.readings.iter().all(|readings| readings.last().is_some_and(Reading::is_final));
        self.began(Phase::Audit).filter(|_| is_whole && !self.broken_off)
    }

    /// Whether what the target tells can be taken for all that it tells.
    #[must_use]
    pub fn is_told_in_full(&self) -> bool {
        !self.eventless && self.events_read && self.unreadable_records == 0
    }
}
