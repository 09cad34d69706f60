//! What the connections of a link share, and the loop that lets them in.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::faults::{Armed, Way};
use super::protocol::Protocol;

/// Pause after a failed `accept`: out of file descriptors, trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// What a link has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted.
    pub opened: u64,
    /// Connections open now.
    pub open: u64,
    /// Connections reset because the upstream could not be reached.
    pub refused: u64,
    /// Bytes passed on to the upstream.
    pub request_bytes: u64,
    /// Bytes passed on to the callers.
    pub reply_bytes: u64,
    /// Requests begun, where the protocol is read; health probes and reads are among them.
    pub exchanges: u64,
    /// Streams (one direction of a connection) that could not be read any further and pass as bytes.
    pub degraded: u64,
    /// Why the first of them could not be read.
    pub degraded_because: Option<String>,
}

/// The state of a link that outlives any one connection.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) address: SocketAddr,
    pub(super) upstream: SocketAddr,
    pub(super) protocol: Protocol,
    pub(super) seed: u64,
    /// The faults in force. Pumps ask `has_changed`, one atomic load, once per chunk.
    pub(super) armed: watch::Sender<Armed>,
    /// Cancelled when the link is dropped.
    pub(super) closing: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) tally: Tally,
    runtime: Handle,
    injections: AtomicU16,
    connections: Mutex<BTreeMap<u64, Arc<Connection>>>,
}

/// The counters as they are written.
#[derive(Debug, Default)]
pub(super) struct Tally {
    opened: AtomicU64,
    refused: AtomicU64,
    request_bytes: AtomicU64,
    reply_bytes: AtomicU64,
    exchanges: AtomicU64,
    degraded: AtomicU64,
    degraded_because: OnceLock<&'static str>,
}

impl Tally {
    pub(super) fn passed(&self, way: Way, bytes: usize) {
        let counter = match way {
            Way::Requests => &self.request_bytes,
            Way::Replies => &self.reply_bytes,
        };
        counter.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn exchange(&self) {
        self.exchanges.fetch_add(1, Relaxed);
    }

    pub(super) fn degraded(&self, why: &'static str) {
        self.degraded.fetch_add(1, Relaxed);
        self.degraded_because.get_or_init(|| why);
    }
}

impl Shared {
    pub(super) fn new(address: SocketAddr, upstream: SocketAddr, protocol: Protocol, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            address,
            upstream,
            protocol,
            seed,
            armed: watch::Sender::new(Armed::default()),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            tally: Tally::default(),
            runtime: Handle::current(),
            injections: AtomicU16::new(0),
            connections: Mutex::default(),
        })
    }

    pub(super) fn accept(self: &Arc<Self>, listener: TcpListener) {
        let shared = Arc::clone(self);
        let closing = self.closing.clone();
        self.spawn(async move {
            closing.run_until_cancelled(shared.let_in(listener)).await;
        });
    }

    /// Runs a task that [`Shared::gone`] waits for.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task, &self.runtime);
    }

    async fn let_in(self: Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((client, _)) => self.admit(client),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, client: TcpStream) {
        let number = self.tally.opened.fetch_add(1, Relaxed) + 1;
        let connection = Arc::new(Connection::new(self, number, client));
        {
            // Under the lock, so that an injection sees this connection or this connection sees the injection.
            let mut connections = self.connections();
            if let Some(evidence) = self.armed.borrow().blackhole() {
                connection.silence(evidence);
            }
            connections.insert(number, Arc::clone(&connection));
        }
        self.spawn(connection.run());
    }

    /// The open connections by number. Injections hold this lock too.
    pub(super) fn connections(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn counters(&self) -> Counters {
        let Tally { opened, refused, request_bytes, reply_bytes, exchanges, degraded, degraded_because } = &self.tally;
        Counters {
            opened: opened.load(Relaxed),
            open: self.connections().len() as u64,
            refused: refused.load(Relaxed),
            request_bytes: request_bytes.load(Relaxed),
            reply_bytes: reply_bytes.load(Relaxed),
            exchanges: exchanges.load(Relaxed),
            degraded: degraded.load(Relaxed),
            degraded_because: degraded_because.get().map(ToString::to_string),
        }
    }

    /// The number of the next injection, from 0.
    pub(super) fn next_injection(&self) -> u16 {
        self.injections.fetch_add(1, Relaxed)
    }

    pub(super) fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
    }

    pub(super) async fn gone(&self) {
        self.tasks.wait().await;
    }
}
