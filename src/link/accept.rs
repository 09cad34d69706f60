//! What the connections of a link share, and the loop that lets them in.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::counters::Tally;
use super::faults::Armed;
use super::protocol::Protocol;
use super::socket::Upstream;
use super::trace::Observer;
use crate::fault::Edge;

/// Pause after a failed `accept`: out of file descriptors, trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// The state of a link that outlives any one connection.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) address: SocketAddr,
    pub(super) upstream: Upstream,
    pub(super) protocol: Protocol,
    pub(super) seed: u64,
    /// Who connects to whom, in words.
    pub(super) edge: String,
    /// Is told of every exchange, if anybody is.
    pub(super) observer: Option<Arc<dyn Observer>>,
    /// What names in labels are told without, once it is known.
    pub(super) prefix: OnceLock<String>,
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

impl Shared {
    pub(super) fn new(
        edge: &Edge,
        address: SocketAddr,
        upstream: Upstream,
        protocol: Protocol,
        seed: u64,
        observer: Option<Arc<dyn Observer>>,
        runtime: Handle,
    ) -> Arc<Self> {
        Arc::new(Self {
            edge: edge.to_string(),
            observer,
            prefix: OnceLock::new(),
            address,
            upstream,
            protocol,
            seed,
            armed: watch::Sender::new(Armed::default()),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            tally: Tally::default(),
            runtime,
            injections: AtomicU16::new(0),
            connections: Mutex::default(),
        })
    }

    /// What names in labels are told without.
    pub(super) fn prefix(&self) -> &str {
        self.prefix.get().map_or("", String::as_str)
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
                Ok((client, _)) => {
                    // Without it a reply of 16 KiB waits 40 ms for a delayed acknowledgement. Fails when it is gone already.
                    let _ = client.set_nodelay(true);
                    self.admit(client);
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    self.tally.not_accepted(&error);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, client: TcpStream) {
        let number = self.tally.opened();
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
