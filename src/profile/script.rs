//! What the callers do in a run: data, fully resolved from the seed, so that it can be stored, replayed and shrunk.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::history::{Call, IntentId};

/// The callers' whole programme.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// Every intent; [`IntentId`] is the index.
    pub intents: Vec<Intent>,
    /// Sent before the load, one after the other; each is sent until it has a definite answer.
    pub setup: Vec<IntentId>,
    /// What each caller does during the load; [`crate::history::ClientId`] is the index.
    pub clients: Vec<Vec<Step>>,
    /// How the callers' steps follow each other.
    pub arrival: Arrival,
    /// How callers deal with silence and doubt.
    pub patience: Patience,
    /// Sent after the load has ended and all faults have been healed, the `n`th through the `n`th instance, again and
    /// again until each has a definite answer: shows that the target works again.
    pub probes: Vec<IntentId>,
    /// Sent in the audit, one after the other, the `n`th through instance `n` modulo their number: what the target
    /// itself says about the end, to be compared with the readings.
    #[serde(default)]
    pub audit: Vec<IntentId>,
    /// Texts that are looked for in what the instances print and in the raw events: ids that should be there, secrets
    /// that should not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watch: Vec<String>,
}

impl Script {
    /// How many attempts the load has when each step is sent once, as often as it is sent at the same moment.
    #[must_use]
    pub fn attempts_least(&self) -> u32 {
        let copies = self.clients.iter().flatten().map(|step| u32::from(step.copies.max(1)));
        copies.fold(0, u32::saturating_add)
    }
}

/// Something a caller wants done once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The request.
    pub call: Call,
    /// Fields to be filled from the reply to another intent. If that reply is missing, the intent is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binds: Vec<Bind>,
}

/// A field whose value another intent's reply brings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// The field of this call.
    pub field: String,
    /// Whose reply.
    pub intent: IntentId,
    /// The field of that reply (of an `Ok`, or of a `Refused` that has it).
    pub reply: String,
}

/// One entry of a caller's programme: send an intent, for the first time or again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What to send.
    pub intent: IntentId,
    /// Closed arrival: the pause before it. Open arrival: when it is sent, counted from the start of the load.
    #[serde(with = "humantime_serde", default)]
    pub after: Duration,
    /// How many attempts are sent at the same moment, each through another instance; at least 1.
    pub copies: u8,
}

/// How a caller's steps follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// The next step starts when the one before has a definite answer or has used up its attempts.
    Closed,
    /// Each step starts at its time, whatever became of the others: a slow target does not slow the callers down.
    Open,
}

/// How callers deal with silence and doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patience {
    /// How long a caller waits for a reply.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How many attempts a step may take while the outcome is unknown or nothing was sent; each goes through the next instance.
    pub attempts: u8,
    /// The pause between two attempts.
    #[serde(with = "humantime_serde")]
    pub pause: Duration,
}
