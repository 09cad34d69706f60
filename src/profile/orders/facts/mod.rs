//! An orders history in types: read once from the generic events, dense and interned.
//!
//! Nothing is judged here. What cannot be read is counted, never guessed.

mod gateway;
mod reader;
mod rows;

pub use gateway::{Charge, GatewayCall, Kind};
pub use reader::Reader;
pub use rows::{Letter, Reading, Sighting};

use std::sync::Arc;

use super::state::State;
use crate::history::{AttemptId, Event, InstanceName, IntentId, Moment, Phase};
pub use crate::profile::faults::{FaultKind, FaultSeen};
use crate::profile::names::{Names, Pattern};

/// How the harness names keys: the number is that of the intent the key was made for.
pub const KEYS: Pattern = Pattern { prefix: "k-", width: 1 };

/// An order as the target names it, numbered in the order of first mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order(pub u32);

/// An event's own id, numbered in the order of first mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u32);

/// A caller's correlation id, numbered in the order of first mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Correlation(pub u32);

/// An instance, numbered in the order of first mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(pub u16);

/// An amount in minor units and its currency, numbered in the order of first mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units.
    pub amount: i64,
    /// Which currency.
    pub currency: u32,
}

/// Everything that a history says about orders.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// By [`IntentId`].
    pub intents: Vec<Intent>,
    /// By [`AttemptId`].
    pub attempts: Vec<Attempt>,
    /// Order names.
    pub orders: Names,
    /// Currency codes.
    pub currencies: Names,
    /// Event ids.
    pub event_ids: Names,
    /// Correlation ids.
    pub correlations: Names,
    /// Ids of charges and refunds.
    pub charges: Names,
    /// Instances, by [`Instance`].
    pub instances: Vec<InstanceName>,
    /// Readings of the orders, in order.
    pub readings: Vec<Reading>,
    /// What the readings showed of each order, in the order of the readings; a sighting for each change.
    pub sightings: Vec<Sighting>,
    /// Readings of the dead letters, in order.
    pub letter_readings: Vec<Reading>,
    /// Every dead letter that was seen, as it was last seen.
    pub letters: Vec<Letter>,
    /// Event records that are the target's own, in the order in which they were consumed.
    pub deliveries: Vec<Delivery>,
    /// Copies of event records that the harness put on the topic.
    pub copies: Vec<Delivery>,
    /// Records that the harness put on the topic and nobody can act on.
    pub poison: Vec<Poison>,
    /// Calls of the gateway, in the order in which they ended.
    pub calls: Vec<GatewayCall>,
    /// Event records of the target's own that cannot be read.
    pub unreadable_records: u64,
    /// What kept the first such row from being read.
    pub unreadable_row: Option<String>,
    /// What kept the first such event record from being read.
    pub unreadable_record: Option<String>,
    /// Whether the target declares no event topic, so that no event can come.
    pub eventless: bool,
    /// Whether everything in the event topic had been recorded at some moment of the audit.
    pub events_read: bool,
    /// Where texts were looked for, and which were found.
    pub words: Vec<Words>,
    /// What happened to the plan's steps.
    pub faults: Vec<FaultSeen>,
    /// Ends and starts of processes.
    pub processes: Vec<ProcessSeen>,
    /// When each phase began, in the order of [`Phase`].
    pub phases: [Option<Moment>; 4],
    /// Whether somebody or something ended the run before it was through.
    pub broken_off: bool,
}

/// What an intent asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ask {
    /// The intent was never sent.
    Unsent,
    /// Take an order.
    Create(Create),
    /// Show an order.
    Look(Order),
    /// Work on the dead letters of an order again.
    Replay(Order),
    /// An operation that the profile does not know.
    Other,
}

/// An order that is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Create {
    /// What is to be paid.
    pub money: Money,
    /// What everything that is done about it has to carry.
    pub correlation: Option<Correlation>,
    /// Whether the gateway declines the card.
    pub declined: bool,
}

/// Something a caller wanted done once.
#[derive(Clone, Debug)]
pub struct Intent {
    /// What.
    pub ask: Ask,
    /// The phase in which it was first sent.
    pub phase: Phase,
    /// Its attempts, in order.
    pub attempts: Vec<AttemptId>,
}

/// One sending of an intent.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// What was sent.
    pub intent: IntentId,
    /// Through whose link.
    pub to: Instance,
    /// When it was sent.
    pub invoked: Moment,
    /// When it ended; `None` if it never did.
    pub returned: Option<Moment>,
    /// How.
    pub answer: Answer,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It must have happened.
    Ok {
        /// The order that it names.
        order: Option<Order>,
        /// How the order stands.
        shown: Option<(State, i64)>,
    },
    /// It must not have happened; without a status it was not even sent.
    Refused(Option<u16>),
    /// It may have happened: a status that says neither yes nor no.
    Doubtful(u16),
    /// It may have happened: no answer in time.
    Silent,
    /// It may have happened: the connection ended, the answer could not be read, or the run ended.
    Lost,
}

/// An event record.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// Index of the event in the history.
    pub event: u32,
    /// When it was consumed.
    pub at: Moment,
    /// Where it was.
    pub partition: i32,
    /// Where in the partition.
    pub offset: i64,
    /// Its own id.
    pub id: EventId,
    /// Of which order it tells.
    pub order: Order,
    /// Which version of it.
    pub version: i64,
    /// The state that the order has by it.
    pub state: State,
    /// The correlation id in its header.
    pub correlation: Option<Correlation>,
}

/// A record that the harness put on the topic and that nobody can act on.
#[derive(Clone, Debug)]
pub struct Poison {
    /// Index of the event in the history.
    pub event: u32,
    /// When it was there.
    pub at: Moment,
    /// Where.
    pub partition: i32,
    /// Where in the partition.
    pub offset: i64,
    /// Its value.
    pub payload: Arc<str>,
}

/// Where texts were looked for.
#[derive(Clone, Debug)]
pub struct Words {
    /// Index of the event in the history.
    pub event: u32,
    /// `log of api-1`, `topic orders.events`.
    pub place: Arc<str>,
    /// Those that were there.
    pub found: Vec<Arc<str>>,
}

/// Something that happened to a process.
#[derive(Clone, Debug)]
pub struct ProcessSeen {
    /// When.
    pub at: Moment,
    /// Whose.
    pub name: Arc<str>,
    /// Whether it started; else it ended.
    pub started: bool,
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

    /// Every order that somebody asked for.
    pub fn creates(&self) -> impl Iterator<Item = (IntentId, &Intent, Create)> {
        (0..).map(IntentId).zip(&self.intents).filter_map(|(id, intent)| match intent.ask {
            Ask::Create(create) => Some((id, intent, create)),
            _ => None,
        })
    }

    /// The attempts of an intent, in order.
    pub fn attempts_of<'a>(&'a self, intent: &'a Intent) -> impl Iterator<Item = (AttemptId, &'a Attempt)> {
        intent.attempts.iter().filter_map(|id| Some((*id, self.attempts.get(id.0 as usize)?)))
    }

    /// When a phase began.
    #[must_use]
    pub fn began(&self, phase: Phase) -> Option<Moment> {
        self.phases[phase as usize]
    }

    /// The reading of the orders that was taken in the audit, if it was whole and the run went its way.
    #[must_use]
    pub fn audited(&self) -> Option<&Reading> {
        let last = |readings: &'_ [Reading]| readings.last().is_some_and(Reading::is_final);
        let whole = !self.broken_off && last(&self.readings) && last(&self.letter_readings);
        self.readings.last().filter(|_| whole)
    }

    /// The name of an instance.
    #[must_use]
    pub fn instance(&self, instance: Instance) -> Option<&InstanceName> {
        self.instances.get(usize::from(instance.0))
    }
}
