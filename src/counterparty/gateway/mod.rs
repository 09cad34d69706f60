//! The payment gateway: charges, refunds and a lookup, over HTTP.
//!
//! `POST /charges` with `{"order", "amount", "currency", "card"}` answers 201 `{"id", "status": "succeeded"}` or 402
//! `{"status": "declined"}`, under an `Idempotency-Key` once for all. `GET /charges?order=ID` answers what has been charged.
//! `POST /charges/{id}/refunds` takes a charge back, once.

mod answer;
mod book;
mod misbehaviour;
mod routes;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::book::Book;
pub use self::misbehaviour::Misbehaviour;
use self::misbehaviour::Misbehaviours;
use crate::fault::AtGateway;
use crate::history::{InstanceName, Recorder};

/// A payment gateway of one run. Dropping it ends everything that it has under way.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

/// What all listeners of a gateway have in common.
#[derive(Debug)]
struct Shared {
    book: Mutex<Book>,
    misbehaviours: Misbehaviours,
    recorder: Arc<Recorder>,
    /// Cancelled when the run is over: what is late then does not happen any more.
    closed: CancellationToken,
}

impl Gateway {
    /// A gateway that has charged nothing. The seed decides which calls a fault picks by chance.
    #[must_use]
    pub fn new(recorder: Arc<Recorder>, seed: u64) -> Self {
        let misbehaviours = Misbehaviours::new(seed);
        let closed = CancellationToken::new();
        let shared = Shared { book: Mutex::default(), misbehaviours, recorder, closed };
        Self { shared: Arc::new(shared), tasks: TaskTracker::new() }
    }

    /// Listens for the calls of an instance.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn listen(&self, to: InstanceName) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let app = routes::router(Arc::clone(&self.shared), to, self.tasks.clone());
        let closed = self.shared.closed.clone();
        self.tasks.spawn(async move {
            // Connections end with their links. An error of `accept` is tried again by axum itself.
            let serve = axum::serve(listener, app).into_future();
            closed.run_until_cancelled(serve).await;
        });
        Ok(address)
    }

    /// Does something wrong from now on.
    #[must_use]
    pub fn misbehave(&self, at: AtGateway) -> Arc<Misbehaviour> {
        self.shared.misbehaviours.add(at)
    }

    /// Ends all listening and all that is late. Nothing is recorded after this returns.
    pub async fn close(&self) {
        self.shared.closed.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.closed.cancel();
    }
}

impl Shared {
    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
