//! The sweep over time: what is under way, and every way in which it may have gone.

use super::configuration::{Configuration, Front};
use super::slots::Slots;
use super::subsets::Choice;
use super::{Budget, Operation, Verdict, What};
use crate::history::Moment;

/// A check in progress: sees the operations one by one, in the order of their invocations, and keeps nothing of what is
/// over.
#[derive(Debug)]
pub struct Sweep {
    budget: Budget,
    additions: Slots<i64>,
    observations: Slots<What>,
    /// Additions whose end nobody heard of, as bits by slot.
    endless: u64,
    /// The ends to come, the earliest last.
    ends: Vec<End>,
    front: Front,
    /// Room to work in.
    next: Front,
    visited: Front,
    pending: Vec<Configuration>,
    choice: Choice,
    jumps: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    at: Moment,
    slot: u32,
    /// The observation's number; `None` for an addition.
    observation: Option<usize>,
}

/// What ends now.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Addition(u64),
    Observation(u64),
}

impl Sweep {
    /// Nothing has happened, and the account stands at `start`.
    #[must_use]
    pub fn new(start: i128, budget: Budget) -> Self {
        let mut front = Front::default();
        front.admit(Configuration { applied: 0, satisfied: 0, value: start });
        Self {
            budget,
            additions: Slots::new(0),
            observations: Slots::new(What::Add(0)),
            endless: 0,
            ends: Vec::new(),
            front,
            next: Front::default(),
            visited: Front::default(),
            pending: Vec::new(),
            choice: Choice::default(),
            jumps: Vec::new(),
        }
    }

    /// Takes in the next operation; `number` is what a violation will name it by.
    ///
    /// # Errors
    /// The verdict, if it is certain now.
    pub fn see(&mut self, number: usize, operation: &Operation) -> Result<(), Verdict> {
        // What ends at the same moment is still under way.
        while self.ends.last().is_some_and(|end| end.at < operation.invoked) {
            self.end()?;
        }
        let (slot, observation) = match operation.what {
            What::Add(amount) => {
                let slot = self.additions.take(amount).ok_or(Verdict::Undecided)?;
                if operation.returned.is_none() {
                    self.endless |= 1 << slot;
                }
                (slot, None)
            }
            what => {
                if operation.returned.is_none() {
                    return Ok(());
                }
                let slot = self.observations.take(what).ok_or(Verdict::Undecided)?;
                self.front.watch(1 << slot, |value| what.fits(value));
                (slot, Some(number))
            }
        };
        if let Some(at) = operation.returned {
            let place = self.ends.iter().rposition(|end| end.at >= at).map_or(0, |place| place + 1);
            self.ends.insert(place, End { at, slot, observation });
        }
        Ok(())
    }

    /// Nothing more comes: lets everything end that has an end.
    pub fn finish(&mut self) -> Verdict {
        while !self.ends.is_empty() {
            if let Err(verdict) = self.end() {
                return verdict;
            }
        }
        Verdict::Linearizable
    }

    /// What is left of the budget's steps.
    pub(super) fn steps_left(&self) -> u64 {
        self.budget.steps
    }

    /// Lets the earliest end come.
    fn end(&mut self) -> Result<(), Verdict> {
        let Some(End { slot, observation, .. }) = self.ends.pop() else { return Ok(()) };
        let bit = 1 << slot;
        match observation {
            None => {
                if self.front.applied_by_all() & bit == 0 {
                    self.explore(Ending::Addition(bit))?;
                }
                self.additions.free(bit);
                self.front.free(bit, 0);
            }
            Some(number) => {
                if self.front.satisfied_by_all() & bit == 0 {
                    self.explore(Ending::Observation(bit))?;
                }
                if self.front.ways().is_empty() {
                    return Err(Verdict::Violated { by: number });
                }
                self.observations.free(bit);
                self.front.free(0, bit);
            }
        }
        self.retire();
        if self.front.ways().len() > self.budget.configurations { Err(Verdict::Undecided) } else { Ok(()) }
    }

    /// An addition without an end is over once it has been applied in every way.
    fn retire(&mut self) {
        let over = self.endless & self.front.applied_by_all();
        if over != 0 {
            self.endless &= !over;
            self.additions.free(over);
            self.front.free(over, 0);
        }
    }

    /// Goes on from every way to where what ends now has happened.
    fn explore(&mut self, ending: Ending) -> Result<(), Verdict> {
        self.next.clear();
        self.visited.clear();
        self.pending.clear();
        for way in self.front.ways() {
            let done = match ending {
                Ending::Addition(bit) => way.applied & bit != 0,
                Ending::Observation(bit) => way.satisfied & bit != 0,
            };
            if done {
                self.next.admit(*way);
            } else {
                self.visited.admit(*way);
                self.pending.push(*way);
            }
        }
        while let Some(way) = self.pending.pop() {
            if let Ending::Addition(bit) = ending {
                let way = self.applied(way, bit);
                self.spend(self.next.ways().len())?;
                self.next.admit(way);
            }
            self.jump(way, ending)?;
        }
        std::mem::swap(&mut self.front, &mut self.next);
        Ok(())
    }

    /// Goes on from one way to every observation that it has not satisfied.
    fn jump(&mut self, way: Configuration, ending: Ending) -> Result<(), Verdict> {
        let kept = match ending {
            Ending::Addition(bit) => bit,
            Ending::Observation(_) => 0,
        };
        let free = self.additions.taken() & !way.applied & !kept;
        let waiting = self.observations.taken() & !way.satisfied;
        if free == 0 || waiting == 0 {
            return Ok(());
        }
        self.choice.of(self.additions.of(free));
        self.jumps.clear();
        for (what, _) in self.observations.of(waiting) {
            if !self.choice.jumps(way.value, what, &mut self.budget.steps, &mut self.jumps) {
                return Err(Verdict::Undecided);
            }
        }
        let jumps = std::mem::take(&mut self.jumps);
        for &set in &jumps {
            let there = self.applied(way, set);
            let is_done = matches!(ending, Ending::Observation(bit) if there.satisfied & bit != 0);
            let front = if is_done { &mut self.next } else { &mut self.visited };
            let compared = front.ways().len();
            if front.admit(there) && !is_done {
                self.pending.push(there);
            }
            self.spend(compared)?;
            if self.pending.len().max(self.next.ways().len()) > self.budget.configurations {
                return Err(Verdict::Undecided);
            }
        }
        self.jumps = jumps;
        Ok(())
    }

    /// This way after these additions, and with what their sum satisfies.
    fn applied(&self, way: Configuration, set: u64) -> Configuration {
        let added = self.additions.of(set).map(|(amount, _)| i128::from(amount)).sum::<i128>();
        let value = way.value + added;
        let waiting = self.observations.of(self.observations.taken() & !way.satisfied);
        let fitting = waiting.filter(|(what, _)| what.fits(value)).fold(0, |bits, (_, bit)| bits | bit);
        Configuration { applied: way.applied | set, satisfied: way.satisfied | fitting, value }
    }

    fn spend(&mut self, steps: usize) -> Result<(), Verdict> {
        let left = self.budget.steps.checked_sub(steps as u64);
        self.budget.steps = left.ok_or(Verdict::Undecided)?;
        Ok(())
    }
}
