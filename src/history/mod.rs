//! The append-only record of a run: the only thing that oracles see.
//!
//! Events are generic over profiles: a call and a reply are an operation's name and its fields.
//! Each profile reads them into types of its own before it judges.

mod event;
mod ids;
mod recorder;
mod stored;

pub use event::{
    Call, Doubt, End, Event, Exchange, FaultChange, Outcome, Phase, Planted, Played, ProcessChange, RawBody, Record,
    Truth, What,
};
pub use ids::{AttemptId, ClientId, InstanceName, IntentId, Moment, StepId};
pub use recorder::{Recorder, RecorderError};
pub use stored::{FORMAT_VERSION, StoredError, read_history};

/// Every event of a run, in the order in which the harness saw them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The events.
    pub events: Vec<Event>,
}

impl History {
    /// Why the run ended; `None` when the history was cut off.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.events.iter().rev().find_map(|event| match &event.what {
            What::End { why } => Some(why),
            _ => None,
        })
    }
}
