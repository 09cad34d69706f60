//! A few orders that are sent over and over.

use serde::{Deserialize, Serialize};

use super::composer::Composer;
use crate::profile::Script;
use crate::profile::callers::Callers;
use crate::profile::programme::Programme;

/// See [`super::OrdersWorkload::HotOrder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HotOrder {
    /// Who calls; every caller sends every order.
    pub callers: Callers,
    /// How many orders.
    pub orders: u32,
    /// How many times each caller sends each.
    pub times: u32,
    /// How many times at once, through different instances.
    pub copies: u8,
}

impl Default for HotOrder {
    fn default() -> Self {
        Self { callers: Callers::default(), orders: 6, times: 2, copies: 3 }
    }
}

impl HotOrder {
    pub(super) fn script(&self, seed: u64, instances: usize) -> Script {
        let mut composer = Composer::new(seed);
        let mut programme = Programme::new(&self.callers);
        for _ in 0..self.orders {
            let intent = composer.order();
            for _ in 0..self.times {
                for client in 0..programme.clients() {
                    programme.send_copies(client, intent, self.copies.max(1));
                }
            }
        }
        composer.finish(programme, &self.callers, instances, &[])
    }
}
