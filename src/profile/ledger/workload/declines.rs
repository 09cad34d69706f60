//! More asked for than there is.

use serde::{Deserialize, Serialize};

use super::composer::Composer;
use crate::profile::Script;
use crate::profile::callers::Callers;
use crate::profile::programme::Programme;

/// What is on a poor account, in minor units. Every caller asks for about half of it.
const FUNDS: i64 = 10_000;

/// See [`super::LedgerWorkload::Declines`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Declines {
    /// Who calls.
    pub callers: Callers,
    /// How many poor accounts there are. All callers debit one at about the same time, then the next; a round later
    /// the account is topped up and everybody asks again under the same key.
    pub rounds: u16,
}

impl Default for Declines {
    fn default() -> Self {
        Self { callers: Callers::default(), rounds: 20 }
    }
}

impl Declines {
    pub(super) fn script(&self, seed: u64, instances: usize) -> Script {
        let mut composer = Composer::new(seed);
        let treasury = composer.treasury("EUR");
        let sink = composer.funded(treasury, 0);
        let poor: Vec<_> = (0..self.rounds).map(|_| composer.funded(treasury, FUNDS)).collect();
        let mut programme = Programme::new(&self.callers);
        let mut before = Vec::new();
        for (round, &account) in poor.iter().enumerate() {
            let asked: Vec<_> = (0..programme.clients())
                .map(|_| composer.transfer(account, sink, FUNDS * 2 / 5..=FUNDS * 3 / 5))
                .collect();
            for (client, &intent) in asked.iter().enumerate() {
                programme.send(client, intent);
            }
            if let Some(last) = round.checked_sub(1) {
                let amount = FUNDS * 10 + i64::try_from(last).unwrap_or(0);
                let top_up = composer.exactly(treasury, poor[last], amount);
                programme.send(round, top_up);
            }
            for (client, intent) in std::mem::replace(&mut before, asked).into_iter().enumerate() {
                programme.send(client, intent);
                programme.send(client + 1, intent);
            }
        }
        composer.finish(programme, &self.callers, instances)
    }
}
