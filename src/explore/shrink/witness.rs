//! Where to begin: what an anomaly names, and what was going on around it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};

use super::cut::{Base, Keep};
use super::timetable::{Span, StepRef};
use crate::fault::Heal;
use crate::history::{AttemptId, FaultChange, History, IntentId, Moment, Outcome, What};
use crate::judgement::{Anomaly, Witness};
use crate::profile::Profile;

/// A word that stands in the calls or replies of more intents than this names none of them.
const NAMED_MAX: usize = 4;

/// How long after its operations an anomaly may have come about: what is done later, as publishing, takes its time.
const LATER: Duration = Duration::from_secs(2);

/// Larger and larger beginnings of a search: what the anomaly names; with the faults that came soon after; with everything
/// that touches the same accounts until then; with all that was under way at the time; with all that had been sent by then.
#[must_use]
pub fn ladder(base: &Base, history: &History, profile: &dyn Profile, anomaly: &Anomaly) -> Vec<Keep> {
    let named = Named::read(history, anomaly);
    let everything = base.everything();
    let of_intents = |intents: &BTreeSet<IntentId>| -> BTreeSet<StepRef> {
        let sends = |step: &&StepRef| base.step(**step).is_some_and(|step| intents.contains(&step.intent));
        everything.steps.iter().filter(sends).copied().collect()
    };
    let own = of_intents(&with_bound(base, &named.intents));
    let times = |steps: &BTreeSet<StepRef>| {
        let spans = || steps.iter().filter_map(|step| base.times.steps.get(step));
        let (first, last) = (spans().map(|span| span.first).min(), spans().map(|span| span.last).max());
        first.zip(last).map(|(first, last)| Span { first, last })
    };
    // An anomaly that names no step is about the whole, or about what came after the load.
    let around = times(&own).unwrap_or(Span { first: base.times.start, last: base.times.end });
    let until = |step: &&StepRef| base.times.steps.get(*step).is_some_and(|span| span.first <= around.last);
    let accounts: BTreeSet<String> = named.intents.iter().flat_map(|intent| touched(base, profile, *intent)).collect();
    let neighbours: BTreeSet<IntentId> = (0..u32::try_from(base.case.script.intents.len()).unwrap_or(u32::MAX))
        .map(IntentId)
        .filter(|intent| touched(base, profile, *intent).iter().any(|account| accounts.contains(account)))
        .collect();
    let neighbours = of_intents(&with_bound(base, &neighbours)).iter().filter(until).copied().collect();
    let meets = |step: &&StepRef| base.times.steps.get(*step).is_some_and(|span| span.meets(around));
    let meanwhile = everything.steps.iter().filter(meets).copied().collect();
    let before = everything.steps.iter().filter(until).copied().collect();
    let steps: [BTreeSet<StepRef>; 4] = [own.clone(), &own | &neighbours, &own | &meanwhile, &own | &before];

    let in_force = |index: &usize| {
        base.times.faults.get(*index).is_some_and(|done| {
            let first = done.injected.unwrap_or(Moment(u64::MAX));
            Span { first, last: done.healed.unwrap_or(Moment(u64::MAX)) }.meets(around)
        })
    };
    let due = |index: &usize| {
        base.times.faults.get(*index).and_then(|done| done.injected).is_some_and(|at| at <= around.last)
    };
    let near: BTreeSet<_> =
        everything.faults.iter().filter(|index| named.faults.contains(index) || in_force(index)).copied().collect();
    let early: BTreeSet<_> =
        everything.faults.iter().filter(|index| near.contains(index) || due(index)).copied().collect();
    let soon = Span { first: around.first, last: Moment(around.last.0.saturating_add(nanos(LATER))) };
    let comes_soon = |index: &usize| {
        let injected = base.times.faults.get(*index).and_then(|done| done.injected);
        injected.is_some_and(|at| soon.meets(Span { first: at, last: at }))
    };
    let late: BTreeSet<_> =
        everything.faults.iter().filter(|index| near.contains(index) || comes_soon(index)).copied().collect();
    let open = &own | &closing(base, &everything, &late);

    let mut rungs: Vec<Keep> = Vec::new();
    let beginnings = [(open, &late)].into_iter().chain(steps.into_iter().zip([&near, &near, &near, &early]));
    for (steps, faults) in beginnings {
        let keep = Keep { steps, faults: faults.clone() };
        if !keep.steps.is_empty() && keep != everything && !rungs.contains(&keep) {
            rungs.push(keep);
        }
    }
    rungs.sort_by_key(|keep| keep.steps.len());
    rungs
}

/// The first step that was sent once all these faults had been injected, and undone if they last for a time of their own,
/// or the one that was answered last: the load ends with its last answer, and faults that are due later are not injected any more.
fn closing(base: &Base, everything: &Keep, faults: &BTreeSet<usize>) -> BTreeSet<StepRef> {
    let over = faults.iter().filter_map(|index| {
        let done = base.times.faults.get(*index)?;
        let lasts = matches!(base.case.plan.steps.get(*index)?.heal, Heal::After(_));
        done.healed.filter(|_| lasts).or(done.injected)
    });
    let Some(over) = over.max() else { return BTreeSet::new() };
    let first = |step: &StepRef| base.times.steps.get(step).map(|span| span.first);
    let later = everything.steps.iter().filter(|step| first(step).is_some_and(|first| first >= over));
    let last = || everything.steps.iter().max_by_key(|step| base.times.steps.get(step).map(|span| span.last));
    later.min_by_key(|step| first(step)).or_else(last).copied().into_iter().collect()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn touched(base: &Base, profile: &dyn Profile, intent: IntentId) -> Vec<String> {
    base.case.script.intents.get(intent.0 as usize).map_or_else(Vec::new, |intent| profile.touches(&intent.call))
}

/// With the intents whose replies these need.
fn with_bound(base: &Base, intents: &BTreeSet<IntentId>) -> BTreeSet<IntentId> {
    let mut all = intents.clone();
    let mut open: Vec<_> = intents.iter().copied().collect();
    while let Some(intent) = open.pop() {
        let binds = base.case.script.intents.get(intent.0 as usize).map_or(&[][..], |intent| &intent.binds);
        open.extend(binds.iter().map(|bind| bind.intent).filter(|other| all.insert(*other)));
    }
    all
}

/// What an anomaly names.
struct Named {
    intents: BTreeSet<IntentId>,
    faults: BTreeSet<usize>,
}

impl Named {
    fn read(history: &History, anomaly: &Anomaly) -> Self {
        let words = Words::read(history);
        let mut named = Self { intents: BTreeSet::new(), faults: BTreeSet::new() };
        for witness in &anomaly.witnesses {
            match witness {
                Witness::Intent(intent) => _ = named.intents.insert(*intent),
                Witness::Attempt(attempt) => named.intents.extend(words.attempts.get(attempt)),
                Witness::Fault(step) => _ = named.faults.insert(usize::from(step.0)),
                Witness::Event(event) => match history.events.get(*event as usize).map(|event| &event.what) {
                    Some(What::Invoke { intent, .. }) => _ = named.intents.insert(*intent),
                    Some(What::Return { attempt, .. }) => named.intents.extend(words.attempts.get(attempt)),
                    Some(What::Record(record)) => named.intents.extend(words.named_in(&record.fields)),
                    Some(What::Fault { step, change: FaultChange::Injected(_) }) => {
                        named.faults.insert(usize::from(step.0));
                    }
                    _ => {}
                },
                Witness::Rows { event, rows, removed } => {
                    let Some(What::Rows { added, removed: gone, .. }) =
                        history.events.get(*event as usize).map(|event| &event.what)
                    else {
                        continue;
                    };
                    let list = if *removed { gone } else { added };
                    let rows = rows.iter().filter_map(|row| list.get(*row as usize)?.as_object());
                    named.intents.extend(rows.flat_map(|row| words.named_in(row)));
                }
            }
        }
        named
    }
}

/// Which intents spoke of what: ids and keys name a few, currencies and hot accounts many.
struct Words {
    attempts: BTreeMap<AttemptId, IntentId>,
    spoken: BTreeMap<String, BTreeSet<IntentId>>,
}

impl Words {
    fn read(history: &History) -> Self {
        let mut words = Self { attempts: BTreeMap::new(), spoken: BTreeMap::new() };
        for event in &history.events {
            match &event.what {
                What::Invoke { attempt, intent, call, .. } => {
                    words.attempts.insert(*attempt, *intent);
                    words.add(*intent, &call.fields);
                }
                What::Return { attempt, outcome: Outcome::Ok { reply, .. } | Outcome::Refused { reply, .. } } => {
                    if let Some(intent) = words.attempts.get(attempt).copied() {
                        words.add(intent, reply);
                    }
                }
                _ => {}
            }
        }
        words
    }

    fn add(&mut self, intent: IntentId, fields: &Map<String, Value>) {
        for word in fields.values().filter_map(Value::as_str) {
            self.spoken.entry(word.to_owned()).or_default().insert(intent);
        }
    }

    fn named_in(&self, fields: &Map<String, Value>) -> BTreeSet<IntentId> {
        let words = fields.values().filter_map(Value::as_str).filter_map(|word| self.spoken.get(word));
        words.filter(|intents| intents.len() <= NAMED_MAX).flatten().copied().collect()
    }
}
