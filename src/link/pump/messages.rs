//! What a pump does where messages begin and end: picked exchanges are cut, copied or swallowed here.

use bytes::Buf;

use super::{Pump, Stop};
use crate::fault::Repeat;
use crate::link::exchange::{Loss, Opening, Place, REPEATABLE_MAX};
use crate::link::faults::Way;
use crate::link::protocol::{Begin, End, Kind, Label, Said};
use crate::link::repeat;

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
                self.asked(exchange, &label, ready).await?;
                Ok(self.take(ready, len))
            }
            Kind::Reply { rewritten } => self.answered(exchange, len, rewritten, ready).await,
        }
    }

    async fn asked(&mut self, exchange: u64, label: &Label, ready: usize) -> Result<(), Stop> {
        let shared = &self.connection.shared;
        shared.tally.exchange();
        if !label.changes || self.armed.is_empty() {
            return Ok(());
        }
        let place = Place { seed: shared.seed, connection: self.connection.number, exchange };
        match self.connection.exchanges.begun(&self.armed, place, &label.text, shared.protocol.repeats()) {
            Opening::Pass => Ok(()),
            Opening::Record => {
                self.copy = Some(Copy::default());
                Ok(())
            }
            Opening::Cut(evidence) => {
                self.emit(ready).await?;
                evidence.act(format!("cut {} before it was passed on (NotSent)", label.text));
                Err(Stop::Taken)
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
                let Some(Loss { evidence, label }) = self.losing.take() else { return Ok(ready) };
                let code = end.code.map(|code| format!(" {code}")).unwrap_or_default();
                // Of anything else it is only known that the upstream had it: the reply may have been an error.
                let truth = if end.said == Said::Applied { "Applied" } else { "Sent" };
                evidence.act(format!("lost the reply{code} to {label} ({truth})"));
                Err(Stop::Taken)
            }
        }
    }
}
