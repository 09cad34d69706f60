//! What the gateway does wrong at the moment: picked call by call, counted, and over once healed.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::fault::{Asked, AtGateway, Does};

/// Streams of random numbers below this are those of links.
const STREAMS_FROM: u64 = 1 << 63;

/// A fault of the gateway. Dropping it does not heal it.
#[derive(Debug)]
pub struct Misbehaviour {
    at: AtGateway,
    /// Decides which calls are picked where that is left to chance.
    random: Mutex<ChaCha8Rng>,
    is_over: AtomicBool,
    candidates: AtomicU32,
    picked: AtomicU32,
}

impl Misbehaviour {
    fn new(at: AtGateway, seed: u64, number: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(STREAMS_FROM + number);
        let (candidates, picked) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { at, random: Mutex::new(random), is_over: AtomicBool::new(false), candidates, picked }
    }

    /// The proof that it made a difference; `None` while there is none.
    #[must_use]
    pub fn bite(&self) -> Option<String> {
        let picked = self.picked.load(Ordering::Relaxed);
        (picked > 0).then(|| format!("calls that met it: {picked}"))
    }

    /// Ends it. Says what it did.
    #[must_use]
    pub fn heal(&self) -> String {
        self.is_over.store(true, Ordering::Relaxed);
        let picked = self.picked.load(Ordering::Relaxed);
        format!("the gateway behaves again; calls that met it: {picked}")
    }

    /// Counts a call that it could be done to, and says whether it is.
    fn takes(&self, asked: Asked) -> bool {
        if self.is_over.load(Ordering::Relaxed) || !self.at.does.fits(asked) {
            return false;
        }
        let nth = self.candidates.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let draw = || self.random.lock().unwrap_or_else(PoisonError::into_inner).random::<f64>();
        self.at.pick.takes(nth, |probability| draw() < probability)
    }
}

/// All that was injected.
#[derive(Debug)]
pub(super) struct Misbehaviours {
    seed: u64,
    all: Mutex<Vec<Arc<Misbehaviour>>>,
}

impl Misbehaviours {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, all: Mutex::default() }
    }

    pub(super) fn add(&self, at: AtGateway) -> Arc<Misbehaviour> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let misbehaviour = Arc::new(Misbehaviour::new(at, self.seed, all.len() as u64));
        all.push(Arc::clone(&misbehaviour));
        misbehaviour
    }

    /// What is done wrong at this call: the first that takes it.
    pub(super) fn at(&self, asked: Asked) -> Option<Does> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        // Each one counts the call, also those that another one outdoes.
        let takers: Vec<_> = all.iter().filter(|one| one.takes(asked)).collect();
        let first = takers.first()?;
        first.picked.fetch_add(1, Ordering::Relaxed);
        Some(first.at.does)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Pick;

    #[test]
    fn only_calls_that_fit_are_counted_and_only_picked_ones_bite() {
        let all = Misbehaviours::new(1);
        let second = all.add(AtGateway { does: Does::Decline, pick: Pick::Nth(2) });
        assert_eq!(all.at(Asked::Lookup), None);
        assert_eq!((all.at(Asked::Charge), second.bite()), (None, None));
        assert_eq!(all.at(Asked::Charge), Some(Does::Decline));
        assert_eq!(second.bite().as_deref(), Some("calls that met it: 1"));
        assert_eq!(all.at(Asked::Charge), None);
    }

    #[test]
    fn what_is_healed_is_over() {
        let all = Misbehaviours::new(1);
        let down = all.add(AtGateway { does: Does::Fail, pick: Pick::Every });
        assert_eq!(all.at(Asked::Lookup), Some(Does::Fail));
        assert_eq!(down.heal(), "the gateway behaves again; calls that met it: 1");
        assert_eq!(all.at(Asked::Charge), None);
    }
}
