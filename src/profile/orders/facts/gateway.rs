//! What the gateway, which the harness plays, was asked and did.

use std::time::Duration;

use super::reader::name;
use super::{Correlation, Facts, Instance, Money, Order};
use crate::history::{Moment, Played};

/// The counterparty that charges.
const GATEWAY: &str = "gateway";

/// The status of a decline.
const PAYMENT_REQUIRED: u16 = 402;

/// The status of a caller that asks too often.
const TOO_MANY_REQUESTS: u16 = 429;

/// A charge or a refund as the gateway names it, numbered in the order of first mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Charge(pub u32);

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Take the money.
    Charge,
    /// Give it back.
    Refund(Charge),
    /// Say what was charged.
    Lookup,
}

/// A call of the gateway.
#[derive(Clone, Copy, Debug)]
pub struct GatewayCall {
    /// Index of the event in the history.
    pub event: u32,
    /// When the whole request had been read.
    pub received: Moment,
    /// When it had been answered.
    pub at: Moment,
    /// Who asked.
    pub from: Instance,
    /// For what.
    pub kind: Kind,
    /// For which order.
    pub order: Option<Order>,
    /// How much.
    pub money: Option<Money>,
    /// The correlation id that it came with.
    pub correlation: Option<Correlation>,
    /// What this very call brought about.
    pub effect: Option<Charge>,
    /// What it was the repetition of.
    pub same_as: Option<Charge>,
    /// The status that was sent; `None` when nothing was.
    pub status: Option<u16>,
    /// How long the caller was told to wait.
    pub retry_after: Option<Duration>,
}

impl GatewayCall {
    /// Whether the gateway declined.
    #[must_use]
    pub fn is_decline(&self) -> bool {
        self.status == Some(PAYMENT_REQUIRED)
    }

    /// Whether the gateway asked for patience.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.status == Some(TOO_MANY_REQUESTS)
    }

    /// Whether it failed in a way that tells nothing: an error of the gateway's, or no answer.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.status.is_none_or(|status| status >= 500)
    }
}

impl Facts {
    pub(super) fn call(&mut self, event: u32, at: Moment, played: &Played, from: Instance) {
        if played.of != GATEWAY {
            return;
        }
        let kind = match played.operation.as_str() {
            "charge" => Kind::Charge,
            "refund" => match name(&played.fields, "charge").or_else(|| name(&played.fields, "id")) {
                Some(charge) => Kind::Refund(Charge(self.charges.intern(&charge))),
                None => return,
            },
            _ => Kind::Lookup,
        };
        let order = name(&played.fields, "order").map(|order| Order(self.orders.intern(&order)));
        let money = self.money(&played.fields);
        let mut charge = |id: &Option<String>| id.as_ref().map(|id| Charge(self.charges.intern(id)));
        let (effect, same_as) = (charge(&played.effect), charge(&played.same_as));
        let correlation = played.correlation.as_ref().map(|id| Correlation(self.correlations.intern(id)));
        let Played { received, status, retry_after, .. } = *played;
        let call = GatewayCall {
            event,
            received,
            at,
            from,
            kind,
            order,
            money,
            correlation,
            effect,
            same_as,
            status,
            retry_after,
        };
        self.calls.push(call);
    }
}
