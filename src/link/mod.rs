//! Links: a proxy of our own on every edge, where bytes can be held, delayed, lost or repeated.
//!
//! Each connection has one task per direction (`pump`). A `protocol::Reader` tells it where messages begin and
//! end; what is to be done to them is a list of faults in force (`faults`) that the pump looks at once per chunk,
//! through one atomic counter. Without a fault a link reads frame headers and forwards, and nothing else.
//!
//! What stays outside: a link knows nothing of instances, plans or histories. It is told an edge's name and an address.

mod accept;
mod connection;
mod counters;
mod delay;
mod evidence;
mod exchange;
mod faults;
mod hold;
mod protocol;
mod pump;
mod random;
mod repeat;
mod socket;
mod thread;
mod trace;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::fault::{Direction, Edge, ErrorReply, Pattern, Pick, Repeat};
use accept::Shared;
pub use counters::Counters;
pub use faults::Injection;
use faults::Way;
pub use hold::{Held, Release};
pub use protocol::Protocol;
pub use socket::Upstream;
pub use trace::Observer;

/// A proxy on one edge. Dropping it closes the listener and every connection and ends all tasks.
#[derive(Debug)]
pub struct Link {
    edge: Edge,
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Taken by [`Link::accept`].
    listener: Mutex<Option<TcpListener>>,
}

/// What a link can do to the bytes that pass.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkFault {
    /// Bytes are held, not lost: they pass once healed, and so do the ends of connections. New connections are
    /// accepted and wait, unless only replies are held: then they reach the upstream at once.
    Partition(Direction),
    /// Every open connection is reset at once, towards both ends. New ones work: nothing stays in force.
    Cut,
    /// Every byte arrives later, each way. Healing lets out at once what is still on its way.
    Latency {
        /// One way.
        delay: Duration,
        /// Added on top, drawn evenly from zero to this for each chunk; the order is kept.
        jitter: Duration,
    },
    /// Open connections, and those opened while it lasts, go silent for ever: what is sent into them is lost and
    /// nobody is told. Connections opened after healing work.
    Blackhole,
    /// Something is done at *exchanges*, each a request and its reply.
    Exchange {
        /// Which are meant at all. Without a pattern: those that change something. On an HTTP link these have a method
        /// other than GET, HEAD, OPTIONS and TRACE, so that health probes do not use up a pick; the readers of the other
        /// protocols know their own. A stream that cannot be read has no exchanges.
        on: Option<Pattern>,
        /// Which of these.
        pick: Pick,
        /// What is done.
        act: LinkAct,
    },
}

/// What a link can do at an exchange. Requests pipelined on a connection that is reset are lost with it, and no claim is
/// made about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkAct {
    /// The caller's connection is reset before a byte of the request is passed on.
    CutBefore,
    /// The request is passed on, the whole reply is read and lost, and the caller's connection is reset.
    CutAfter,
    /// The request is passed on, the whole reply is read and lost, and the connection is silent from then on.
    LoseReply,
    /// The request is held this long, and what follows on its connection behind it.
    Delay(Duration),
    /// The request is delivered a second time, on a connection of its own; the caller hears the first answer.
    /// HTTP only. Requests of more than 64 KiB pass once, and are told of when the fault is healed.
    Repeat(Repeat),
    /// The request is held before a byte of it is passed on, until whoever takes [`Injection::held`] decides.
    HoldBefore,
    /// The request is not passed on, and the caller hears an error; without one, one that services meet. The connection
    /// goes on, except on HTTP, and what is open on it is as it would be after such an error: a transaction is aborted.
    /// Requests of more than 64 KiB pass as they are, and so does what cannot be answered so.
    AnswerError(Option<ErrorReply>),
    /// As [`LinkAct::AnswerError`], and the caller hears that it worked. Only where what success says is certain.
    Swallow,
    /// The request is passed on, and an error takes the place of the reply that it worked; without one, one that leaves
    /// doubt. Replies of more than 64 KiB pass as they are, and so does what does not stand by itself.
    FailReply(Option<ErrorReply>),
    /// The request is passed on, the whole reply is read, and the connection waits until whoever takes
    /// [`Injection::held`] has done what he wants to do then. The reply is lost.
    HoldAfter,
}

impl Link {
    /// Listens on a free port of 127.0.0.1 for connections to `upstream`. They wait until [`Link::accept`], so that
    /// faults can be in force from the first byte on. `seed` decides every random draw.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn open(edge: Edge, upstream: impl Into<Upstream>, protocol: Protocol, seed: u64) -> io::Result<Self> {
        Self::open_observed(edge, upstream, protocol, seed, None).await
    }

    /// As [`Link::open`], with somebody who is told of every exchange.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn open_observed(
        edge: Edge,
        upstream: impl Into<Upstream>,
        protocol: Protocol,
        seed: u64,
        observer: Option<Arc<dyn Observer>>,
    ) -> io::Result<Self> {
        Self::open_at(Ipv4Addr::LOCALHOST.into(), edge, upstream, protocol, seed, observer).await
    }

    /// As [`Link::open_observed`], on another address of this machine: containers do not find 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be had, or the address is not of this machine.
    pub async fn open_at(
        host: IpAddr,
        edge: Edge,
        upstream: impl Into<Upstream>,
        protocol: Protocol,
        seed: u64,
        observer: Option<Arc<dyn Observer>>,
    ) -> io::Result<Self> {
        let runtime = thread::handle()?;
        let bound = runtime.spawn(TcpListener::bind((host, 0))).await;
        let listener = bound.map_err(io::Error::other)??;
        let address = listener.local_addr()?;
        let shared = Shared::new(&edge, address, upstream.into(), protocol, seed, observer, runtime);
        Ok(Self { edge, address, shared, listener: Mutex::new(Some(listener)) })
    }

    /// Tells names in labels without this prefix, so that exchanges are called the same in every run. It holds for
    /// connections opened later; a second call does nothing.
    pub fn leave_out(&self, prefix: &str) {
        self.shared.prefix.get_or_init(|| prefix.to_owned());
    }

    /// Lets connections in. A second call does nothing.
    pub fn accept(&self) {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listener) = listener {
            self.shared.accept(listener);
        }
    }

    /// Who connects to whom.
    #[must_use]
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    /// Where to connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts a fault in force, next to those that already are. It ends when the injection is healed or dropped.
    #[must_use = "dropping the injection heals it"]
    pub fn inject(&self, fault: LinkFault) -> Injection {
        Injection::new(&self.shared, fault)
    }

    /// What has passed so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let open = self.shared.connections().len();
        self.shared.tally.counters(open)
    }

    /// What a reader of the run's history should know of this link: it turned callers away, or could not read what passed
    /// and did less than the plan says. `None` as long as all is well.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let Self { edge, shared, .. } = self;
        let tally = &shared.tally;
        if let Some(why) = tally.not_accepted_because() {
            return Some(format!(
                "the link {edge} could not accept a connection: {why}; raise `ulimit -n` or run less at once"
            ));
        }
        let why = tally.degraded_because()?;
        Some(if shared.protocol.passes_unread(Way::Replies) {
            format!(
                "the link {edge} could not read everything ({why}); faults on single exchanges miss what it could not read"
            )
        } else {
            format!(
                "the link {edge} could not read everything ({why}); it cut connections whose replies it could not read, so that no client gets past it"
            )
        })
    }

    /// Closes everything, as dropping does, and waits until the last task is gone: nothing is passed on after that.
    pub async fn close(&self) {
        drop(self.listener.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.shared.close();
        self.shared.gone().await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.close();
    }
}
