//! Telling an observer of the exchanges that pass.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::accept::Shared;
use super::protocol::{Code, End, Label, Said};
use crate::history::{Exchange, Moment, Truth};

/// The most exchanges of a connection that are followed at a time; that there were more, the link complains of.
const OPEN_MAX: usize = 4_096;

/// Is told of every exchange when it is over. Must not block.
pub trait Observer: fmt::Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> Moment;
    /// An exchange is over.
    fn over(&self, exchange: Exchange);
}

/// The exchanges of a connection that are not over.
#[derive(Debug, Default)]
pub(super) struct Trace(Mutex<BTreeMap<u64, Exchange>>);

impl Trace {
    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Exchange>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begun(&self, shared: &Shared, connection: u64, number: u64, label: &Label) {
        let Some(observer) = &shared.observer else { return };
        let mut open = self.open();
        if open.len() < OPEN_MAX {
            let exchange = Exchange {
                sent: observer.now(),
                edge: shared.edge.clone(),
                connection,
                label: label.text.clone(),
                changes: label.changes,
                truth: Truth::NotSent,
                answered: false,
                lost: false,
                code: None,
            };
            open.insert(number, exchange);
        } else {
            shared.tally.degraded("more exchanges were open at once on a connection than can be followed");
        }
    }

    /// The request is being passed on.
    pub(super) fn passed(&self, shared: &Shared, number: u64) {
        if shared.observer.is_none() {
            return;
        }
        if let Some(exchange) = self.open().get_mut(&number) {
            exchange.truth = Truth::Sent;
        }
    }

    /// The whole reply has been read; `lost` if it is kept from the caller.
    pub(super) fn answered(&self, shared: &Shared, end: &End, lost: bool) {
        let Some(observer) = &shared.observer else { return };
        if let Some(exchange) = self.open().remove(&end.exchange) {
            let code = end.code.as_ref().map(ToString::to_string);
            observer.over(Exchange { truth: end.said.truth(), code, answered: true, lost, ..exchange });
        }
    }

    /// Another reply was put in the place of one: what is true of the request, and what the caller heard.
    pub(super) fn replaced(&self, shared: &Shared, number: u64, truth: Truth, code: Option<&Code>) {
        let Some(observer) = &shared.observer else { return };
        if let Some(exchange) = self.open().remove(&number) {
            let code = code.map(ToString::to_string);
            observer.over(Exchange { truth, code, answered: true, ..exchange });
        }
    }

    /// The connection has ended: what was not answered never will be.
    pub(super) fn give_up(&self, shared: &Shared) {
        let Some(observer) = &shared.observer else { return };
        for exchange in std::mem::take(&mut *self.open()).into_values() {
            observer.over(exchange);
        }
    }
}

impl Said {
    /// What is known of a request by its reply.
    pub(super) fn truth(self) -> Truth {
        match self {
            Self::Applied => Truth::Applied,
            Self::Pending => Truth::Pending,
            Self::Refused => Truth::Refused,
            Self::Unclear => Truth::Sent,
        }
    }
}
