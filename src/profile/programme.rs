//! Who sends what when: steps dealt to callers, with repetitions and reads strewn in.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::callers::Callers;
use crate::history::IntentId;
use crate::profile::script::Step;

/// The callers' steps in the making: for each caller what it sends, in order.
#[derive(Clone, Debug)]
pub(in crate::profile) struct Programme {
    clients: Vec<Vec<Send>>,
    next: usize,
}

#[derive(Clone, Copy, Debug)]
struct Send {
    intent: IntentId,
    copies: u8,
}

impl Programme {
    pub(in crate::profile) fn new(callers: &Callers) -> Self {
        Self { clients: vec![Vec::new(); usize::from(callers.clients.max(1))], next: 0 }
    }

    /// How many callers there are.
    pub(in crate::profile) fn clients(&self) -> usize {
        self.clients.len()
    }

    /// The next caller in turn.
    pub(in crate::profile) fn turn(&mut self) -> usize {
        let client = self.next % self.clients.len();
        self.next += 1;
        client
    }

    /// A caller sends an intent next.
    pub(in crate::profile) fn send(&mut self, client: usize, intent: IntentId) {
        self.send_copies(client, intent, 1);
    }

    /// A caller sends an intent next, several times at once.
    pub(in crate::profile) fn send_copies(&mut self, client: usize, intent: IntentId, copies: u8) {
        let count = self.clients.len();
        self.clients[client % count].push(Send { intent, copies });
    }

    /// Sends one of `intents` again, at any later point of the same caller's programme.
    pub(in crate::profile) fn send_again(&mut self, random: &mut ChaCha8Rng, intents: &[IntentId]) {
        if let Some(&intent) = pick(random, intents) {
            self.send_after(random, intent, intent);
        }
    }

    /// Sends `intent` at any point of a caller's programme after the one at which the same caller first sends `other`.
    pub(in crate::profile) fn send_after(&mut self, random: &mut ChaCha8Rng, other: IntentId, intent: IntentId) {
        let sends = self.clients.iter_mut().find_map(|sends| {
            let at = sends.iter().position(|send| send.intent == other)?;
            Some((sends, at))
        });
        if let Some((sends, at)) = sends {
            let later = random.random_range(at + 1..=sends.len());
            sends.insert(later, Send { intent, copies: 1 });
        }
    }

    /// Any caller sends this at any point.
    pub(in crate::profile) fn strew(&mut self, random: &mut ChaCha8Rng, intent: IntentId) {
        let client = random.random_range(0..self.clients.len());
        let sends = &mut self.clients[client];
        let at = random.random_range(0..=sends.len());
        sends.insert(at, Send { intent, copies: 1 });
    }

    /// The steps with their times.
    pub(in crate::profile) fn finish(self, random: &mut ChaCha8Rng, callers: &Callers) -> Vec<Vec<Step>> {
        let count = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
        let timed = |(client, sends): (u32, Vec<Send>)| {
            let steps = (0_u32..).zip(sends).map(|(place, Send { intent, copies })| {
                let after = match callers.rate {
                    // Callers take turns, so that all together arrive evenly.
                    Some(rate) => {
                        Duration::from_secs(1) / rate.max(1) * place.saturating_mul(count).saturating_add(client)
                    }
                    None => random.random_range(Duration::ZERO..=callers.pause.0),
                };
                Step { intent, after, copies }
            });
            steps.collect()
        };
        (0..).zip(self.clients).map(timed).collect()
    }
}

/// One of these, if there is any.
pub(in crate::profile) fn pick<'a, T>(random: &mut ChaCha8Rng, of: &'a [T]) -> Option<&'a T> {
    if of.is_empty() { None } else { of.get(random.random_range(0..of.len())) }
}
