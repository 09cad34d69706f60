//! What a pump does where messages begin and end: picked exchanges are cut, copied or swallowed here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use tokio::time::Instant;

use super::kept::{Fate, Kept};
use super::{Pump, Stop};
use crate::fault::Repeat;
use crate::link::evidence::Evidence;
use crate::link::exchange::{Loss, Opening, Place, Taker};
use crate::link::faults::Way;
use crate::link::hold::hold;
use crate::link::protocol::{Begin, End, Kind, Label, Said};
use crate::link::{LinkAct, Release, repeat};

impl Pump<'_> {
    /// `len` more bytes belong to the message that has begun. Gives back how many are ready now.
    pub(super) fn take(&mut self, ready: usize, len: usize) -> usize {
        let Some(kept) = &mut self.kept else { return ready + len };
        match kept.add(&self.buffer[ready..ready + len]) {
            Fate::Pass => ready + len,
            Fate::Stay => {
                // Nothing is ready while a message stays: it was let out when the message began.
                self.buffer.advance(len);
                0
            }
            Fate::TooLong => self.release_too_long(len),
        }
    }

    /// A message begins, with `ready` bytes before it. Gives back how many are ready now.
    pub(super) async fn begun(&mut self, begin: Begin, ready: usize) -> Result<usize, Stop> {
        let Begin { exchange, len, kind } = begin;
        match kind {
            Kind::Request(label) => {
                let ready = self.asked(exchange, label, ready, len).await?;
                if !matches!(self.kept, Some(Kept::Withheld { .. })) {
                    self.connection.trace.passed(&self.connection.shared, exchange);
                }
                Ok(self.take(ready, len))
            }
            Kind::Reply { rewritten } => self.answered(exchange, len, rewritten, ready).await,
        }
    }

    async fn asked(&mut self, exchange: u64, label: Label, ready: usize, len: usize) -> Result<usize, Stop> {
        let shared = &self.connection.shared;
        shared.tally.exchange(label.changes);
        self.connection.trace.begun(shared, self.connection.number, exchange, &label);
        if self.armed.is_empty() {
            return Ok(ready);
        }
        let place = Place { seed: shared.seed, connection: self.connection.number, exchange };
        let Opening { before, record, replaces } =
            self.connection.exchanges.begun(&self.armed, place, &label, shared.protocol.repeats());
        if record {
            self.kept = Some(Kept::Copied(Some(Vec::new())));
        }
        if replaces && let Err(why) = self.reader.holdable(&self.buffer[ready..ready + len]) {
            self.connection.exchanges.miss(exchange, why);
        }
        let Some(taker) = before else { return Ok(ready) };
        if taker.act.answer().is_some() {
            return self.withhold(exchange, taker, label, ready, len).await;
        }
        let Taker { evidence, act } = taker;
        // What came before it on this connection has nothing to do with it.
        self.emit(ready).await?;
        let label = &label.text;
        let lost = match act {
            LinkAct::Delay(by) => {
                // Healing ends it early.
                evidence.act(format!("held {label} for up to {}", humantime::format_duration(by)));
                self.wait(&evidence, by).await;
                return Ok(0);
            }
            LinkAct::HoldBefore => {
                let place = format!("before {label} was passed on");
                hold(&evidence, label, place, "NotSent").await == Some(Release::Lost)
            }
            _ => {
                evidence.act(format!("cut {label} before it was passed on (NotSent)"));
                true
            }
        };
        if !lost {
            return Ok(0);
        }
        self.connection.exchanges.forget(exchange);
        Err(Stop::Taken)
    }

    /// Waits this long, or until the fault is healed.
    async fn wait(&mut self, evidence: &Arc<Evidence>, by: Duration) {
        let end = Instant::now() + by;
        while self.armed.has(evidence) {
            tokio::select! {
                () = tokio::time::sleep_until(end) => return,
                changed = self.faults.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.armed = self.faults.borrow_and_update().clone();
                }
            }
        }
    }

    async fn answered(
        &mut self,
        exchange: u64,
        len: usize,
        rewritten: Option<Vec<u8>>,
        mut ready: usize,
    ) -> Result<usize, Stop> {
        if let Some(loss) = self.connection.exchanges.replying(exchange) {
            self.emit(ready).await?;
            ready = 0;
            self.kept = Some(match loss.reply {
                Some(_) => Kept::Replaced { loss, reply: Vec::new() },
                None => Kept::Lost(loss),
            });
        }
        let Some(rewritten) = rewritten else { return Ok(self.take(ready, len)) };
        self.emit(ready).await?;
        self.buffer.advance(len);
        if self.kept.is_some() {
            let len = self.put_back(rewritten);
            return Ok(self.take(0, len));
        }
        self.send(&rewritten).await?;
        Ok(0)
    }

    /// A message is complete. Gives back how many bytes are ready now.
    pub(super) async fn ended(&mut self, end: End, ready: usize) -> Result<usize, Stop> {
        let shared = &self.connection.shared;
        match self.way {
            Way::Requests => {
                let copy = match self.kept.take() {
                    Some(Kept::Copied(copy)) => copy,
                    Some(Kept::Withheld { exchange, taker, label, request }) => {
                        return self.answer(exchange, &taker.act, &label, request).await;
                    }
                    _ => return Ok(ready),
                };
                let Some(delivery) = self.connection.exchanges.requested(end.exchange, copy) else { return Ok(ready) };
                if delivery.how != Repeat::Concurrently {
                    repeat::deliver(shared, delivery, None);
                    return Ok(ready);
                }
                // Connected first, so that both deliveries leave at the same moment.
                let connected = repeat::connect(shared).await.ok();
                self.emit(ready).await?;
                repeat::deliver(shared, delivery, connected);
                Ok(0)
            }
            Way::Replies => {
                if let Some(delivery) = self.connection.exchanges.answered(end.exchange) {
                    repeat::deliver(shared, delivery, None);
                }
                match self.kept.take() {
                    Some(Kept::Replaced { loss, reply }) => self.replace(loss, reply, &end).await,
                    Some(Kept::Lost(loss)) => {
                        self.connection.trace.answered(shared, &end, true);
                        Err(self.lost(loss, &end).await)
                    }
                    _ => {
                        self.connection.trace.answered(shared, &end, false);
                        Ok(ready)
                    }
                }
            }
        }
    }

    /// No more bytes come, and a message is still kept.
    pub(super) fn broke_off(&self, kept: Kept) -> Option<Stop> {
        match kept {
            Kept::Copied(_) => None,
            Kept::Withheld { exchange, .. } => {
                self.connection.exchanges.miss(exchange, "it broke off");
                None
            }
            Kept::Replaced { loss: Loss { taker, label, .. }, .. } => {
                taker.evidence.miss(format!("{label}: its reply broke off"));
                None
            }
            Kept::Lost(Loss { taker, label, .. }) => {
                match taker.act {
                    LinkAct::HoldAfter => taker.evidence.miss(format!("{label}: its reply broke off")),
                    _ => taker.evidence.act(format!("lost the unfinished reply to {label} (Sent)")),
                }
                Some(Stop::Taken)
            }
        }
    }

    /// The whole reply of a picked exchange has been read and not passed on.
    async fn lost(&mut self, loss: Loss, end: &End) -> Stop {
        let Loss { taker: Taker { evidence, act }, label, .. } = loss;
        let code = end.code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
        // Of anything else it is only known that the upstream had it: the reply may have been an error.
        let truth = if end.said == Said::Applied { "Applied" } else { "Sent" };
        match act {
            LinkAct::LoseReply => {
                evidence.act(format!("lost the reply{code} to {label} ({truth}) and fell silent"));
                self.connection.silence(&evidence);
                Stop::Silent
            }
            LinkAct::HoldAfter => {
                let place = format!("after {label} was answered{code}");
                if hold(&evidence, &label, place, truth).await.is_none() {
                    // The reply is gone, but what it was held for was not done.
                    evidence.miss(format!("{label}: answered when nobody waited for it any more"));
                }
                Stop::Taken
            }
            _ => {
                evidence.act(format!("lost the reply{code} to {label} ({truth})"));
                Stop::Taken
            }
        }
    }
}
