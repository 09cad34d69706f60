//! Orders one after the other.

use serde::{Deserialize, Serialize};

use super::composer::Composer;
use crate::profile::Script;
use crate::profile::callers::Callers;
use crate::profile::programme::Programme;

/// See [`super::OrdersWorkload::Orders`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Orders {
    /// Who calls.
    pub callers: Callers,
    /// How many orders.
    pub orders: u32,
    /// How many further orders have a card that is declined.
    pub declined: u32,
    /// How many times one of them is sent again later.
    pub again: u32,
    /// How many of them are first sent several times at once.
    pub concurrent: u32,
    /// How many times at once.
    pub copies: u8,
    /// How many times somebody looks at an order.
    pub looks: u32,
    /// How many of the orders have their dead letters put back to work after the load, if there are any: the first ones.
    pub replays: u32,
}

impl Default for Orders {
    fn default() -> Self {
        let callers = Callers::default();
        Self { callers, orders: 120, declined: 0, again: 30, concurrent: 0, copies: 3, looks: 10, replays: 0 }
    }
}

impl Orders {
    pub(super) fn script(&self, seed: u64, instances: usize) -> Script {
        let mut composer = Composer::new(seed);
        let mut programme = Programme::new(&self.callers);
        let mut orders = Vec::new();
        for number in 0..self.orders {
            let intent = composer.order();
            let copies = if number < self.concurrent { self.copies.max(1) } else { 1 };
            let client = programme.turn();
            programme.send_copies(client, intent, copies);
            orders.push(intent);
        }
        for _ in 0..self.declined {
            let intent = composer.declined();
            programme.strew(&mut composer.random, intent);
            orders.push(intent);
        }
        for _ in 0..self.again {
            programme.send_again(&mut composer.random, &orders);
        }
        for _ in 0..self.looks {
            let Some(order) = crate::profile::programme::pick(&mut composer.random, &orders) else { break };
            let look = composer.look(*order);
            programme.send_after(&mut composer.random, *order, look);
        }
        let replayed = orders.len().min(self.replays as usize);
        composer.finish(programme, &self.callers, instances, &orders[..replayed])
    }
}
