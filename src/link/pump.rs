//! One direction of a connection: read, look for message boundaries, apply the faults in force, write.

use std::io;

use bytes::{Buf, BytesMut};
use rand_chacha::ChaCha8Rng;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::connection::Connection;
use super::delay::DelayLine;
use super::exchange::{Loss, Opening, Place, REPEATABLE_MAX};
use super::faults::{Armed, Way};
use super::protocol::{Begin, Bytes, End, Kind, Label, Piece, Reader};
use super::random::{self, Use};
use super::repeat;
use crate::fault::Repeat;

/// The most that is read at once.
const CHUNK: usize = 64 << 10;

/// Passes the bytes of one direction.
pub(super) struct Pump<'a> {
    connection: &'a Connection,
    way: Way,
    reader: Box<dyn Reader>,
    faults: watch::Receiver<Armed>,
    /// The faults in force when last looked.
    armed: Armed,
    /// Read and not yet passed on.
    buffer: BytesMut,
    line: DelayLine,
    jitter: ChaCha8Rng,
    /// The copy of the request that is passing, if it is to be delivered again.
    copy: Option<Copy>,
    /// The reply that is being swallowed.
    losing: Option<Loss>,
}

/// A request as it passes.
#[derive(Default)]
struct Copy {
    bytes: Vec<u8>,
    too_long: bool,
}

/// Why a pump stops before its source has ended.
enum Stop {
    /// The bytes of this direction cannot come any more: whoever awaits them must hear it.
    Broken(Way),
    /// A fault takes the connection from the caller.
    Taken,
    /// Nobody is to hear anything.
    Silent,
}

impl<'a> Pump<'a> {
    pub(super) fn new(connection: &'a Connection, way: Way, reader: Box<dyn Reader>) -> Self {
        let mut faults = connection.shared.armed.subscribe();
        let armed = faults.borrow_and_update().clone();
        let jitter = random::stream(connection.shared.seed, connection.number, Use::Jitter(way));
        Self {
            connection,
            way,
            reader,
            faults,
            armed,
            buffer: BytesMut::new(),
            line: DelayLine::default(),
            jitter,
            copy: None,
            losing: None,
        }
    }

    /// Waits as long as nothing may reach the upstream.
    pub(super) async fn wait_to_connect(&mut self) {
        self.refresh();
        for evidence in self.armed.holding(Way::Requests) {
            evidence.kept_waiting();
        }
        self.released(Way::Requests).await;
    }

    /// Passes bytes until the source ends, and then the end.
    pub(super) async fn run(mut self) {
        let stop = self.pass().await.err();
        if let Some(Stop::Broken(way)) = stop {
            // News of a broken end travels like any other byte.
            self.released(way).await;
        }
        let silenced = self.connection.silenced().is_some();
        match stop {
            Some(Stop::Taken) => self.connection.reset_caller(),
            _ if silenced => {}
            None => self.connection.finish(self.way),
            Some(Stop::Broken(_)) => self.connection.reset(),
            Some(Stop::Silent) => {}
        }
    }

    async fn pass(&mut self) -> Result<(), Stop> {
        while self.arrive().await? > 0 {
            self.look().await?;
        }
        if let Some(end) = self.reader.finish() {
            self.ended(end, 0).await?;
        }
        if let Some(Loss { evidence, label }) = self.losing.take() {
            evidence.act(format!("lost the unfinished reply to {label} (Sent)"));
            return Err(Stop::Taken);
        }
        self.emit(self.buffer.len()).await?;
        while !self.line.is_empty() {
            tokio::select! {
                () = self.line.due() => self.let_out().await?,
                _ = self.faults.changed() => self.hurry(),
            }
        }
        self.hold(0).await;
        Ok(())
    }

    /// Waits for bytes, and lets out meanwhile what is due.
    async fn arrive(&mut self) -> Result<usize, Stop> {
        let source = self.connection.source(self.way).ok_or(Stop::Silent)?;
        loop {
            self.buffer.reserve(CHUNK);
            if self.line.is_empty() {
                return read(source, &mut self.buffer).await.map_err(|_| Stop::Broken(self.way));
            }
            tokio::select! {
                biased;
                () = self.line.due() => self.let_out().await?,
                _ = self.faults.changed() => self.hurry(),
                read = read(source, &mut self.buffer), if self.line.has_room() => {
                    return read.map_err(|_| Stop::Broken(self.way));
                }
            }
        }
    }

    /// Finds the messages in what has arrived and passes on all that can be.
    async fn look(&mut self) -> Result<(), Stop> {
        if let Some(blackhole) = self.connection.silenced() {
            blackhole.bytes(self.connection.number, self.buffer.len());
            self.buffer.clear();
            return Ok(());
        }
        self.refresh();
        // Bytes at the front of the buffer that may leave. They leave together: one write for each read.
        let mut ready = 0;
        loop {
            match self.reader.read(&self.buffer[ready..]) {
                Ok(Piece::More) => break,
                Ok(Piece::Pass(len)) => ready = self.take(ready, len),
                Ok(Piece::Begin(begin)) => ready = self.begun(begin, ready).await?,
                Ok(Piece::End(end)) => ready = self.ended(end, ready).await?,
                Err(why) => {
                    self.connection.shared.tally.degraded(why.0);
                    self.reader = Box::new(Bytes);
                    self.copy = None;
                    if let Some(Loss { evidence, label }) = self.losing.take() {
                        evidence.act(format!("lost the unreadable reply to {label} (Sent)"));
                        return Err(Stop::Taken);
                    }
                }
            }
        }
        self.emit(ready).await
    }

    /// `len` more bytes belong to the message that has begun. Gives back how many are ready now.
    fn take(&mut self, ready: usize, len: usize) -> usize {
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

    async fn begun(&mut self, begin: Begin, ready: usize) -> Result<usize, Stop> {
        let Begin { exchange, len, kind } = begin;
        match kind {
            Kind::Request(Label { text, changes }) => {
                self.connection.shared.tally.exchange();
                if changes && !self.armed.is_empty() {
                    let place =
                        Place { seed: self.connection.shared.seed, connection: self.connection.number, exchange };
                    let repeatable = self.connection.shared.protocol.repeats();
                    match self.connection.exchanges.begun(&self.armed, place, &text, repeatable) {
                        Opening::Pass => {}
                        Opening::Record => self.copy = Some(Copy::default()),
                        Opening::Cut(evidence) => {
                            self.emit(ready).await?;
                            evidence.act(format!("cut {text} before it was passed on (NotSent)"));
                            return Err(Stop::Taken);
                        }
                    }
                }
                Ok(self.take(ready, len))
            }
            Kind::Reply { rewritten } => {
                let mut ready = ready;
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
        }
    }

    async fn ended(&mut self, end: End, ready: usize) -> Result<usize, Stop> {
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
                evidence.act(format!("lost the reply to {label} (Applied)"));
                Err(Stop::Taken)
            }
        }
    }

    /// Passes on the first `len` bytes of the buffer.
    async fn emit(&mut self, len: usize) -> Result<(), Stop> {
        if len == 0 {
            return Ok(());
        }
        let chunk = self.buffer.split_to(len);
        self.send(&chunk).await
    }

    /// Passes bytes on, now or by the delay line.
    async fn send(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let delay = self.armed.delay(&mut self.jitter);
        if delay.is_none() && self.line.is_empty() {
            return self.write(bytes).await;
        }
        for evidence in self.armed.slowing() {
            evidence.bytes(self.connection.number, bytes.len());
        }
        self.line.push(Instant::now() + delay.unwrap_or_default(), bytes.to_vec());
        Ok(())
    }

    async fn let_out(&mut self) -> Result<(), Stop> {
        while let Some(chunk) = self.line.pop_due(Instant::now()) {
            self.write(&chunk).await?;
        }
        Ok(())
    }

    /// The faults have changed while chunks are on their way: without latency they wait no longer.
    fn hurry(&mut self) {
        self.armed = self.faults.borrow_and_update().clone();
        if self.armed.slowing().next().is_none() {
            self.line.release(Instant::now());
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.hold(bytes.len()).await;
        if let Some(blackhole) = self.connection.silenced() {
            blackhole.bytes(self.connection.number, bytes.len());
            return Ok(());
        }
        let sink = self.connection.sink(self.way).ok_or(Stop::Silent)?;
        // The sink reads no more, so it sends no more either: it is its own bytes that cannot come.
        write_all(sink, bytes).await.map_err(|_| Stop::Broken(self.way.other()))?;
        self.connection.shared.tally.passed(self.way, bytes.len());
        Ok(())
    }

    /// Waits as long as a partition holds this direction, with `len` bytes in hand.
    async fn hold(&mut self, len: usize) {
        self.refresh();
        for evidence in self.armed.holding(self.way) {
            evidence.bytes(self.connection.number, len);
        }
        self.released(self.way).await;
    }

    async fn released(&mut self, way: Way) {
        while self.armed.holding(way).next().is_some() {
            if self.faults.changed().await.is_err() {
                return;
            }
            self.armed = self.faults.borrow_and_update().clone();
        }
    }

    /// One atomic load, unless a fault has come or gone.
    fn refresh(&mut self) {
        if self.faults.has_changed().unwrap_or(false) {
            self.armed = self.faults.borrow_and_update().clone();
        }
    }
}

async fn read(stream: &TcpStream, buffer: &mut BytesMut) -> io::Result<usize> {
    loop {
        match stream.try_read_buf(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await?,
            result => return result,
        }
    }
}

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            result => bytes = &bytes[result?..],
        }
    }
    Ok(())
}
