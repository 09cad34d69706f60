//! What a history is made of.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ids::{AttemptId, ClientId, InstanceName, IntentId, Moment, StepId};

/// One line of a history. Appended, never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When the harness saw it.
    pub at: Moment,
    /// What it saw.
    #[serde(flatten)]
    pub what: What,
}

/// The kinds of event, in the order in which a run usually brings them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// The run entered a phase.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// An attempt is about to be sent. Stamped before the first byte leaves.
    Invoke {
        /// This sending.
        attempt: AttemptId,
        /// What it is a sending of.
        intent: IntentId,
        /// Who sends.
        client: ClientId,
        /// The instance whose link it is sent through.
        to: InstanceName,
        /// The request, in the profile's terms.
        call: Call,
    },
    /// An attempt ended. Stamped after the last byte arrived or the wait was given up.
    Return {
        /// The attempt that ended.
        attempt: AttemptId,
        /// How.
        outcome: Outcome,
    },
    /// Something happened to a step of the fault plan.
    Fault {
        /// Which step.
        step: StepId,
        /// What happened to it.
        change: FaultChange,
    },
    /// An instance or a part of the stack started, became ready or ended.
    Process {
        /// `api-1`, `postgres`, `redis` or `kafka`.
        name: String,
        /// What happened.
        change: ProcessChange,
    },
    /// Rows read back in one snapshot, as the difference to the reading before (the first: to nothing).
    /// A row that changed is both removed and added.
    Rows {
        /// When the reading was asked for; `at` is when it had been received.
        sent: Moment,
        /// What was read: `journal`, …: named by the profile.
        source: String,
        /// Rows that the reading before did not have.
        added: Vec<Value>,
        /// Rows that only the reading before had.
        removed: Vec<Value>,
    },
    /// A record consumed from the target's event topic, by the harness's own consumer.
    Record(Record),
    /// A fault of the plan appended a record to a topic: what comes from its place is not the target's doing.
    Planted(Planted),
    /// A service that the harness plays was called; `at` is when it did what it was asked, before it answered: what it did
    /// stands, whether or not somebody hears of it.
    Played(Played),
    /// Which of the texts that the script watches for occur in a place: looked for once, in the audit.
    Words {
        /// Where: `log of api-1`, `topic orders.events`.
        place: String,
        /// Those that were found, each once.
        found: Vec<String>,
    },
    /// A fault of the harness appended a record of the run again: what comes from there is not the target's doing.
    Reproduced {
        /// Topic name without the run's prefix.
        topic: String,
        /// The partition, of both.
        partition: i32,
        /// The offset of the record that was copied.
        of: i64,
        /// The offset of the copy.
        offset: i64,
    },
    /// A request passed over a link, and its reply came or never will. Recorded only where messages matter: when the plan
    /// has faults at exchanges, or they are to be found. `at` is when it was over.
    Exchange(Exchange),
    /// What the set-up asked for has been done to its end: until the load begins, the target does only what it does anyway.
    /// Recorded where exchanges are.
    Rested,
    /// The target declares no event topic: what it publishes, if anything, is not looked at, and nobody waits for it.
    Eventless,
    /// Everything that was in the event topic at this moment has been recorded.
    EventsRead,
    /// The deadline for settling has passed, and the target still owed something.
    Unsettled {
        /// What, for people.
        owed: String,
    },
    /// Something that has to be seen could not be: the run is no pass, whatever its oracles say.
    Blind {
        /// What, and why.
        why: String,
    },
    /// Something a reader of the history should know: a stream that could not be read, a limit that was reached.
    Note {
        /// One sentence.
        text: String,
    },
    /// The last event of a run that ended in order. A history without one was cut off.
    End {
        /// Why it ended.
        why: End,
    },
}

/// The phases of a run, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The world is prepared: accounts are opened and funded. No faults.
    Setup,
    /// The workload runs and the nemesis carries the plan out.
    Load,
    /// Every fault has been healed; the target is probed until it works again and nothing is pending.
    Settle,
    /// Everything is read back for the last time.
    Audit,
}

/// A request in the terms of a profile: an operation and its fields. The driver turns it into HTTP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The operation's name, for example `transfer`.
    pub operation: String,
    /// The operation's fields. A field that is absent or null is left out of the request.
    pub fields: Map<String, Value>,
    /// Sent instead of the mapped body, to see what the target makes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<RawBody>,
}

/// A request body that no mapping would produce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RawBody {
    /// Exactly this text.
    Text(String),
    /// Valid JSON of about this many bytes, most of it padding.
    Padded {
        /// Size of the whole body in bytes.
        bytes: u32,
    },
}

/// How an attempt ended. When in doubt: `Unknown`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It must have happened.
    Ok {
        /// HTTP status, 2xx; 0 for a record that the broker has acknowledged.
        status: u16,
        /// The reply's fields, in the profile's terms.
        reply: Map<String, Value>,
    },
    /// It must not have happened.
    Refused {
        /// HTTP status; `None` when not a byte was sent.
        status: Option<u16>,
        /// The target's own word for the reason, or ours.
        why: String,
        /// Those of the reply's fields that were there.
        reply: Map<String, Value>,
    },
    /// It may have happened.
    Unknown(Doubt),
}

/// Why it is not known whether an attempt happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// No complete reply within the caller's patience.
    Timeout,
    /// The connection ended before the reply was complete.
    Reset(String),
    /// A status that says neither yes nor no: 5xx, 408, 425, 429, or one that the manifest names.
    Status {
        /// HTTP status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// A reply that cannot be read as the contract says; the text says what is wrong with it.
    Unreadable(String),
    /// The run ended while the attempt was under way.
    Abandoned,
}

/// What happened to a step of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultChange {
    /// The harness did it. The text names what exactly, with everything drawn from the seed resolved.
    Injected(String),
    /// It made a difference; the text is the evidence. At most once for each step.
    Bit(String),
    /// The harness undid it.
    Healed(String),
    /// It ended without making a difference; the text says why. At most once, and never after `Bit`.
    Missed(String),
}

/// What happened to a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessChange {
    /// Spawned.
    Started {
        /// Process id on this machine.
        pid: u32,
    },
    /// Its ready probe was answered.
    Ready,
    /// It is gone.
    Exited {
        /// `exit status: 1`, `signal: 9 (SIGKILL)`, …
        status: String,
        /// Whether the plan or the end of the run asked for it.
        expected: bool,
    },
}

/// A record of the target's event topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Topic name without the run's prefix.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
    /// The record's key, if it is text.
    pub key: Option<String>,
    /// Its headers whose values are text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The fields that the manifest maps, in the profile's terms; `{"unreadable": "why"}` where they could not be read.
    pub fields: Map<String, Value>,
}

/// A record that the harness put on a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planted {
    /// Topic name without the run's prefix.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
    /// The record's key, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its value.
    pub payload: String,
    /// Whether the target can act on it: a copy of a record of its own. What cannot be acted on is poison.
    pub readable: bool,
}

/// A call of a counterparty, as the counterparty saw it: ground truth of what it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Played {
    /// The counterparty: `gateway`.
    pub of: String,
    /// Who called.
    pub from: InstanceName,
    /// When the whole request had been read.
    pub received: Moment,
    /// What was asked: `charge`, `refund`, `lookup`.
    pub operation: String,
    /// The idempotency key it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The correlation id it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// What it said, without secrets.
    pub fields: Map<String, Value>,
    /// The id of what this very call brought about: a charge, a refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// The id of what an earlier call had brought about, of which this was the repetition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
    /// The HTTP status that it then began to send, which a fault on the way may keep from the caller; `None` when it was to
    /// send nothing.
    pub status: Option<u16>,
    /// How long the caller was told to wait before it asks again.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "humantime_serde")]
    pub retry_after: Option<Duration>,
}

/// A request on a link and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// When the link had begun to read it.
    pub sent: Moment,
    /// Who asked whom: `api-1->postgres`.
    pub edge: String,
    /// Counted on the link from 1, in the order of acceptance.
    pub connection: u64,
    /// What it is called in its protocol: `COMMIT`, `POST /transfers`, `Produce events`.
    pub label: String,
    /// Whether it may change something.
    pub changes: bool,
    /// What became of it.
    pub truth: Truth,
    /// Whether a whole reply came.
    pub answered: bool,
    /// Whether that reply was kept from whoever asked.
    #[serde(default)]
    pub lost: bool,
    /// The code of the reply that arrived, where its protocol has one: `201`, `40P01`. A reply that the link had put in the
    /// place of another counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// What is known of a request, by all that passed over its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truth {
    /// No byte of it was passed on.
    NotSent,
    /// It was passed on; what came of it was not said, or not heard.
    Sent,
    /// It worked inside a transaction that was still open.
    Pending,
    /// It failed; nothing of it stands.
    Refused,
    /// It worked, and what it changed stands.
    Applied,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It went through all its phases.
    Completed,
    /// Somebody asked the harness to stop.
    Interrupted,
    /// The environment failed, or the target did not start; the text says how.
    Failed(String),
    /// The target started but did not get as far as the load; the text says how.
    Stuck(String),
}
