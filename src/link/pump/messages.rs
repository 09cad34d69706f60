//! What a pump does where messages begin and end: picked exchanges are cut, copied or swallowed here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use tokio::time::Instant;

use super::{Pump, Stop};
use crate::fault::Repeat;
use crate::link::evidence::Evidence;
use crate::link::exchange::{Loss, Opening, Place, REPEATABLE_MAX, Taker};
use crate::link::faults::Way;
use crate::link::hold::hold;
use crate::link::protocol::{Begin, End, Kind, Label, Said};
use crate::link::{LinkAct, Release, repeat};

/// A request as it passes.
#[derive(Default)]
pub(super) struct Copy {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Pump<'_> {
    /// `len` more bytes belong to the message that has begun. Gives back how many are ready now.
    pub(super) fn take(&mut self, ready: usize, len: usize) -> usize {
        if let Some(copy) = &mut self.copy {
            copy.too_long |= copy.bytes.len() + len > REPEATABLE_MAX;
            if !copy.too_long {
                copy.bytes.extend_from_slice(&self.buffer[ready..ready + len]);
            }
        }
        if self.losing.is_some() {
            // Nothing is ready while a reply is swallowed: it was let out when the reply began.
            self.buffer.advance(len);
            return 0;
        }
        ready + len
    }

    /// A message begins, with `ready` bytes before it. Gives back how many are ready now.
    pub(super) async fn begun(&mut self, begin: Begin, ready: usize) -> Result<usize, Stop> {
        let Begin { exchange, len, kind } = begin;
        match kind {
            Kind::Request(label) => {
                let ready = self.asked(exchange, &label, ready).await?;
                self.connection.trace.passed(&self.connection.shared, exchange);
                Ok(self.take(ready, len))
            }
            Kind::Reply { rewritten } => self.answered(exchange, len, rewritten, ready).await,
        }
    }

    async fn asked(&mut self, exchange: u64, label: &Label, ready: usize) -> Result<usize, Stop> {
        let shared = &self.connection.shared;
        shared.tally.exchange(label.changes);
        self.connection.trace.begun(shared, self.connection.number, exchange, label);
        if self.armed.is_empty() {
            return Ok(ready);
        }
        let place = Place { seed: shared.seed, connection: self.connection.number, exchange };
        let Opening { before, record } =
            self.connection.exchanges.begun(&self.armed, place, label, shared.protocol.repeats());
        if record {
            self.copy = Some(Copy::default());
        }
        let Some(Taker { evidence, act }) = before else { return Ok(ready) };
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
            self.losing = Some(loss);
        }
        let Some(rewritten) = rewritten else { return Ok(self.take(ready, len)) };
        self.emit(ready).await?;
        self.buffer.advance(len);
        if self.losing.is_none() {
            self.send(&rewritten).await?;
        }
        Ok(0)
    }

    /// A message is complete. Gives back how many bytes are ready now.
    pub(super) async fn ended(&mut self, end: End, ready: usize) -> Result<usize, Stop> {
        let shared = &self.connection.shared;
        match self.way {
            Way::Requests => {
                let Some(copy) = self.copy.take() else { return Ok(ready) };
                let copy = (!copy.too_long).then_some(copy.bytes);
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
                self.connection.trace.answered(shared, &end, self.losing.is_some());
                let Some(loss) = self.losing.take() else { return Ok(ready) };
                Err(self.lost(loss, &end).await)
            }
        }
    }

    /// The whole reply of a picked exchange has been read and not passed on.
    async fn lost(&mut self, loss: Loss, end: &End) -> Stop {
        let Loss { taker: Taker { evidence, act }, label } = loss;
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
