//! Transfers taken back.

use serde::{Deserialize, Serialize};

use super::composer::Composer;
use super::transfers::two;
use crate::profile::Script;
use crate::profile::callers::Callers;
use crate::profile::programme::Programme;

/// See [`super::LedgerWorkload::Reversals`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reversals {
    /// Who calls.
    pub callers: Callers,
    /// How many transfers are reversed, each under two keys at about the same time and once more later.
    pub twice: u32,
    /// How many reversals are themselves reversed, under two keys.
    pub reversed: u32,
    /// How many transfers that were declined somebody tries to reverse.
    pub declined: u32,
    /// How many transfers that never were somebody tries to reverse.
    pub made_up: u32,
}

impl Default for Reversals {
    fn default() -> Self {
        Self { callers: Callers::default(), twice: 64, reversed: 12, declined: 8, made_up: 8 }
    }
}

impl Reversals {
    pub(super) fn script(&self, seed: u64, instances: usize) -> Script {
        let mut composer = Composer::new(seed);
        let treasury = composer.treasury("EUR");
        let accounts: Vec<_> = (0..12).map(|_| composer.funded(treasury, 10_000_000)).collect();
        let mut programme = Programme::new(&self.callers);
        let clients = u32::try_from(programme.clients()).unwrap_or(u32::MAX);
        let mut left = self.twice;
        let (mut chains, mut declined, mut made_up) = (self.reversed, self.declined, self.made_up);
        while left > 0 {
            // Each caller makes a transfer; then each reverses its own while its neighbour tries the same.
            let round = left.min(clients);
            left -= round;
            let originals: Vec<_> = (0..round)
                .map(|_| {
                    let (from, to) = two(&mut composer, &accounts);
                    composer.transfer(from, to, 100..=9_999)
                })
                .collect();
            for (client, &original) in originals.iter().enumerate() {
                programme.send(client, original);
            }
            for (client, &original) in originals.iter().enumerate() {
                let (own, rival, late) =
                    (composer.reversal(original), composer.reversal(original), composer.reversal(original));
                programme.send(client, own);
                programme.send(client + 1, rival);
                programme.send(client, own);
                programme.send(client, late);
                if let Some(fewer) = chains.checked_sub(1) {
                    chains = fewer;
                    let (back, again) = (composer.reversal(own), composer.reversal(own));
                    programme.send(client, back);
                    programme.send(client, again);
                }
                if let Some(fewer) = declined.checked_sub(1) {
                    declined = fewer;
                    let (from, to) = two(&mut composer, &accounts);
                    let decline = composer.exactly(from, to, (1 << 40) + i64::from(fewer));
                    let reversal = composer.reversal(decline);
                    programme.send(client, decline);
                    programme.send(client, reversal);
                }
                if let Some(fewer) = made_up.checked_sub(1) {
                    made_up = fewer;
                    let reversal = composer.reversal_of_nothing();
                    programme.send(client, reversal);
                }
            }
        }
        composer.finish(programme, &self.callers, instances)
    }
}
