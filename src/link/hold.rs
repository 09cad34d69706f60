//! Exchanges that wait for somebody outside the link: what is to be done to a process is done while they wait.

use tokio::sync::{mpsc, oneshot};

/// The most exchanges that wait to be taken; more wait to be told of.
const WAITING_MAX: usize = 64;

/// An exchange that waits. Dropping it lets it go on as if nothing had happened, as far as that is still possible.
#[derive(Debug)]
pub struct Held {
    /// What it is called.
    pub label: String,
    release: oneshot::Sender<Release>,
}

/// How a held exchange goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Release {
    /// As if nothing had happened. A reply that was held is lost all the same.
    GoOn(
        /// What was done meanwhile, for people; the link adds to which exchange.
        String,
    ),
    /// It is lost with its connection.
    Lost(
        /// What was done meanwhile, for people; the link adds before or after which exchange.
        String,
    ),
}

impl Held {
    /// Decides. A connection that has ended meanwhile needs no decision any more.
    pub fn release(self, release: Release) {
        let _ = self.release.send(release);
    }
}

/// The pump's end.
#[derive(Debug)]
pub(super) struct Gate(mpsc::Sender<Held>);

pub(super) fn gate() -> (Gate, mpsc::Receiver<Held>) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (Gate(sender), receiver)
}

impl Gate {
    /// Waits for a decision; `None` when nobody makes one any more.
    pub(super) async fn hold(&self, label: &str) -> Option<Release> {
        let (release, decided) = oneshot::channel();
        self.0.send(Held { label: label.to_owned(), release }).await.ok()?;
        decided.await.ok()
    }
}
