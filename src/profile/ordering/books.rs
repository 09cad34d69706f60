//! What belongs to each entity: what was published of it, what was applied, how it stood, what was told of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::facts::{Answer, Applied, Delivery, Entity, Facts, Gap, Place, Sequence, Standing};
use crate::history::{IntentId, Moment};

/// Everything about all entities, by [`Entity`].
#[derive(Debug, Default)]
pub struct Books {
    /// What there is about each.
    pub lives: Vec<Life>,
}

/// Everything about one entity. Numbers are indices into the facts.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// The events that callers published, or may have.
    pub published: BTreeMap<Sequence, Published>,
    /// What was applied and is in the log, in its order.
    pub log: Vec<u32>,
    /// What was in the log and is not there any more.
    pub vanished: Vec<u32>,
    /// How it was seen, in the order of the readings.
    pub standings: Vec<u32>,
    /// The gaps that were surfaced.
    pub gaps: Vec<u32>,
    /// What was told of it.
    pub deliveries: Vec<u32>,
}

/// An event on the topic that the target consumes, as far as callers know.
#[derive(Clone, Debug)]
pub struct Published {
    /// Who published it.
    pub intent: IntentId,
    /// When it was first sent. It is not there before.
    pub sent: Moment,
    /// When the broker first said that it has it.
    pub certain: Option<Moment>,
    /// How often the broker said so.
    pub times: u64,
    /// Where it is first, as far as that was said.
    pub place: Option<Place>,
    /// What it adds.
    pub amount: i64,
    /// When it is said to have happened.
    pub at: Arc<str>,
}

impl Books {
    /// Puts together what belongs together.
    #[must_use]
    pub fn new(facts: &Facts) -> Self {
        let mut books = Self { lives: vec![Life::default(); facts.entities.len()] };
        for (id, intent) in facts.events() {
            let sendings = || facts.attempts_of(intent).filter(|(_, attempt)| attempt.answer != Answer::Not);
            let Some(sent) = sendings().map(|(_, attempt)| attempt.invoked).min() else { continue };
            let is_certain = |answer| matches!(answer, Answer::Published(_));
            let certain = || sendings().filter(|(_, attempt)| is_certain(attempt.answer));
            let places = sendings().filter_map(|(_, attempt)| match attempt.answer {
                Answer::Published(place) => place,
                _ => None,
            });
            let published = Published {
                intent: id,
                sent,
                certain: certain().filter_map(|(_, attempt)| attempt.returned).min(),
                times: certain().count() as u64,
                place: places.min(),
                amount: intent.amount,
                at: Arc::clone(&intent.at),
            };
            books.of(intent.entity).published.insert(intent.sequence, published);
        }
        for (number, applied) in (0..).zip(&facts.log) {
            let life = books.of(applied.entity);
            if applied.row.gone { &mut life.vanished } else { &mut life.log }.push(number);
        }
        for (number, standing) in (0..).zip(&facts.standings) {
            books.of(standing.entity).standings.push(number);
        }
        for (number, gap) in (0..).zip(&facts.gaps) {
            books.of(gap.entity).gaps.push(number);
        }
        for (number, delivery) in (0..).zip(&facts.deliveries) {
            books.of(delivery.entity).deliveries.push(number);
        }
        books
    }

    /// What there is about an entity.
    #[must_use]
    pub fn life(&self, entity: Entity) -> &Life {
        &self.lives[entity.0 as usize]
    }

    /// Every entity.
    pub fn entities(&self) -> impl Iterator<Item = (Entity, &Life)> {
        (0..).map(Entity).zip(&self.lives)
    }

    fn of(&mut self, entity: Entity) -> &mut Life {
        &mut self.lives[entity.0 as usize]
    }
}

impl Life {
    /// What was applied, in the order of the log.
    pub fn applied<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = &'a Applied> {
        self.log.iter().filter_map(|number| facts.log.get(*number as usize))
    }

    /// How it was seen.
    pub fn standings<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = &'a Standing> {
        self.standings.iter().filter_map(|number| facts.standings.get(*number as usize))
    }

    /// The gaps that were surfaced.
    pub fn gaps<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = &'a Gap> {
        self.gaps.iter().filter_map(|number| facts.gaps.get(*number as usize))
    }

    /// What was told of it.
    pub fn deliveries<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = &'a Delivery> {
        self.deliveries.iter().filter_map(|number| facts.deliveries.get(*number as usize))
    }

    /// The last event of the log, by its place among the entity's events.
    #[must_use]
    pub fn last(&self, facts: &Facts) -> Sequence {
        self.applied(facts).map(|applied| applied.sequence).max().unwrap_or(Sequence::NONE)
    }

    /// Whether an event is in the log.
    #[must_use]
    pub fn has(&self, facts: &Facts, sequence: Sequence) -> bool {
        self.applied(facts).any(|applied| applied.sequence == sequence)
    }

    /// How far it can be applied: the last event that is certainly there with all that come before it, as known at
    /// `moment`.
    #[must_use]
    pub fn reach(&self, moment: Moment) -> Sequence {
        let mut reach = Sequence::NONE;
        while self.is_certain(reach.next(), moment) {
            reach = reach.next();
        }
        reach
    }

    /// Whether an event was certainly there at `moment`.
    #[must_use]
    pub fn is_certain(&self, sequence: Sequence, moment: Moment) -> bool {
        let published = self.published.get(&sequence);
        published.and_then(|published| published.certain).is_some_and(|certain| certain <= moment)
    }

    /// Events that were certainly there at `moment` and had to wait, because one before them was certainly not.
    pub fn held(&self, moment: Moment) -> impl Iterator<Item = (Sequence, &Published)> {
        let mut missing = Sequence::NONE.next();
        while self.published.get(&missing).is_some_and(|published| published.sent <= moment) {
            missing = missing.next();
        }
        let behind = self.published.range(missing..);
        behind.filter(move |(_, it)| it.certain.is_some_and(|certain| certain <= moment)).map(|(at, it)| (*at, it))
    }

    /// The first event that is missing at `moment` behind the `last` that was applied, though a later one is there.
    /// `None` where it may be there.
    #[must_use]
    pub fn missing_behind(&self, last: Sequence, moment: Moment) -> Option<Sequence> {
        let missing = last.next();
        let is_behind = |(_, later): (_, &Published)| later.certain.is_some_and(|certain| certain <= moment);
        let is_held = self.published.range(missing.next()..).any(is_behind);
        (is_held && !self.is_certain(missing, moment)).then_some(missing)
    }

    /// When an event was first told of.
    #[must_use]
    pub fn told(&self, facts: &Facts, sequence: Sequence) -> Option<Moment> {
        self.deliveries(facts).find(|delivery| delivery.sequence == sequence).map(|delivery| delivery.at)
    }

    /// The partition in which its events are, if they are all in one.
    #[must_use]
    pub fn partition(&self) -> Option<i32> {
        let mut partitions = self.published.values().filter_map(|published| Some(published.place?.partition));
        let first = partitions.next()?;
        partitions.all(|other| other == first).then_some(first)
    }
}
