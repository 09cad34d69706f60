//! The work that callers give an order service, each kind with its parameters. Building a script is pure: the same seed
//! and the same instances give the same script.
//!
//! **Invariant:** every order has a key, a correlation id, a card and a token of its own, so that each can be told
//! wherever it shows.

mod burst;
mod composer;
mod hot_order;
mod orders;
#[cfg(test)]
mod tests;

pub use burst::Burst;
pub use hot_order::HotOrder;
pub use orders::Orders;

use serde::{Deserialize, Serialize};

use crate::history::InstanceName;
use crate::profile::{Script, Workload};

/// A workload of the orders profile, as a suite writes it: `workload = { orders = { orders = 120 } }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrdersWorkload {
    /// Orders one after the other, sent again in every way, with declines, looks and replays.
    Orders(Orders),
    /// Many orders in a short time, whatever becomes of them.
    Burst(Burst),
    /// A few orders, each sent many times at once and again.
    HotOrder(HotOrder),
}

impl Workload for OrdersWorkload {
    fn script(&self, seed: u64, instances: &[InstanceName]) -> Script {
        match self {
            Self::Orders(workload) => workload.script(seed, instances.len()),
            Self::Burst(workload) => workload.script(seed, instances.len()),
            Self::HotOrder(workload) => workload.script(seed, instances.len()),
        }
    }
}
