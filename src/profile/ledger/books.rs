//! What follows from the facts for every oracle: which transfers the journal holds, and which intent each one is the
//! effect of.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::facts::{Answer, Ask, Body, Facts, Key, Row, Transfer};
use crate::history::IntentId;

/// Stands for no row, no reading or no transfer in the dense tables.
pub const NONE: u32 = u32::MAX;

/// The journal as the newest reading shows it, by transfer and by intent.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// By [`Transfer`].
    pub posted: Vec<Posted>,
    /// By [`IntentId`].
    pub effects: Vec<Effects>,
    /// Transfers that nobody asked for.
    pub fabricated: Vec<Transfer>,
    /// Whether the newest reading was taken in the audit and can be read in full, so that what it lacks is not there.
    pub complete: bool,
    /// First intent of each key, by the key's number.
    keyed: Vec<u32>,
    /// The next intent with the same key, by intent.
    same_key: Vec<u32>,
}

/// A transfer in the newest reading.
#[derive(Clone, Copy, Debug)]
pub struct Posted {
    /// How many entries it has there.
    pub legs: u32,
    /// Index of the row that debits.
    pub debit: u32,
    /// Index of the row that credits.
    pub credit: u32,
    /// Index of the first reading that had any of its rows, whatever became of them.
    pub first_seen: u32,
    /// The intent that it is the effect of.
    pub intent: Option<IntentId>,
    /// Whether it is what that intent asked for; `None` where that cannot be said.
    pub faithful: Option<bool>,
}

/// The effects of an intent.
#[derive(Clone, Copy, Debug)]
pub struct Effects {
    /// How many.
    pub count: u32,
    /// One of them, or [`NONE`].
    pub first: u32,
    /// Another one, or [`NONE`].
    pub second: u32,
}

const ABSENT: Posted = Posted { legs: 0, debit: NONE, credit: NONE, first_seen: NONE, intent: None, faithful: None };
const NO_EFFECTS: Effects = Effects { count: 0, first: NONE, second: NONE };

impl Books {
    /// Works the books out.
    #[must_use]
    pub fn new(facts: &Facts) -> Self {
        let mut books = Self {
            posted: post(facts),
            effects: vec![NO_EFFECTS; facts.intents.len()],
            complete: facts.audited().is_some(),
            ..Self::default()
        };
        books.index_keys(facts);
        let mut trace = Trace::default();
        for number in 0..books.posted.len() {
            if books.posted[number].legs > 0 {
                books.attribute(facts, &mut trace, Transfer(index(number)));
            }
        }
        books
    }

    /// What the newest reading has of a transfer.
    #[must_use]
    pub fn posted(&self, transfer: Transfer) -> &Posted {
        self.posted.get(transfer.0 as usize).unwrap_or(&ABSENT)
    }

    /// The effects of an intent.
    #[must_use]
    pub fn effects(&self, intent: IntentId) -> &Effects {
        self.effects.get(intent.0 as usize).unwrap_or(&NO_EFFECTS)
    }

    /// What a transfer moves, if it has both of its entries and they cancel out.
    #[must_use]
    pub fn body(&self, facts: &Facts, transfer: Transfer) -> Option<Body> {
        whole(facts, self.posted(transfer))
    }

    /// What a transfer in the journal reverses: as its rows say, or else as its intent asked.
    #[must_use]
    pub fn reversed_by(&self, facts: &Facts, transfer: Transfer) -> Option<Transfer> {
        let posted = self.posted(transfer);
        let row = facts.rows.get(posted.debit.min(posted.credit) as usize)?;
        row.reverses.or_else(|| match facts.intents.get(posted.intent?.0 as usize)?.ask {
            Ask::Reverse(original) => Some(original),
            _ => None,
        })
    }

    /// Every intent that was sent with this key, each with another body.
    pub fn with_key(&self, key: Key) -> impl Iterator<Item = IntentId> {
        let mut next = self.keyed.get(key.0 as usize).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let intent = (next != NONE).then_some(next)?;
            next = self.same_key.get(intent as usize).copied().unwrap_or(NONE);
            Some(IntentId(intent))
        })
    }

    /// Whether this key came with more than one body.
    #[must_use]
    pub fn is_reused(&self, key: Option<Key>) -> bool {
        key.is_some_and(|key| self.with_key(key).nth(1).is_some())
    }

    fn index_keys(&mut self, facts: &Facts) {
        self.same_key = vec![NONE; facts.intents.len()];
        // From the end, so that each chain starts with the earliest intent.
        for (number, intent) in facts.intents.iter().enumerate().rev() {
            let Some(Key(key)) = intent.key else { continue };
            let slot = key as usize;
            if self.keyed.len() <= slot {
                self.keyed.resize(slot + 1, NONE);
            }
            self.same_key[number] = std::mem::replace(&mut self.keyed[slot], index(number));
        }
    }

    fn attribute(&mut self, facts: &Facts, trace: &mut Trace, transfer: Transfer) {
        let posted = *self.posted(transfer);
        let row = facts.rows.get(posted.debit.min(posted.credit) as usize);
        let Some(row) = row else { return };
        let body = whole(facts, &posted);
        let found = self
            .by_key(facts, row, body)
            .or_else(|| self.by_original(facts, trace, transfer, row))
            .or_else(|| self.by_body(facts, trace, transfer, body?))
            .or_else(|| trace.by_answer(facts, transfer));
        let Some(intent) = found else {
            // Half a transfer shows too little to say that nobody asked for it.
            if body.is_some() {
                self.fabricated.push(transfer);
            }
            return;
        };
        let faithful = self.asked(facts, intent).zip(body).map(|(asked, body)| asked == body);
        let slot = &mut self.posted[transfer.0 as usize];
        (slot.intent, slot.faithful) = (Some(intent), faithful);
        let effects = &mut self.effects[intent.0 as usize];
        match effects.count {
            0 => effects.first = transfer.0,
            1 => effects.second = transfer.0,
            _ => {}
        }
        effects.count += 1;
    }

    /// The intent whose key the journal shows: of those with this key the one that asked for just this.
    fn by_key(&self, facts: &Facts, row: &Row, body: Option<Body>) -> Option<IntentId> {
        let matches = |id: &IntentId| match facts.intents[id.0 as usize].ask {
            Ask::Reverse(original) => row.reverses == Some(original),
            _ => row.reverses.is_none() && body.is_some() && self.asked(facts, *id) == body,
        };
        let key = row.key?;
        self.with_key(key).find(matches).or_else(|| self.with_key(key).next())
    }

    /// A reversal without a key: the intent that was answered with it, else one in doubt, else any that is free.
    fn by_original(&self, facts: &Facts, trace: &mut Trace, transfer: Transfer, row: &Row) -> Option<IntentId> {
        let original = row.reverses?;
        if let Some(answered) = trace.by_answer(facts, transfer) {
            return Some(answered);
        }
        self.likeliest(facts, trace.reversals_of(facts, original))
    }

    /// A transfer that shows neither: the intent that asked for just this. A reversal moves what the transfer two
    /// steps back along its chain moves, and its rivals ask for the same.
    fn by_body(&self, facts: &Facts, trace: &mut Trace, transfer: Transfer, body: Body) -> Option<IntentId> {
        let asked = trace.transfer_of(facts, body);
        if trace.reversals_to(facts, self, body).is_empty() {
            return asked;
        }
        let answered = trace.by_answer(facts, transfer);
        let reversals = trace.reversals_to(facts, self, body);
        // A transfer is named, or at least read, before anybody can reverse it, so it is met before its reversals.
        let free = asked.filter(|id| self.effects(*id).count == 0);
        let named = answered.filter(|id| asked == Some(*id) || reversals.contains(id));
        named.or(free).or_else(|| self.likeliest(facts, reversals))
    }

    /// Of several intents that ask for the same: one in doubt, else any without an effect, else the first.
    fn likeliest(&self, facts: &Facts, asked: &[IntentId]) -> Option<IntentId> {
        let free = |id: &&IntentId| self.effects(**id).count == 0;
        let heard = |id: &IntentId| facts.intents[id.0 as usize].heard;
        let doubtful = |id: &&IntentId| heard(id).unknown && !heard(id).ok;
        asked.iter().filter(free).find(doubtful).or_else(|| asked.iter().find(free)).or(asked.first()).copied()
    }

    /// What an intent asked to be moved.
    fn asked(&self, facts: &Facts, intent: IntentId) -> Option<Body> {
        match facts.intents.get(intent.0 as usize)?.ask {
            Ask::Transfer(body) => Some(body),
            Ask::Reverse(original) => self.body(facts, original).map(Body::reversed),
            Ask::Bad { misread, .. } => misread,
            _ => None,
        }
    }
}

fn post(facts: &Facts) -> Vec<Posted> {
    let mut posted = vec![ABSENT; facts.transfers.len()];
    for (number, row) in (0..).zip(&facts.rows) {
        let Some(slot) = posted.get_mut(row.transfer.0 as usize) else { continue };
        slot.first_seen = slot.first_seen.min(row.reading);
        if row.gone.is_none() {
            slot.legs += 1;
            let side = if row.amount < 0 || (row.amount == 0 && slot.debit == NONE) {
                &mut slot.debit
            } else {
                &mut slot.credit
            };
            *side = number;
        }
    }
    posted
}

fn whole(facts: &Facts, posted: &Posted) -> Option<Body> {
    if posted.legs != 2 {
        return None;
    }
    let (debit, credit) = (facts.rows.get(posted.debit as usize)?, facts.rows.get(posted.credit as usize)?);
    let cancels = debit.amount.checked_neg() == Some(credit.amount) && debit.currency == credit.currency;
    let body = Body { from: debit.account, to: credit.account, amount: credit.amount, currency: credit.currency };
    cancels.then_some(body)
}

/// Ways from a transfer without a key to its intent; each table is made when it is first needed.
#[derive(Debug, Default)]
struct Trace {
    bodies: Option<HashMap<Body, IntentId, RandomState>>,
    answers: Option<Vec<u32>>,
    reversals: Option<HashMap<Transfer, Vec<IntentId>, RandomState>>,
    reversed: Option<HashMap<Body, Vec<IntentId>, RandomState>>,
}

impl Trace {
    /// The transfer that asked for this; else a bad request that a careless service could take for it.
    fn transfer_of(&mut self, facts: &Facts, body: Body) -> Option<IntentId> {
        let bodies = self.bodies.get_or_insert_with(|| {
            // A careless reading of a bad request may be what a good one asks for: the good one then comes last, and
            // explains the effect.
            let misread = facts.numbered_intents().filter_map(|(id, intent)| match intent.ask {
                Ask::Bad { misread, .. } => Some((misread?, id)),
                _ => None,
            });
            let asked = facts.numbered_intents().filter_map(|(id, intent)| match intent.ask {
                Ask::Transfer(body) => Some((body, id)),
                _ => None,
            });
            misread.chain(asked).collect()
        });
        bodies.get(&body).copied()
    }

    /// The reversals that would move just this.
    fn reversals_to(&mut self, facts: &Facts, books: &Books, body: Body) -> &[IntentId] {
        let reversed = self.reversed.get_or_insert_with(|| {
            let mut reversed = HashMap::<_, Vec<_>, _>::default();
            for (id, intent) in facts.numbered_intents() {
                if let Ask::Reverse(original) = intent.ask
                    && let Some(body) = books.body(facts, original)
                {
                    reversed.entry(body.reversed()).or_default().push(id);
                }
            }
            reversed
        });
        reversed.get(&body).map_or(&[], |intents| intents)
    }

    fn by_answer(&mut self, facts: &Facts, transfer: Transfer) -> Option<IntentId> {
        let answers = self.answers.get_or_insert_with(|| {
            let mut answers = vec![NONE; facts.transfers.len()];
            for attempt in facts.attempts.iter().rev() {
                if let Answer::Ok { transfer: Some(named) } = attempt.answer {
                    answers[named.0 as usize] = attempt.intent.0;
                }
            }
            answers
        });
        answers.get(transfer.0 as usize).copied().filter(|&intent| intent != NONE).map(IntentId)
    }

    fn reversals_of(&mut self, facts: &Facts, original: Transfer) -> &[IntentId] {
        let reversals = self.reversals.get_or_insert_with(|| {
            let mut reversals = HashMap::<_, Vec<_>, _>::default();
            for (id, intent) in facts.numbered_intents() {
                if let Ask::Reverse(original) = intent.ask {
                    reversals.entry(original).or_default().push(id);
                }
            }
            reversals
        });
        reversals.get(&original).map_or(&[], |intents| intents)
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(NONE)
}
