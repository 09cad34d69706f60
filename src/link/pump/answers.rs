//! Answering in the upstream's place: requests that wait for their end, and replies that are replaced.

use std::fmt::Display;

use bytes::BytesMut;

use super::kept::Kept;
use super::{Pump, Stop};
use crate::history::Truth;
use crate::link::LinkAct;
use crate::link::exchange::{Loss, Taker};
use crate::link::faults::Way;
use crate::link::protocol::{Code, End, Label, MadeUp, Protocol, Reply, Said, StandIn, Unfit};

const TOO_LONG: &str = "longer than 64 KiB, so nothing was put in its place";

impl Pump<'_> {
    /// A request has begun with the `len` bytes after the first `ready` ones that is to be answered in the upstream's
    /// place: keeps it until it is complete, if its client lets that happen. Gives back how many bytes are ready now.
    pub(super) async fn withhold(
        &mut self,
        exchange: u64,
        taker: Taker,
        label: Label,
        ready: usize,
        len: usize,
    ) -> Result<usize, Stop> {
        if let Err(why) = self.reader.holdable(&self.buffer[ready..ready + len]) {
            self.connection.exchanges.miss(exchange, why);
            return Ok(ready);
        }
        // What came before it on this connection has nothing to do with it.
        self.emit(ready).await?;
        self.kept = Some(Kept::Withheld { exchange, taker, label, request: Vec::new() });
        Ok(0)
    }

    /// A request that was withheld is complete: sends what stands in for it.
    pub(super) async fn answer(
        &mut self,
        exchange: u64,
        act: &LinkAct,
        label: &Label,
        request: Vec<u8>,
    ) -> Result<usize, Stop> {
        let unfit = Unfit("nothing can be put in its place");
        let stand_in = act.answer().ok_or(unfit).and_then(|answer| self.reader.stand_in(&request, label, &answer));
        match stand_in {
            Ok(StandIn { request, reply }) => {
                self.connection.exchanges.stands_in(exchange, reply);
                let Some(request) = request else {
                    self.connection.leave_upstream();
                    return Err(Stop::Silent);
                };
                self.send(&request).await?;
                Ok(0)
            }
            Err(why) => Ok(self.let_pass(exchange, request, why)),
        }
    }

    /// A withheld request passes after all.
    fn let_pass(&mut self, exchange: u64, request: Vec<u8>, why: impl Display) -> usize {
        self.connection.exchanges.miss(exchange, why);
        self.connection.trace.passed(&self.connection.shared, exchange);
        self.put_back(request)
    }

    /// What was kept passes after all, as far as it can. Gives back how many bytes are ready now.
    pub(super) fn release(&mut self, ready: usize, why: &str) -> usize {
        match self.kept.take() {
            Some(Kept::Withheld { exchange, request, .. }) => self.let_pass(exchange, request, why),
            Some(Kept::Replaced { loss: Loss { taker, label, .. }, reply }) => {
                taker.evidence.miss(format!("{label}: {why}"));
                self.put_back(reply)
            }
            Some(Kept::Copied(_)) | None => ready,
            lost @ Some(Kept::Lost(_)) => {
                self.kept = lost;
                ready
            }
        }
    }

    /// As [`Pump::release`], with `len` more bytes that are too many.
    pub(super) fn release_too_long(&mut self, len: usize) -> usize {
        self.release(0, TOO_LONG) + len
    }

    /// Puts bytes before all that has arrived. Gives back how many are ready now.
    pub(super) fn put_back(&mut self, bytes: Vec<u8>) -> usize {
        let len = bytes.len();
        let mut buffer = BytesMut::from(&bytes[..]);
        buffer.extend_from_slice(&self.buffer);
        self.buffer = buffer;
        len
    }

    /// The whole reply to an exchange has been read that another one takes the place of.
    pub(super) async fn replace(&mut self, loss: Loss, reply: Vec<u8>, end: &End) -> Result<usize, Stop> {
        let Loss { taker: Taker { evidence, act }, label, reply: becomes } = loss;
        let shared = &self.connection.shared;
        let is_done = matches!(act, LinkAct::FailReply(_));
        // What Kafka has in a transaction, it has; what the others have in one, they may forget.
        let stands = end.said == Said::Applied || end.said == Said::Pending && shared.protocol == Protocol::Kafka;
        let made = match becomes {
            Some(Reply::Failed(_)) if is_done && !stands => Err(Unfit("its answer did not say that it stands")),
            Some(Reply::Failed(error)) => self.reader.fail(&reply, error.as_ref()),
            Some(Reply::Made(made)) => Ok(made),
            Some(Reply::Instead { of, made }) if reply == of => Ok(made),
            _ => Err(Unfit("the upstream refused what stood in for it")),
        };
        let truth = if is_done { end.said.truth() } else { Truth::NotSent };
        match made {
            Ok(MadeUp { bytes, code }) => {
                evidence.act(told(&act, &label, code.as_ref(), truth));
                self.connection.trace.replaced(shared, end.exchange, truth, code.as_ref());
                self.send(&bytes).await?;
                Ok(0)
            }
            Err(why) => {
                evidence.miss(format!("{label}: {why}"));
                self.connection.trace.replaced(shared, end.exchange, truth, end.code.as_ref());
                Ok(self.put_back(reply))
            }
        }
    }

    /// The upstream has said all that it will say: says what the link has to say itself.
    pub(super) async fn say_own(&mut self) -> Result<(), Stop> {
        let connection = self.connection;
        if self.way == Way::Replies
            && let Some((exchange, Loss { taker: Taker { evidence, act }, label, reply: Some(Reply::Own(made)) })) =
                connection.exchanges.own()
        {
            evidence.act(told(&act, &label, made.code.as_ref(), Truth::NotSent));
            connection.trace.replaced(&connection.shared, exchange, Truth::NotSent, made.code.as_ref());
            self.send(&made.bytes).await?;
        }
        Ok(())
    }
}

fn told(act: &LinkAct, label: &str, code: Option<&Code>, truth: Truth) -> String {
    let code = code.map(ToString::to_string).unwrap_or_default();
    match act {
        LinkAct::Swallow => format!("swallowed {label} and answered that it had worked ({truth:?})"),
        LinkAct::FailReply(_) => format!("answered {label} with {code} after it was done ({truth:?})"),
        _ => format!("answered {label} with {code} in its place ({truth:?})"),
    }
}
