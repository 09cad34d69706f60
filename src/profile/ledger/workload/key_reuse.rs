//! Keys used again with another body.

use serde::{Deserialize, Serialize};

use super::composer::Composer;
use super::transfers::two;
use crate::profile::Script;
use crate::profile::callers::Callers;
use crate::profile::programme::Programme;

/// See [`super::LedgerWorkload::KeyReuse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyReuse {
    /// Who calls.
    pub callers: Callers,
    /// How many keys are used again by the same caller, once it has its answer.
    pub later: u32,
    /// How many keys are used for two bodies at about the same time, by two callers.
    pub racing: u32,
}

impl Default for KeyReuse {
    fn default() -> Self {
        Self { callers: Callers::default(), later: 60, racing: 40 }
    }
}

impl KeyReuse {
    pub(super) fn script(&self, seed: u64, instances: usize) -> Script {
        let mut composer = Composer::new(seed);
        let treasury = composer.treasury("EUR");
        let accounts: Vec<_> = (0..6).map(|_| composer.funded(treasury, 10_000_000)).collect();
        let mut programme = Programme::new(&self.callers);
        for number in 0..self.later.max(self.racing) {
            if number < self.later {
                let (from, to) = two(&mut composer, &accounts);
                let first = composer.transfer(from, to, 100..=9_999);
                // By turns another amount and other accounts.
                let second = if number % 2 == 0 {
                    composer.other_body(first, from, to, 10_000 + i64::from(number))
                } else {
                    composer.other_body(first, to, from, 10_000 + i64::from(number))
                };
                let client = programme.turn();
                for intent in [first, second, first, second] {
                    programme.send(client, intent);
                }
            }
            if number < self.racing {
                let (from, to) = two(&mut composer, &accounts);
                let first = composer.transfer(from, to, 100..=9_999);
                let second = composer.other_body(first, from, to, 20_000 + i64::from(number));
                let (one, other) = (programme.turn(), programme.turn());
                programme.send(one, first);
                programme.send(other, second);
            }
        }
        composer.finish(programme, &self.callers, instances)
    }
}
