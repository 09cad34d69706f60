//! What is to happen to single exchanges of a connection: decided when the request begins, done by both pumps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::LinkFault;
use super::evidence::Evidence;
use super::faults::Armed;
use crate::fault::Repeat;

/// The longest request that can be delivered again.
pub(super) const REPEATABLE_MAX: usize = 64 << 10;

/// The exchanges of a connection that something will happen to. Usually none.
#[derive(Debug, Default)]
pub(super) struct Exchanges(Mutex<BTreeMap<u64, Fate>>);

#[derive(Debug)]
struct Fate {
    label: String,
    lose: Option<Arc<Evidence>>,
    repeat: Option<Again>,
}

#[derive(Debug)]
struct Again {
    evidence: Arc<Evidence>,
    how: Repeat,
    /// Known once the request has passed.
    request: Option<Vec<u8>>,
    answered: bool,
}

/// Where an exchange stands: everything that a pick depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The link's seed.
    pub(super) seed: u64,
    /// The connection's number.
    pub(super) connection: u64,
    /// The exchange's number on the connection.
    pub(super) exchange: u64,
}

/// What to do with a request that begins.
#[derive(Debug)]
pub(super) enum Opening {
    /// Pass it on.
    Pass,
    /// Pass it on and keep a copy for [`Exchanges::requested`].
    Record,
    /// Pass nothing on and reset the caller.
    Cut(Arc<Evidence>),
}

/// A request to be sent a second time.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) evidence: Arc<Evidence>,
    pub(super) how: Repeat,
    pub(super) label: String,
    pub(super) request: Vec<u8>,
}

/// A reply that is to be swallowed.
#[derive(Debug)]
pub(super) struct Loss {
    pub(super) evidence: Arc<Evidence>,
    pub(super) label: String,
}

impl Exchanges {
    fn fates(&self) -> MutexGuard<'_, BTreeMap<u64, Fate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request that changes something begins. Every fault in force counts it, also those that another one outdoes.
    pub(super) fn begun(&self, armed: &Armed, place: Place, label: &str, repeatable: bool) -> Opening {
        let mut cut = None;
        let mut fate = Fate { label: label.to_owned(), lose: None, repeat: None };
        for evidence in armed.all() {
            let (LinkFault::CutBefore(pick) | LinkFault::LoseReply(pick) | LinkFault::Repeat { pick, .. }) =
                evidence.fault
            else {
                continue;
            };
            if !evidence.picks(pick, place.seed, place.connection, place.exchange) {
                continue;
            }
            match evidence.fault {
                LinkFault::CutBefore(_) => cut = cut.or_else(|| Some(Arc::clone(evidence))),
                LinkFault::LoseReply(_) => fate.lose = fate.lose.or_else(|| Some(Arc::clone(evidence))),
                LinkFault::Repeat { how, .. } if repeatable => {
                    let again = Again { evidence: Arc::clone(evidence), how, request: None, answered: false };
                    fate.repeat = fate.repeat.or(Some(again));
                }
                _ => evidence.miss(format!("{label}: only HTTP requests can be delivered twice")),
            }
        }
        if let Some(evidence) = cut {
            return Opening::Cut(evidence);
        }
        let recorded = fate.repeat.is_some();
        if recorded || fate.lose.is_some() {
            self.fates().insert(place.exchange, fate);
        }
        if recorded { Opening::Record } else { Opening::Pass }
    }

    /// The whole request has been read; `copy` is `None` when it was too long. Gives it back if it is to be delivered
    /// again now.
    pub(super) fn requested(&self, exchange: u64, copy: Option<Vec<u8>>) -> Option<Delivery> {
        let mut fates = self.fates();
        let fate = fates.get_mut(&exchange)?;
        let mut again = fate.repeat.take()?;
        let label = fate.label.clone();
        let Some(request) = copy else {
            let kib = REPEATABLE_MAX >> 10;
            again.evidence.miss(format!("{label}: longer than {kib} KiB, delivered once"));
            return None;
        };
        if again.answered || again.how == Repeat::Concurrently {
            return Some(Delivery { evidence: again.evidence, how: again.how, label, request });
        }
        again.request = Some(request);
        fate.repeat = Some(again);
        None
    }

    /// A reply begins: whether it is to be swallowed.
    pub(super) fn replying(&self, exchange: u64) -> Option<Loss> {
        let mut fates = self.fates();
        let fate = fates.get_mut(&exchange)?;
        let evidence = fate.lose.take()?;
        Some(Loss { evidence, label: fate.label.clone() })
    }

    /// The whole reply has been read. Gives back the request if it is to be delivered again.
    pub(super) fn answered(&self, exchange: u64) -> Option<Delivery> {
        let mut fates = self.fates();
        let mut fate = fates.remove(&exchange)?;
        let mut again = fate.repeat.take()?;
        match again.request.take() {
            Some(request) => Some(Delivery { evidence: again.evidence, how: again.how, label: fate.label, request }),
            None => {
                // Answered before the request had come to its end, which is awaited.
                again.answered = true;
                fate.repeat = Some(again);
                fates.insert(exchange, fate);
                None
            }
        }
    }

    /// The connection has ended: says what could not be done.
    pub(super) fn give_up(&self) {
        for fate in std::mem::take(&mut *self.fates()).into_values() {
            let Fate { label, lose, repeat } = fate;
            if let Some(evidence) = lose {
                evidence.miss(format!("{label}: no reply came that could be lost"));
            }
            if let Some(again) = repeat {
                again.evidence.miss(format!("{label}: not answered, so not delivered again"));
            }
        }
    }
}
