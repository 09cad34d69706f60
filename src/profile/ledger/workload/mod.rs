//! The work that callers give a ledger, each kind with its parameters. Building a script is pure: the same seed and
//! the same instances give the same script.
//!
//! **Invariant:** no two intents of a script ask for the same body, so that an effect can be traced to its intent
//! even in a journal that shows no keys.

mod bad_input;
mod composer;
mod declines;
mod key_reuse;
mod reversals;
mod transfers;

pub use crate::profile::callers::Callers;
pub use bad_input::BadInput;
pub use declines::Declines;
pub use key_reuse::KeyReuse;
pub use reversals::Reversals;
pub use transfers::Transfers;

use serde::{Deserialize, Serialize};

use crate::history::InstanceName;
use crate::profile::{Script, Workload};

/// A workload of the ledger profile, as a suite writes it: `workload = { transfers = { intents = 240 } }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LedgerWorkload {
    /// Transfers over a few hot accounts, sent again in every way.
    Transfers(Transfers),
    /// Keys used again with another body.
    KeyReuse(KeyReuse),
    /// Transfers taken back: twice, by other keys, where there is nothing to take back.
    Reversals(Reversals),
    /// More asked for than there is, then topped up and asked again.
    Declines(Declines),
    /// Requests that have to be refused, between good ones.
    BadInput(BadInput),
}

impl Workload for LedgerWorkload {
    fn script(&self, seed: u64, instances: &[InstanceName]) -> Script {
        match self {
            Self::Transfers(workload) => workload.script(seed, instances.len()),
            Self::KeyReuse(workload) => workload.script(seed, instances.len()),
            Self::Reversals(workload) => workload.script(seed, instances.len()),
            Self::Declines(workload) => workload.script(seed, instances.len()),
            Self::BadInput(workload) => workload.script(seed, instances.len()),
        }
    }
}

#[cfg(test)]
mod tests;
