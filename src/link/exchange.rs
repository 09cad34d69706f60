//! What is to happen to single exchanges of a connection: decided when the request begins, done by both pumps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::evidence::Evidence;
use super::faults::Armed;
use super::protocol::{Answer, Label, Reply};
use super::{LinkAct, LinkFault};
use crate::fault::Repeat;

/// The longest message that is kept: to be delivered again, or to be answered or replaced.
pub(super) const KEPT_MAX: usize = 64 << 10;

/// The exchanges of a connection that something will happen to. Usually none.
#[derive(Debug, Default)]
pub(super) struct Exchanges(Mutex<BTreeMap<u64, Fate>>);

#[derive(Debug)]
struct Fate {
    label: String,
    lose: Option<Taker>,
    /// What the reply becomes, if it is replaced.
    reply: Option<Reply>,
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

/// A fault that takes an exchange, and what it does to it.
#[derive(Clone, Debug)]
pub(super) struct Taker {
    pub(super) evidence: Arc<Evidence>,
    pub(super) act: LinkAct,
}

impl LinkAct {
    /// How the request is answered, if that is done in the upstream's place.
    pub(super) fn answer(&self) -> Option<Answer> {
        match self {
            Self::AnswerError(error) => Some(Answer::Error(error.clone())),
            Self::Swallow => Some(Answer::Success),
            _ => None,
        }
    }
}

/// What to do with a request that begins.
#[derive(Debug, Default)]
pub(super) struct Opening {
    /// What is done before it is passed on.
    pub(super) before: Option<Taker>,
    /// Whether a copy is to be kept for [`Exchanges::requested`].
    pub(super) record: bool,
    /// Whether the reply is to be kept until it is complete.
    pub(super) replaces: bool,
}

/// A request to be sent a second time.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) evidence: Arc<Evidence>,
    pub(super) how: Repeat,
    pub(super) label: String,
    pub(super) request: Vec<u8>,
}

/// A reply that is not to reach the caller.
#[derive(Debug)]
pub(super) struct Loss {
    pub(super) taker: Taker,
    pub(super) label: String,
    /// What is put in its place, if anything is.
    pub(super) reply: Option<Reply>,
}

impl Exchanges {
    fn fates(&self) -> MutexGuard<'_, BTreeMap<u64, Fate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins. Every fault in force counts it, also those that another one outdoes.
    pub(super) fn begun(&self, armed: &Armed, place: Place, label: &Label, repeatable: bool) -> Opening {
        let mut before: Option<Taker> = None;
        let mut fate = Fate { label: label.text.clone(), lose: None, reply: None, repeat: None };
        for evidence in armed.all() {
            let LinkFault::Exchange { on, pick, act } = &evidence.fault else { continue };
            let meant = on.as_ref().map_or(label.changes, |on| on.matches(&label.text));
            if !meant || !evidence.picks(*pick, place.seed, place.connection, place.exchange) {
                continue;
            }
            let taker = Taker { evidence: Arc::clone(evidence), act: act.clone() };
            let side = match act {
                LinkAct::CutBefore | LinkAct::Delay(_) | LinkAct::HoldBefore => &mut before,
                LinkAct::CutAfter | LinkAct::LoseReply | LinkAct::HoldAfter => &mut fate.lose,
                LinkAct::AnswerError(_) | LinkAct::Swallow => {
                    if before.is_some() || fate.lose.is_some() || fate.repeat.is_some() {
                        evidence.miss(format!("{}: another fault was there first", label.text));
                    } else {
                        before = Some(taker.clone());
                        fate.lose = Some(taker);
                    }
                    continue;
                }
                LinkAct::FailReply(_) if !label.changes => {
                    evidence.miss(format!("{}: it changes nothing that an error could hide", label.text));
                    continue;
                }
                LinkAct::FailReply(error) => {
                    if fate.lose.is_none() {
                        fate.reply = Some(Reply::Failed(error.clone()));
                    }
                    &mut fate.lose
                }
                LinkAct::Repeat(_) if before.as_ref().is_some_and(|taker| taker.act.answer().is_some()) => {
                    evidence.miss(format!("{}: another fault was there first", label.text));
                    continue;
                }
                LinkAct::Repeat(how) if repeatable => {
                    let again = Again { evidence: Arc::clone(evidence), how: *how, request: None, answered: false };
                    fate.repeat = fate.repeat.or(Some(again));
                    continue;
                }
                LinkAct::Repeat(_) => {
                    evidence.miss(format!("{}: only HTTP requests can be delivered twice", label.text));
                    continue;
                }
            };
            match side {
                Some(_) => evidence.miss(format!("{}: another fault was there first", label.text)),
                None => *side = Some(taker),
            }
        }
        let record = fate.repeat.is_some();
        let is_cut = before.as_ref().is_some_and(|taker| taker.act == LinkAct::CutBefore);
        let replaces = fate.reply.is_some();
        if !is_cut && (record || fate.lose.is_some()) {
            self.fates().insert(place.exchange, fate);
        }
        Opening { before, record: record && !is_cut, replaces: replaces && !is_cut }
    }

    /// A stand-in takes the place of a request, and this the place of its reply.
    pub(super) fn stands_in(&self, exchange: u64, reply: Reply) {
        if let Some(fate) = self.fates().get_mut(&exchange) {
            fate.reply = Some(reply);
        }
    }

    /// What the link itself has to say before the connection ends, and of which exchange.
    pub(super) fn own(&self) -> Option<(u64, Loss)> {
        let mut fates = self.fates();
        let (exchange, _) = fates.iter().find(|(_, fate)| matches!(fate.reply, Some(Reply::Own(_))))?;
        let exchange = *exchange;
        let Fate { label, lose, reply, .. } = fates.remove(&exchange)?;
        Some((exchange, Loss { taker: lose?, label, reply }))
    }

    /// What is not possible at an exchange: nothing is done to it.
    pub(super) fn miss(&self, exchange: u64, why: impl std::fmt::Display) {
        if let Some(fate) = self.fates().get_mut(&exchange)
            && let Some(taker) = fate.lose.take()
        {
            fate.reply = None;
            taker.evidence.miss(format!("{}: {why}", fate.label));
        }
    }

    /// The request is lost before it is passed on: nothing more will happen to it.
    pub(super) fn forget(&self, exchange: u64) {
        self.fates().remove(&exchange);
    }

    /// The whole request has been read; `copy` is `None` when it was too long. Gives it back if it is to be delivered
    /// again now.
    pub(super) fn requested(&self, exchange: u64, copy: Option<Vec<u8>>) -> Option<Delivery> {
        let mut fates = self.fates();
        let fate = fates.get_mut(&exchange)?;
        let mut again = fate.repeat.take()?;
        let label = fate.label.clone();
        let Some(request) = copy else {
            let kib = KEPT_MAX >> 10;
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
        let taker = fate.lose.take()?;
        Some(Loss { taker, label: fate.label.clone(), reply: fate.reply.take() })
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
            let Fate { label, lose, repeat, .. } = fate;
            if let Some(Taker { evidence, act }) = lose {
                let what = match act {
                    LinkAct::AnswerError(_) | LinkAct::Swallow => "its connection ended before it was answered",
                    LinkAct::FailReply(_) => "no reply came that could be replaced",
                    _ => "no reply came that could be lost",
                };
                evidence.miss(format!("{label}: {what}"));
            }
            if let Some(again) = repeat {
                again.evidence.miss(format!("{label}: not answered, so not delivered again"));
            }
        }
    }
}
