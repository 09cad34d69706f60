//! What belongs to each order: who asked for it, how it was seen, what was charged for it, what was told of it.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::facts::{Answer, Ask, Charge, Create, Delivery, Facts, GatewayCall, KEYS, Kind, Letter, Order, Sighting};
use crate::history::{AttemptId, IntentId, Moment};

/// Everything about all orders.
#[derive(Debug, Default)]
pub struct Books {
    /// By [`Order`].
    pub lives: Vec<Life>,
    /// By [`IntentId`]: the orders that were made for it, as far as readings showed them.
    pub made: Vec<Vec<Order>>,
}

/// Everything about one order. Numbers are indices into the facts.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// Who asked for it.
    pub intent: Option<IntentId>,
    /// When a caller first heard that it was taken.
    pub acknowledged: Option<Moment>,
    /// How it was seen, in the order of the readings.
    pub sightings: Vec<u32>,
    /// Calls that asked the gateway to charge it, in the order in which they ended.
    pub attempts: Vec<u32>,
    /// Those of them that took the money, which was not given back.
    pub charges: Vec<u32>,
    /// Events of it that are the target's own.
    pub deliveries: Vec<u32>,
    /// Copies of its events that the harness made.
    pub copies: Vec<u32>,
    /// Dead letters about it.
    pub letters: Vec<u32>,
    /// Sendings that may have put its dead letters back to work.
    pub replays: Vec<AttemptId>,
}

impl Books {
    /// Puts together what belongs together.
    #[must_use]
    pub fn new(facts: &Facts) -> Self {
        let mut books =
            Self { lives: vec![Life::default(); facts.orders.len()], made: vec![Vec::new(); facts.intents.len()] };
        books.seen(facts);
        books.asked(facts);
        books.charged(facts);
        for (number, delivery) in (0..).zip(&facts.deliveries) {
            books.lives[delivery.order.0 as usize].deliveries.push(number);
        }
        for (number, copy) in (0..).zip(&facts.copies) {
            books.lives[copy.order.0 as usize].copies.push(number);
        }
        for (number, letter) in (0..).zip(&facts.letters) {
            let order = letter.order.or_else(|| books.told_by(facts, letter));
            if let Some(life) = order.and_then(|order| books.lives.get_mut(order.0 as usize)) {
                life.letters.push(number);
            }
        }
        books
    }

    /// What there is about an order.
    #[must_use]
    pub fn life(&self, order: Order) -> &Life {
        &self.lives[order.0 as usize]
    }

    /// Every order.
    pub fn orders(&self) -> impl Iterator<Item = (Order, &Life)> {
        (0..).map(Order).zip(&self.lives)
    }

    fn seen(&mut self, facts: &Facts) {
        for (number, sighting) in (0..).zip(&facts.sightings) {
            let life = &mut self.lives[sighting.order.0 as usize];
            life.sightings.push(number);
            // A key that nobody was given makes no intent.
            let intent = sighting.intent.filter(|id| (id.0 as usize) < facts.intents.len());
            life.intent = life.intent.or(intent);
        }
    }

    fn asked(&mut self, facts: &Facts) {
        for (number, intent) in (0..).map(IntentId).zip(&facts.intents) {
            for (id, attempt) in facts.attempts_of(intent) {
                match (intent.ask, attempt.answer) {
                    (Ask::Create(_), Answer::Ok { order: Some(order), .. }) => {
                        let life = &mut self.lives[order.0 as usize];
                        let earliest = life.acknowledged.into_iter().chain(attempt.returned).min();
                        (life.acknowledged, life.intent) = (earliest, life.intent.or(Some(number)));
                    }
                    (Ask::Replay(_), Answer::Refused(_)) => {}
                    (Ask::Replay(order), _) => self.lives[order.0 as usize].replays.push(id),
                    _ => {}
                }
            }
        }
        for (order, life) in (0..).map(Order).zip(&self.lives) {
            let intent = life.intent.filter(|_| !life.sightings.is_empty());
            if let Some(made) = intent.and_then(|intent| self.made.get_mut(intent.0 as usize)) {
                made.push(order);
            }
        }
    }

    fn charged(&mut self, facts: &Facts) {
        let refund = |call: &GatewayCall| match call.kind {
            Kind::Refund(charge) if call.effect.is_some() => Some(charge),
            _ => None,
        };
        let refunded: HashSet<Charge, RandomState> = facts.calls.iter().filter_map(refund).collect();
        for (number, call) in (0..).zip(&facts.calls) {
            let Some(order) = call.order.filter(|_| call.kind == Kind::Charge) else { continue };
            let life = &mut self.lives[order.0 as usize];
            life.attempts.push(number);
            let declined = call.is_decline() || life.create(facts).is_some_and(|create| create.declined);
            if call.effect.is_some_and(|charge| !declined && !refunded.contains(&charge)) {
                life.charges.push(number);
            }
        }
    }

    /// The order of the event that a letter holds.
    fn told_by(&self, facts: &Facts, letter: &Letter) -> Option<Order> {
        let event = letter.event?;
        facts.deliveries.iter().find(|delivery| delivery.id == event).map(|delivery| delivery.order)
    }
}

impl Life {
    /// What was asked for.
    #[must_use]
    pub fn create(&self, facts: &Facts) -> Option<Create> {
        match facts.intents.get(self.intent?.0 as usize)?.ask {
            Ask::Create(create) => Some(create),
            _ => None,
        }
    }

    /// How it stood in the last reading; `None` if it was not there.
    #[must_use]
    pub fn last<'a>(&self, facts: &'a Facts) -> Option<&'a Sighting> {
        facts.sightings.get(*self.sightings.last()? as usize).filter(|sighting| !sighting.gone)
    }

    /// How it was seen.
    pub fn seen<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = &'a Sighting> {
        self.sightings.iter().filter_map(|number| facts.sightings.get(*number as usize))
    }

    /// The calls that asked for it to be charged.
    pub fn attempts<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = &'a GatewayCall> {
        self.attempts.iter().filter_map(|number| facts.calls.get(*number as usize))
    }

    /// The calls that took the money.
    pub fn charges<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = &'a GatewayCall> {
        self.charges.iter().filter_map(|number| facts.calls.get(*number as usize))
    }

    /// The target's own events of it.
    pub fn deliveries<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = &'a Delivery> {
        self.deliveries.iter().filter_map(|number| facts.deliveries.get(*number as usize))
    }

    /// The dead letters about it.
    pub fn letters<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = &'a Letter> {
        self.letters.iter().filter_map(|number| facts.letters.get(*number as usize))
    }

    /// Whether a dead letter about it waits for somebody to look at it.
    #[must_use]
    pub fn is_dead(&self, facts: &Facts) -> bool {
        self.letters(facts).any(|letter| !letter.replayed && !letter.gone)
    }

    /// When it was first known to be there: acknowledged, or read.
    #[must_use]
    pub fn known(&self, facts: &Facts) -> Option<Moment> {
        let read = self.seen(facts).next().and_then(|sighting| facts.readings.get(sighting.reading as usize));
        self.acknowledged.into_iter().chain(read.map(|reading| reading.at)).min()
    }

    /// When it was first known to have reached a version: read, or, as for the first, acknowledged.
    #[must_use]
    pub fn reached(&self, facts: &Facts, version: i64) -> Option<Moment> {
        let sighting = self.seen(facts).find(|sighting| sighting.version >= version);
        let read = sighting.and_then(|sighting| facts.readings.get(sighting.reading as usize));
        let taken = self.acknowledged.filter(|_| version <= 1);
        read.map(|reading| reading.at).into_iter().chain(taken).min()
    }

    /// When the first event of a version came.
    #[must_use]
    pub fn told(&self, facts: &Facts, version: i64) -> Option<Moment> {
        self.deliveries(facts).find(|delivery| delivery.version == version).map(|delivery| delivery.at)
    }

    /// How people call it: by its own name and by the key that it was asked for under.
    #[must_use]
    pub fn name(&self, facts: &Facts, order: Order) -> String {
        let own = facts.orders.name(order.0);
        self.intent.map_or_else(|| own.to_owned(), |intent| format!("{own} ({})", KEYS.name(intent.0)))
    }
}
