//! Many orders in a short time.

use serde::{Deserialize, Serialize};

use super::composer::Composer;
use crate::fault::spec::Span;
use crate::profile::Script;
use crate::profile::callers::Callers;
use crate::profile::programme::Programme;

/// See [`super::OrdersWorkload::Burst`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Burst {
    /// Who calls; their rate follows from the rest.
    pub callers: Callers,
    /// How many orders there would be in a minute.
    pub a_minute: u32,
    /// How long it lasts.
    pub lasts: Span,
    /// How many of the orders have a card that is declined.
    pub declined: u32,
}

impl Default for Burst {
    fn default() -> Self {
        let callers = Callers { clients: 16, ..Callers::default() };
        Self { callers, a_minute: 6_000, lasts: Span(std::time::Duration::from_secs(3)), declined: 10 }
    }
}

impl Burst {
    pub(super) fn script(&self, seed: u64, instances: usize) -> Script {
        let mut composer = Composer::new(seed);
        let callers = Callers { rate: Some(self.a_minute.div_ceil(60)), ..self.callers };
        let mut programme = Programme::new(&callers);
        let whole = u128::from(self.a_minute) * self.lasts.0.as_millis() / 60_000;
        let declined = u128::from(self.declined).min(whole);
        for number in 0..whole {
            // Spread over all, and none where there are none.
            let is_declined =
                declined > 0 && number % (whole / declined) == 0 && number / (whole / declined) < declined;
            let intent = if is_declined { composer.declined() } else { composer.order() };
            let client = programme.turn();
            programme.send(client, intent);
        }
        composer.finish(programme, &callers, instances, &[])
    }
}
