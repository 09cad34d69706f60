//! What a fault did: counted where it happens, told when asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::hold::{Gate, gate};
use super::random;
use super::{Held, LinkFault};
use crate::fault::Pick;

/// Different texts kept per fault; more are counted.
const TEXTS_MAX: usize = 8;

/// A fault and what it did. The lock is taken only where the fault acts.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) fault: LinkFault,
    /// Counted on the link from 0; names the stream of random numbers that picks.
    number: u16,
    /// Exchanges that could have been picked.
    candidates: AtomicU32,
    /// Where held exchanges are told of.
    pub(super) gate: Gate,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    connections: BTreeSet<u64>,
    /// Connections that wait, or waited, for their upstream.
    kept_waiting: u64,
    bytes: u64,
    acts: Texts,
    misses: Texts,
    /// Second deliveries not yet made or not yet answered.
    under_way: u32,
}

impl Evidence {
    /// A fault that has done nothing yet, and where the exchanges that it holds come out.
    pub(super) fn new(number: u16, fault: LinkFault) -> (Self, mpsc::Receiver<Held>) {
        let (gate, held) = gate();
        (Self { fault, number, candidates: AtomicU32::new(0), gate, seen: Mutex::default() }, held)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an exchange that could be picked, and says whether it is.
    pub(super) fn picks(&self, pick: Pick, seed: u64, connection: u64, exchange: u64) -> bool {
        let nth = self.candidates.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        pick.takes(nth, |probability| random::picks(seed, self.number, connection, exchange, probability))
    }

    pub(super) fn touched(&self, connection: u64) {
        self.seen().connections.insert(connection);
    }

    pub(super) fn kept_waiting(&self) {
        self.seen().kept_waiting += 1;
    }

    pub(super) fn bytes(&self, connection: u64, bytes: usize) {
        let mut seen = self.seen();
        seen.connections.insert(connection);
        seen.bytes += bytes as u64;
    }

    /// Something was done to a picked exchange.
    pub(super) fn act(&self, text: String) {
        self.seen().acts.add(text);
    }

    /// A picked exchange got away.
    pub(super) fn miss(&self, text: String) {
        self.seen().misses.add(text);
    }

    /// Whether second deliveries are still to be made or answered.
    pub(super) fn is_delivering(&self) -> bool {
        self.seen().under_way > 0
    }

    pub(super) fn delivery_begins(&self) {
        self.seen().under_way += 1;
    }

    pub(super) fn delivery_ends(&self) {
        self.seen().under_way -= 1;
    }

    pub(super) fn bite(&self) -> Option<String> {
        let seen = self.seen();
        let on = count(seen.connections.len() as u64, "connection");
        let bytes = count(seen.bytes, "byte");
        let some = |bit: bool, text: String| bit.then_some(text);
        match self.fault {
            LinkFault::Partition(_) => some(
                seen.bytes > 0 || seen.kept_waiting > 0,
                format!("held {bytes} of {on}, kept {} waiting", count(seen.kept_waiting, "new connection")),
            ),
            LinkFault::Cut => some(!seen.connections.is_empty(), format!("reset {on}")),
            LinkFault::Latency { .. } => some(seen.bytes > 0, format!("delayed {bytes} of {on}")),
            // An idle connection that falls silent changes nothing until somebody speaks.
            LinkFault::Blackhole => some(seen.bytes > 0, format!("silenced {on}, in which {bytes} were lost")),
            LinkFault::Exchange { .. } => some(!seen.acts.is_empty(), seen.acts.to_string()),
        }
    }

    /// What healing did.
    pub(super) fn release(&self) -> String {
        let seen = self.seen();
        let on = count(seen.connections.len() as u64, "connection");
        match self.fault {
            LinkFault::Partition(_) => format!(
                "released {} of {on} and {}",
                count(seen.bytes, "byte"),
                count(seen.kept_waiting, "waiting connection")
            ),
            LinkFault::Cut => "nothing to undo: new connections work".into(),
            LinkFault::Latency { .. } => "released what was on its way".into(),
            LinkFault::Blackhole => format!("{on} stay silent, new ones work"),
            LinkFault::Exchange { .. } => {
                let mut text = String::from("no further exchange is picked");
                if seen.under_way > 0 {
                    text += &format!("; {} under way", count(u64::from(seen.under_way), "second delivery"));
                }
                if !seen.misses.is_empty() {
                    text += &format!("; got away: {}", seen.misses);
                }
                text
            }
        }
    }
}

/// Texts with how often each occurred, some of them with a target's words in it: bounded.
#[derive(Debug, Default)]
struct Texts {
    texts: BTreeMap<String, u32>,
    more: u32,
}

impl Texts {
    fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    fn add(&mut self, text: String) {
        if let Some(times) = self.texts.get_mut(&text) {
            *times = times.saturating_add(1);
        } else if self.texts.len() < TEXTS_MAX {
            self.texts.insert(text, 1);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

impl fmt::Display for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (text, times)) in self.texts.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{text}")?;
            if *times > 1 {
                write!(f, " {times} times")?;
            }
        }
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        Ok(())
    }
}

/// `1,204 bytes`, `1 connection`.
fn count(n: u64, noun: &str) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    match (n, noun.strip_suffix('y')) {
        (1, _) => format!("{text} {noun}"),
        (_, Some(stem)) => format!("{text} {stem}ies"),
        (_, None) => format!("{text} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::LinkAct;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0, "byte"), "0 bytes");
        assert_eq!(count(1, "byte"), "1 byte");
        assert_eq!(count(1_234_567, "byte"), "1,234,567 bytes");
        assert_eq!(count(2, "second delivery"), "2 second deliveries");
    }

    fn cut_after(pick: Pick) -> LinkFault {
        LinkFault::Exchange { on: None, pick, act: LinkAct::CutAfter }
    }

    #[test]
    fn picks_count_from_the_injection_on() {
        let picked = |pick| {
            let (evidence, _held) = Evidence::new(0, cut_after(pick));
            (1..=5).filter(|exchange| evidence.picks(pick, 1, 1, *exchange)).collect::<Vec<_>>()
        };
        assert_eq!(picked(Pick::Nth(3)), [3]);
        assert_eq!(picked(Pick::First(2)), [1, 2]);
        assert_eq!(picked(Pick::Every), [1, 2, 3, 4, 5]);
        assert_eq!(picked(Pick::Nth(0)), [0; 0]);
    }

    #[test]
    fn texts_are_bounded() {
        let (evidence, _held) = Evidence::new(0, cut_after(Pick::Every));
        assert_eq!(evidence.bite(), None);
        for number in 0..20 {
            evidence.act(format!("lost {number}"));
        }
        let bite = evidence.bite().unwrap();
        assert!(bite.ends_with("and 12 more"), "{bite}");
    }
}
