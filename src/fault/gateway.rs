//! What the payment gateway that the harness plays does wrong.
//!
//! ```toml
//! inject = { gateway = { does = { throttle = "1s" }, pick = { first = 3 } } }
//! ```
//!
//! What happens on the way to it and back, such as an answer that is lost, is a fault at exchanges of `worker->gateway`.

use std::fmt;
use std::time::Duration;

use humantime::format_duration;
use serde::{Deserialize, Serialize};

use super::exchange::Pick;

/// Something that the gateway does wrong at some of its calls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtGateway {
    /// What.
    pub does: Does,
    /// At which of the calls that it can be done to, whoever makes them; at the next one unless told.
    #[serde(default = "first")]
    pub pick: Pick,
}

fn first() -> Pick {
    Pick::Nth(1)
}

/// What a gateway does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Does {
    /// Answers any call with 500 and does nothing.
    Fail,
    /// Does what it is asked, and answers 500.
    FailAfter,
    /// Answers 429 to a charge and does nothing: the caller is to wait this long, in whole seconds.
    Throttle(#[serde(with = "humantime_serde")] Duration),
    /// Declines a charge, whatever the card.
    Decline,
    /// Does at once what it is asked, and answers this much later.
    Slow(#[serde(with = "humantime_serde")] Duration),
    /// Does what it is asked this much later, whether or not somebody still waits for the answer.
    Late(#[serde(with = "humantime_serde")] Duration),
    /// Does not look at the key: a charge that comes again is another charge.
    ForgetKeys,
}

/// What is asked of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Money of a card.
    Charge,
    /// A charge taken back.
    Refund,
    /// What has been charged for an order.
    Lookup,
}

impl Does {
    /// Whether it can be done to such a call.
    #[must_use]
    pub fn fits(self, asked: Asked) -> bool {
        match self {
            Self::Fail => true,
            Self::FailAfter | Self::Slow(_) | Self::Late(_) => asked != Asked::Lookup,
            Self::Throttle(_) | Self::Decline | Self::ForgetKeys => asked == Asked::Charge,
        }
    }
}

impl fmt::Display for AtGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("gateway ")?;
        match self.does {
            Does::Fail => f.write_str("answers 500 and does nothing")?,
            Does::FailAfter => f.write_str("charges and answers 500")?,
            Does::Throttle(wait) => write!(f, "answers 429, retry after {}", format_duration(wait))?,
            Does::Decline => f.write_str("declines")?,
            Does::Slow(by) => write!(f, "charges and answers {} later", format_duration(by))?,
            Does::Late(by) => write!(f, "charges {} later", format_duration(by))?,
            Does::ForgetKeys => f.write_str("does not look at the key")?,
        }
        write!(f, ": {}", self.pick)
    }
}
