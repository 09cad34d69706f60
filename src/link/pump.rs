//! One direction of a connection: read, look for message boundaries, apply the faults in force, write.

mod answers;
mod kept;
mod messages;

use std::sync::Arc;

use bytes::BytesMut;
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;
use tokio::time::Instant;

use super::connection::Connection;
use super::delay::DelayLine;
use super::evidence::Evidence;
use super::faults::{Armed, Way};
use super::protocol::{Bytes, Piece, Reader};
use super::random::{self, Use};
use kept::Kept;

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
    /// The message that is passing, if it is kept.
    kept: Option<Kept>,
}

/// Why a pump stops before its source has ended.
enum Stop {
    /// The source is broken: the sink must hear it.
    SourceBroken,
    /// The sink takes no more bytes.
    SinkBroken,
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
            kept: None,
        }
    }

    /// Waits as long as nothing may reach the upstream.
    pub(super) async fn wait_to_connect(&mut self) {
        self.released(Way::Requests, Evidence::kept_waiting).await;
    }

    /// Passes bytes until the source ends, and then the end.
    pub(super) async fn run(mut self) {
        let mut stop = self.pass().await.err();
        if let Some(kept) = self.kept.take() {
            stop = self.broke_off(kept).or(stop);
        }
        // News of a broken end travels like any other byte.
        match (&stop, self.way) {
            (Some(Stop::SourceBroken), way) => self.released(way, |_| {}).await,
            (Some(Stop::SinkBroken), Way::Replies) => self.released(Way::Requests, |_| {}).await,
            _ => {}
        }
        match stop {
            Some(Stop::Taken) => self.connection.reset_caller(),
            _ if self.connection.silenced().is_some() => {}
            None => self.connection.finish(self.way),
            // The upstream may have answered before it went away, for example that the body is too large. The pump of
            // the replies passes that on, and then comes to the broken end itself.
            Some(Stop::SinkBroken) if self.way == Way::Requests => self.connection.leave_broken(),
            Some(Stop::SourceBroken | Stop::SinkBroken) => self.connection.reset(),
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
        self.release(0, "it broke off");
        self.emit(self.buffer.len()).await?;
        self.say_own().await?;
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
                return source.read(&mut self.buffer).await.map_err(|_| Stop::SourceBroken);
            }
            tokio::select! {
                biased;
                () = self.line.due() => self.let_out().await?,
                _ = self.faults.changed() => self.hurry(),
                read = source.read(&mut self.buffer), if self.line.has_room() => {
                    return read.map_err(|_| Stop::SourceBroken);
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
                    ready = self.release(ready, why.0);
                    if self.kept.is_some() {
                        return Err(Stop::Taken);
                    }
                    if !self.connection.shared.protocol.passes_unread(self.way) {
                        self.emit(ready).await?;
                        return Err(Stop::Taken);
                    }
                }
            }
        }
        self.emit(ready).await
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
        sink.write_all(bytes).await.map_err(|_| Stop::SinkBroken)?;
        self.connection.shared.tally.passed(self.way, bytes.len());
        Ok(())
    }

    /// Waits as long as a partition holds this direction, with `len` bytes in hand.
    async fn hold(&mut self, len: usize) {
        let number = self.connection.number;
        self.released(self.way, |partition| {
            // The end of an idle connection waits as well, but nobody misses it.
            if len > 0 {
                partition.bytes(number, len);
            }
        })
        .await;
    }

    /// Waits as long as a partition holds `way`, and tells each one that does, also those that come meanwhile.
    async fn released(&mut self, way: Way, tell: impl Fn(&Evidence)) {
        self.refresh();
        let mut told: Vec<Arc<Evidence>> = Vec::new();
        while self.armed.holding(way).next().is_some() {
            for partition in self.armed.holding(way) {
                if !told.iter().any(|told| Arc::ptr_eq(told, partition)) {
                    tell(partition);
                    told.push(Arc::clone(partition));
                }
            }
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
