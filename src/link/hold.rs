//! Exchanges that wait for somebody outside the link: what is to be done to a process is done while they wait.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::evidence::Evidence;

/// The most exchanges that wait to be taken; more wait to be told of.
const WAITING_MAX: usize = 64;

/// An exchange that waits. Dropping it lets it go on as if nothing had happened, as far as that is still possible.
#[derive(Debug)]
pub struct Held {
    /// What it is called.
    pub label: String,
    /// Where it stands: `before COMMIT was passed on`.
    place: String,
    /// What is true of it if it goes no further: `NotSent`.
    truth: &'static str,
    evidence: Arc<Evidence>,
    release: oneshot::Sender<Release>,
}

/// How a held exchange goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// As if nothing had happened. A reply that was held is lost all the same.
    GoOn,
    /// It is lost with its connection.
    Lost,
}

impl Held {
    /// Decides. `what` was done meanwhile, for people: `api-1 was killed`. It counts even when the connection has ended
    /// before anything could be decided about it, because that may be what it did.
    pub fn release(self, what: &str, release: Release) {
        self.evidence.act(match release {
            Release::GoOn => format!("{what} {}", self.place),
            Release::Lost => format!("{what} {} ({})", self.place, self.truth),
        });
        // A connection that has ended needs no decision any more.
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

/// Waits for a decision about an exchange that a fault holds; `None` when nobody makes one any more.
pub(super) async fn hold(evidence: &Arc<Evidence>, label: &str, place: String, truth: &'static str) -> Option<Release> {
    let (release, decided) = oneshot::channel();
    let held = Held { label: label.to_owned(), place, truth, evidence: Arc::clone(evidence), release };
    evidence.gate.0.send(held).await.ok()?;
    decided.await.ok()
}
