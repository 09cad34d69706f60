//! How callers arrive and how patient they are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::spec::Span;
use crate::profile::script::{Arrival, Patience};

/// The callers of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Callers {
    /// How many there are.
    pub clients: u16,
    /// Closed arrival: the longest pause before a step; drawn evenly from nothing to this.
    pub pause: Span,
    /// Open arrival: this many steps a second by all callers together, whatever becomes of them. Closed unless told.
    pub rate: Option<u32>,
    /// How long a caller waits for a reply.
    pub timeout: Span,
    /// How many attempts a step may take while nothing definite was heard.
    pub attempts: u8,
    /// The pause between two of them.
    pub retry: Span,
}

impl Default for Callers {
    fn default() -> Self {
        Self {
            clients: 8,
            pause: Span(Duration::from_millis(5)),
            rate: None,
            timeout: Span(Duration::from_secs(2)),
            attempts: 8,
            retry: Span(Duration::from_millis(100)),
        }
    }
}

impl Callers {
    /// How their steps follow each other.
    #[must_use]
    pub fn arrival(&self) -> Arrival {
        if self.rate.is_some() { Arrival::Open } else { Arrival::Closed }
    }

    /// How they deal with silence and doubt.
    #[must_use]
    pub fn patience(&self) -> Patience {
        Patience { timeout: self.timeout.0, attempts: self.attempts.max(1), pause: self.retry.0 }
    }
}
