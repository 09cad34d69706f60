//! A ledger history in types: read once from the generic events, dense and interned, so that every oracle is a pass
//! over a few vectors.
//!
//! Nothing is judged here. What cannot be read is counted, never guessed.

mod call;
mod reader;

pub use crate::profile::faults::{FaultKind, FaultSeen};
pub use crate::profile::names::{Names, Pattern};
pub use call::{Ask, Body, Flaw};
pub use reader::Reader;

use std::ops::Range;

use crate::history::{AttemptId, ClientId, Event, InstanceName, IntentId, Moment, Phase};
use crate::oracle::effects::Heard;

/// How the harness names accounts.
pub const ACCOUNTS: Pattern = Pattern { prefix: "a-", width: 4 };

/// How the harness names keys: the number is that of the intent the key was made for.
pub const KEYS: Pattern = Pattern { prefix: "k-", width: 1 };

/// An account, numbered in the order of first mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(pub u32);

/// A transfer or reversal as the target names it, numbered in the order of first mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transfer(pub u32);

/// A currency, numbered in the order of first mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(pub u32);

/// An idempotency key of the harness's own: the number written in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u32);

/// An event's own id, numbered in the order of first mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u32);

/// An instance, numbered in the order of first mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(pub u16);

/// Everything that a history says about a ledger.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// By [`IntentId`]; those that were never sent are [`Ask::Unsent`].
    pub intents: Vec<Intent>,
    /// By [`AttemptId`].
    pub attempts: Vec<Attempt>,
    /// Account names.
    pub accounts: Names,
    /// Transfer names.
    pub transfers: Names,
    /// Currency codes.
    pub currencies: Names,
    /// Event ids.
    pub event_ids: Names,
    /// Instances, by [`Instance`].
    pub instances: Vec<InstanceName>,
    /// Currency and limit of each account that was opened; by [`Account`].
    pub terms: Vec<Option<Terms>>,
    /// Readings of the journal, in order.
    pub readings: Vec<Reading>,
    /// Every row that a reading added, in the order of the readings.
    pub rows: Vec<Row>,
    /// Every row that a reading no longer had.
    pub removals: Vec<Removal>,
    /// Event records, in the order in which they were consumed.
    pub deliveries: Vec<Delivery>,
    /// Event records without a readable id and transfer.
    pub unreadable_records: u64,
    /// What kept the first such row from being read.
    pub unreadable_row: Option<String>,
    /// What kept the first such event record from being read.
    pub unreadable_record: Option<String>,
    /// Whether the target declares no event topic, so that no event can come.
    pub eventless: bool,
    /// Whether everything in the event topic had been recorded at some moment of the audit.
    pub events_read: bool,
    /// What `balance` and `entries` said.
    pub views: Vec<View>,
    /// What happened to the plan's steps.
    pub faults: Vec<FaultSeen>,
    /// Starts and ends of processes.
    pub processes: Vec<ProcessSeen>,
    /// When each phase began, in the order of [`Phase`].
    pub phases: [Option<Moment>; 4],
}

/// Something a caller wanted done once.
#[derive(Clone, Copy, Debug)]
pub struct Intent {
    /// What.
    pub ask: Ask,
    /// The key it was sent with.
    pub key: Option<Key>,
    /// The phase in which it was first sent.
    pub phase: Phase,
    /// Its latest attempt; the chain of [`Attempt::before`] leads to the others.
    pub last: Option<AttemptId>,
    /// How many attempts.
    pub sent: u32,
    /// All answers together.
    pub heard: Heard,
    /// When the first `Ok` had been received.
    pub first_ok: Option<Moment>,
}

/// One sending of an intent.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Of what.
    pub intent: IntentId,
    /// The attempt of the same intent before this one.
    pub before: Option<AttemptId>,
    /// By whom.
    pub client: ClientId,
    /// To whom.
    pub to: Instance,
    /// When it was about to be sent.
    pub invoked: Moment,
    /// When it had ended; `None` while it is under way.
    pub returned: Option<Moment>,
    /// What was heard.
    pub answer: Answer,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It must have happened.
    Ok {
        /// The transfer that it names.
        transfer: Option<Transfer>,
    },
    /// It must not have happened.
    Refused {
        /// `None` when nothing was sent.
        status: Option<u16>,
        /// The transfer that it names: a stored decline has an id.
        transfer: Option<Transfer>,
        /// Whether it says that there is not enough money. Other refusals say nothing about a balance.
        short: bool,
    },
    /// It may have happened.
    Unknown(Why),
}

impl Answer {
    /// Whether the target said yes or no. An attempt of which not a byte was sent was never put to it.
    #[must_use]
    pub fn is_definite(self) -> bool {
        !matches!(self, Self::Unknown(_) | Self::Refused { status: None, .. })
    }
}

/// Why it is not known whether an attempt happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No answer in time.
    Timeout,
    /// The connection ended first.
    Reset,
    /// A status that says neither.
    Status(u16),
    /// The answer cannot be read.
    Unreadable,
    /// It never ended within the run.
    Abandoned,
}

/// What an account was opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Its currency.
    pub currency: Currency,
    /// The lowest balance it may have, in minor units.
    pub limit: i64,
}

/// One reading of the whole journal.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Index of the history's event.
    pub event: u32,
    /// When it was asked for.
    pub sent: Moment,
    /// When it had been received.
    pub at: Moment,
    /// The phase in which it was received.
    pub phase: Phase,
    /// Indices into [`Facts::rows`] of the rows it added.
    pub added: Range<u32>,
    /// Indices into [`Facts::removals`] of the rows it no longer had.
    pub removed: Range<u32>,
    /// How many of its rows, new and old, cannot be read.
    pub unreadable: u64,
}

/// A journal row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its place in the journal.
    pub sequence: i64,
    /// In minor units; negative for a debit.
    pub amount: i64,
    /// The transfer it is a leg of.
    pub transfer: Transfer,
    /// Whose.
    pub account: Account,
    /// Of which currency.
    pub currency: Currency,
    /// The key, if the target shows one of ours.
    pub key: Option<Key>,
    /// The transfer that its transfer reverses.
    pub reverses: Option<Transfer>,
    /// Index of the reading that first had it.
    pub reading: u32,
    /// Its place in that reading's `added`.
    pub place: u32,
    /// Index of the reading that no longer had it.
    pub gone: Option<u32>,
}

impl Row {
    /// What makes two rows the same row, wherever they were read.
    #[must_use]
    pub fn content(&self) -> (i64, i64, Transfer, Account, Currency, Option<Key>, Option<Transfer>) {
        (self.sequence, self.amount, self.transfer, self.account, self.currency, self.key, self.reverses)
    }
}

/// A row that a reading no longer had.
#[derive(Clone, Copy, Debug)]
pub struct Removal {
    /// Index into [`Facts::rows`].
    pub row: u32,
    /// Its place in the reading's `removed`.
    pub place: u32,
}

/// An event record.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// Index of the history's event.
    pub event: u32,
    /// When it was consumed.
    pub at: Moment,
    /// Partition.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
    /// The event's own id.
    pub id: EventId,
    /// The transfer that it tells of.
    pub transfer: Transfer,
}

/// What the target said about an account.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The attempt that it is the answer to.
    pub attempt: AttemptId,
    /// Whose.
    pub account: Account,
    /// The balance.
    pub balance: Option<i64>,
    /// The entries, where they were asked for and could be read: how many, and their sum.
    pub entries: Option<(u32, i128)>,
}

/// Something that happened to a process.
#[derive(Clone, Debug)]
pub struct ProcessSeen {
    /// Index of the history's event.
    pub event: u32,
    /// When.
    pub at: Moment,
    /// To which.
    pub name: String,
    /// What.
    pub change: ProcessKind,
}

/// See [`crate::history::ProcessChange`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessKind {
    /// Spawned or ready.
    Up,
    /// Gone.
    Exited {
        /// How, in words.
        status: String,
        /// Whether the harness wanted it.
        expected: bool,
    },
}

impl Facts {
    /// Reads what a history holds so far.
    #[must_use]
    pub fn read(events: &[Event]) -> Self {
        let mut reader = Reader::default();
        for event in events {
            reader.see(event);
        }
        reader.finish()
    }

    /// The attempts of an intent, the latest first.
    pub fn attempts_of(&self, intent: &Intent) -> impl Iterator<Item = (AttemptId, &Attempt)> {
        let mut next = intent.last;
        std::iter::from_fn(move || {
            let id = next?;
            let attempt = self.attempts.get(id.0 as usize)?;
            next = attempt.before;
            Some((id, attempt))
        })
    }

    /// Every intent with its id.
    pub fn numbered_intents(&self) -> impl Iterator<Item = (IntentId, &Intent)> {
        (0..).map(IntentId).zip(&self.intents)
    }

    /// When a phase began.
    #[must_use]
    pub fn began(&self, phase: Phase) -> Option<Moment> {
        self.phases[phase as usize]
    }

    /// The last reading, if it was taken in the audit and every row of it can be read.
    #[must_use]
    pub fn audited(&self) -> Option<&Reading> {
        self.readings.last().filter(|last| last.phase == Phase::Audit && last.unreadable == 0)
    }
}
