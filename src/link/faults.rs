//! Faults in force: which there are, and putting one in and taking it out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use tokio::sync::{Mutex as AsyncMutex, mpsc};

use super::accept::Shared;
use super::evidence::Evidence;
use super::{Held, LinkFault};
use crate::fault::Direction;

/// The direction of a pump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the caller to the upstream.
    Requests,
    /// From the upstream to the caller.
    Replies,
}

impl Way {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Requests => Self::Replies,
            Self::Replies => Self::Requests,
        }
    }

    fn is_in(self, direction: Direction) -> bool {
        match direction {
            Direction::Both => true,
            Direction::Requests => self == Self::Requests,
            Direction::Replies => self == Self::Replies,
        }
    }
}

/// The faults in force on a link, in the order of injection. Usually none.
#[derive(Clone, Debug, Default)]
pub(super) struct Armed(Vec<Arc<Evidence>>);

impl Armed {
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Evidence>> {
        self.0.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, evidence: &Arc<Evidence>) -> bool {
        self.all().any(|of| Arc::ptr_eq(of, evidence))
    }

    /// Those that hold the bytes of this direction.
    pub(super) fn holding(&self, way: Way) -> impl Iterator<Item = &Arc<Evidence>> {
        self.all().filter(move |of| matches!(of.fault, LinkFault::Partition(direction) if way.is_in(direction)))
    }

    pub(super) fn blackhole(&self) -> Option<&Arc<Evidence>> {
        self.all().find(|of| of.fault == LinkFault::Blackhole)
    }

    pub(super) fn slowing(&self) -> impl Iterator<Item = &Arc<Evidence>> {
        self.all().filter(|of| matches!(of.fault, LinkFault::Latency { .. }))
    }

    /// How long a chunk takes, if any latency is in force. Several add up.
    pub(super) fn delay(&self, random: &mut ChaCha8Rng) -> Option<Duration> {
        self.slowing().fold(None, |sum, of| match of.fault {
            LinkFault::Latency { delay, jitter } => {
                let jitter = jitter.mul_f64(random.random::<f64>());
                Some(sum.unwrap_or(Duration::ZERO) + delay + jitter)
            }
            _ => sum,
        })
    }
}

/// One fault in force. Dropping it heals it.
#[derive(Debug)]
pub struct Injection {
    evidence: Arc<Evidence>,
    shared: Arc<Shared>,
    healed: AtomicBool,
    held: AsyncMutex<mpsc::Receiver<Held>>,
}

impl Injection {
    pub(super) fn new(shared: &Arc<Shared>, fault: LinkFault) -> Self {
        let is_cut = fault == LinkFault::Cut;
        let (evidence, held) = Evidence::new(shared.next_injection(), fault);
        let evidence = Arc::new(evidence);
        // Under the lock no connection can appear between the ones seen here and the ones that see the fault.
        let connections = shared.connections();
        match evidence.fault {
            LinkFault::Cut => {
                for connection in connections.values() {
                    evidence.touched(connection.number);
                    connection.reset();
                }
            }
            LinkFault::Blackhole => {
                for connection in connections.values() {
                    connection.silence(&evidence);
                }
            }
            _ => {}
        }
        if !is_cut {
            shared.armed.send_modify(|armed| armed.0.push(Arc::clone(&evidence)));
        }
        drop(connections);
        Self { evidence, shared: Arc::clone(shared), healed: AtomicBool::new(false), held: AsyncMutex::new(held) }
    }

    /// What the fault has done so far; `None` as long as that is nothing.
    #[must_use]
    pub fn bite(&self) -> Option<String> {
        self.evidence.bite()
    }

    /// The next exchange that [`LinkAct::HoldBefore`](super::LinkAct::HoldBefore) or
    /// [`LinkAct::HoldAfter`](super::LinkAct::HoldAfter) holds; waits until there is one. `None` once nothing can come.
    pub async fn held(&self) -> Option<Held> {
        self.held.lock().await.recv().await
    }

    /// Whether second deliveries of requests are still to be made or answered. They go on after healing.
    #[must_use]
    pub fn is_delivering(&self) -> bool {
        self.evidence.is_delivering()
    }

    /// Ends the fault and says what that released. Second deliveries that are due later are still made.
    /// A second call changes nothing.
    pub fn heal(&self) -> String {
        if !self.healed.swap(true, Ordering::AcqRel) {
            let _guard = self.shared.connections();
            self.shared.armed.send_modify(|armed| armed.0.retain(|of| !Arc::ptr_eq(of, &self.evidence)));
            // What is held and was not taken goes on: nobody will take it. Somebody who is taking one has the lock.
            if let Ok(mut held) = self.held.try_lock() {
                held.close();
                while held.try_recv().is_ok() {}
            }
        }
        self.evidence.release()
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        self.heal();
    }
}
