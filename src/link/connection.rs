//! One connection: its two sockets, and how it ends.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use nix::sys::socket::{Shutdown, shutdown};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::accept::Shared;
use super::evidence::Evidence;
use super::exchange::Exchanges;
use super::faults::Way;
use super::pump::Pump;
use super::socket::Socket;
use super::trace::Trace;

/// A caller's connection and ours to the upstream.
#[derive(Debug)]
pub(super) struct Connection {
    /// Counted from 1 in the order of acceptance.
    pub(super) number: u64,
    pub(super) shared: Arc<Shared>,
    pub(super) exchanges: Exchanges,
    pub(super) trace: Trace,
    client: Socket,
    /// Set once the upstream has been reached.
    upstream: OnceLock<Socket>,
    /// Set for good by a blackhole.
    silenced: OnceLock<Arc<Evidence>>,
    /// Set when the upstream takes no more bytes.
    left_broken: AtomicBool,
    /// Cancelled to end both directions at once.
    end: CancellationToken,
}

impl Connection {
    pub(super) fn new(shared: &Arc<Shared>, number: u64, client: TcpStream) -> Self {
        Self {
            number,
            shared: Arc::clone(shared),
            exchanges: Exchanges::default(),
            trace: Trace::default(),
            client: Socket::Tcp(client),
            upstream: OnceLock::new(),
            silenced: OnceLock::new(),
            left_broken: AtomicBool::new(false),
            end: shared.closing.child_token(),
        }
    }

    /// Reaches the upstream and passes bytes until both directions have ended.
    pub(super) async fn run(self: Arc<Self>) {
        self.end.run_until_cancelled(self.connect_and_pass()).await;
        self.exchanges.give_up();
        self.trace.give_up(&self.shared);
        self.shared.connections().remove(&self.number);
    }

    async fn connect_and_pass(self: &Arc<Self>) {
        let (request_reader, reply_reader) = self.shared.protocol.readers(self.shared.address, self.shared.prefix());
        let mut requests = Pump::new(self, Way::Requests, request_reader);
        // A silenced connection has no upstream: nobody answered, and what the caller sends is lost.
        requests.wait_to_connect().await;
        if self.silenced.get().is_none() && self.connect().await.is_err() {
            self.shared.tally.refused();
            self.reset_caller();
            return;
        }
        let connection = Arc::clone(self);
        let replies = self.shared.tasks.spawn(async move {
            let replies = Pump::new(&connection, Way::Replies, reply_reader);
            connection.end.run_until_cancelled(replies.run()).await;
        });
        requests.run().await;
        // A task that panicked has said so already; its connection ends like any other.
        let _ = replies.await;
        if self.left_broken.load(Relaxed) {
            self.reset();
        }
    }

    async fn connect(&self) -> io::Result<()> {
        let upstream = self.shared.upstream.connect().await?;
        self.upstream.get_or_init(|| upstream);
        Ok(())
    }

    /// Where the bytes of a direction come from; nowhere when the upstream was never reached.
    pub(super) fn source(&self, way: Way) -> Option<&Socket> {
        match way {
            Way::Requests => Some(&self.client),
            Way::Replies => self.upstream.get(),
        }
    }

    /// Where the bytes of a direction go to.
    pub(super) fn sink(&self, way: Way) -> Option<&Socket> {
        self.source(way.other())
    }

    /// Hears nothing more from the upstream than what has arrived, and tells it that nothing more comes.
    pub(super) fn leave_upstream(&self) {
        if let Some(upstream) = self.upstream.get() {
            // A socket that is no longer connected needs no end.
            let _ = shutdown(upstream.as_raw_fd(), Shutdown::Both);
        }
    }

    /// Passes on the end of a direction. The other one goes on.
    pub(super) fn finish(&self, way: Way) {
        if let Some(sink) = self.sink(way) {
            // A socket that is no longer connected needs no end.
            let _ = shutdown(sink.as_raw_fd(), Shutdown::Write);
        }
    }

    /// Ends the connection with a reset once the other direction has ended, too.
    pub(super) fn leave_broken(&self) {
        self.left_broken.store(true, Relaxed);
    }

    /// Ends the connection with a reset towards both ends.
    pub(super) fn reset(&self) {
        if let Some(upstream) = self.upstream.get() {
            upstream.end_with_reset();
        }
        self.reset_caller();
    }

    /// Ends the connection with a reset towards the caller and an ordinary end towards the upstream.
    pub(super) fn reset_caller(&self) {
        self.client.end_with_reset();
        self.end.cancel();
    }

    /// Makes the connection silent for ever.
    pub(super) fn silence(&self, evidence: &Arc<Evidence>) {
        if self.silenced.set(Arc::clone(evidence)).is_ok() {
            evidence.touched(self.number);
        }
    }

    pub(super) fn silenced(&self) -> Option<&Arc<Evidence>> {
        self.silenced.get()
    }
}
