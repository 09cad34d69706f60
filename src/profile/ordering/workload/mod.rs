//! The events that callers publish, each kind of stream with its parameters. Building a script is pure: the same seed and
//! the same instances give the same script.
//!
//! **Invariant:** one caller publishes all events of an entity, so that their order on the topic is that of the script
//! as long as nothing goes wrong with the broker.

mod stream;
#[cfg(test)]
mod tests;

pub use stream::{Stream, Timestamps};

use serde::{Deserialize, Serialize};

use crate::history::InstanceName;
use crate::profile::{Script, Workload};

/// A workload of the ordering profile, as a suite writes it: `workload = { stream = { entities = 12 } }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderingWorkload {
    /// Events of several entities: in order, out of order, twice, late or never.
    Stream(Stream),
}

impl Workload for OrderingWorkload {
    fn script(&self, seed: u64, instances: &[InstanceName]) -> Script {
        match self {
            Self::Stream(workload) => workload.script(seed, instances.len()),
        }
    }
}
