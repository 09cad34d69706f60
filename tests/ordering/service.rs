//! A simulated consumer of sequenced events, right unless it has a defect, and what it shows of itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// A millisecond of simulated time.
pub(crate) const MS: u64 = 1_000_000;

/// How long it waits for a missing event before it says so.
const PATIENCE: u64 = 1_500 * MS;

/// What a simulated service does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Applies what is newer than all before it.
    SkipsWhatIsLate,
    /// Goes by timestamps.
    TrustsTimestamps,
    /// Applies what waits once more when it is released.
    ReleasesTwice,
    /// Counts what comes again, and does not note it.
    CountsAgain,
    /// Tells of an event under another name the second time.
    Renames,
    /// Drops every ninth event.
    DropsSome,
    /// Takes something out of the log again.
    Forgets,
    /// Applies events that nobody published.
    Invents,
    /// Shows an entity where its log does not end.
    ShowsOtherwise,
    /// Shows an entity where it was before.
    StepsBack,
    /// Does not tell of some events.
    KeepsQuiet,
    /// Tells of an entity in two partitions.
    Scatters,
    /// Tells of the later event first.
    TellsBackwards,
    /// Does not surface gaps.
    NeverSurfaces,
    /// Surfaces whatever is out of order.
    SurfacesAtOnce,
    /// Passes over what does not come.
    PassesOver,
    /// Leaves gaps open that were filled.
    LeavesOpen,
    /// Surfaces gaps of entities that have none.
    CriesWolf,
    /// Lets a partition wait for the missing event.
    StopsPartition,
    /// Loses what it holds back when it ends.
    HoldsInMemory,
    /// Applies nothing new after the load.
    StaysDown,
}

/// An event as the consumer reads it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) key: String,
    pub(crate) entity: String,
    pub(crate) sequence: i64,
    pub(crate) amount: i64,
    pub(crate) at: String,
}

/// What is told of an event that was applied.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) partition: i32,
    pub(crate) key: String,
    pub(crate) entity: String,
    pub(crate) sequence: i64,
}

#[derive(Clone, Debug, Default)]
struct Entity {
    sequence: i64,
    total: i64,
    held: BTreeMap<i64, Event>,
    waiting_since: Option<u64>,
    latest: String,
}

/// The service.
#[derive(Debug)]
pub(crate) struct Service {
    defect: Option<Defect>,
    entities: BTreeMap<String, Entity>,
    log: Vec<(String, i64, String)>,
    gaps: BTreeMap<(String, i64), bool>,
    /// What is to be published.
    pub(crate) told: Vec<Told>,
    taken: u64,
    reads: u64,
    blocked: BTreeSet<i32>,
    pub(crate) load_is_over: bool,
}

impl Service {
    pub(crate) fn new(defect: Option<Defect>) -> Self {
        let (entities, log, gaps) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let (told, blocked) = (Vec::new(), BTreeSet::new());
        Self { defect, entities, log, gaps, told, taken: 0, reads: 0, blocked, load_is_over: false }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// Deals with a record.
    pub(crate) fn take(&mut self, event: Event, partition: i32, now: u64) {
        self.taken += 1;
        let is_dropped = self.has(Defect::DropsSome) && self.taken.is_multiple_of(9);
        let is_down = self.has(Defect::StaysDown) && self.load_is_over;
        if is_dropped || is_down || self.blocked.contains(&partition) {
            return;
        }
        let entity = self.entities.entry(event.entity.clone()).or_default().clone();
        let distance = match self.defect {
            Some(Defect::SkipsWhatIsLate) => i64::from(event.sequence > entity.sequence),
            Some(Defect::TrustsTimestamps) => i64::from(event.at > entity.latest),
            _ => event.sequence - entity.sequence,
        };
        match distance {
            1 => self.apply(&event, now),
            ..=0 if self.has(Defect::CountsAgain) => self.of(&event.entity).total += event.amount,
            ..=0 if self.has(Defect::Renames) => {
                let key = format!("{}-again", event.key);
                self.tell(&Event { key, ..event });
            }
            ..=0 => {}
            _ if self.has(Defect::StopsPartition) => _ = self.blocked.insert(partition),
            _ => {
                if self.has(Defect::SurfacesAtOnce) {
                    self.gaps.insert((event.entity.clone(), entity.sequence + 1), true);
                }
                let waiting = self.of(&event.entity);
                waiting.waiting_since.get_or_insert(now);
                waiting.held.insert(event.sequence, event);
            }
        }
    }

    /// Surfaces what has waited long enough.
    pub(crate) fn look(&mut self, now: u64) {
        let overdue = |entity: &Entity| entity.waiting_since.is_some_and(|since| since + PATIENCE <= now);
        let names: Vec<_> = self.entities.iter().filter(|(_, it)| overdue(it)).map(|(name, _)| name.clone()).collect();
        for name in names {
            let missing = self.entities[&name].sequence + 1;
            match self.defect {
                Some(Defect::NeverSurfaces) => {}
                Some(Defect::PassesOver) => {
                    let first = self.of(&name).held.pop_first();
                    first.into_iter().for_each(|(_, event)| self.apply(&event, now));
                }
                _ => _ = self.gaps.entry((name, missing)).or_insert(true),
            }
        }
    }

    /// Its process ends.
    pub(crate) fn die(&mut self) {
        if self.has(Defect::HoldsInMemory) {
            self.entities.values_mut().for_each(|entity| entity.held.clear());
        }
    }

    fn of(&mut self, name: &str) -> &mut Entity {
        self.entities.entry(name.to_owned()).or_default()
    }

    fn apply(&mut self, event: &Event, now: u64) {
        let mut next = Some(event.clone());
        let mut is_released = false;
        while let Some(event) = next {
            let twice = is_released && self.has(Defect::ReleasesTwice);
            let entity = self.of(&event.entity);
            entity.total += event.amount * if twice { 2 } else { 1 };
            entity.sequence = event.sequence;
            entity.latest = entity.latest.clone().max(event.at.clone());
            next = entity.held.remove(&(event.sequence + 1));
            entity.waiting_since = if entity.held.is_empty() { None } else { Some(now) };
            for _ in 0..if twice { 2 } else { 1 } {
                self.log.push((event.entity.clone(), event.sequence, event.key.clone()));
            }
            let filled = (event.entity.clone(), event.sequence);
            if let Some(open) = self.gaps.get_mut(&filled) {
                *open = self.defect == Some(Defect::LeavesOpen);
            }
            self.tell(&event);
            is_released = true;
        }
    }

    fn tell(&mut self, event: &Event) {
        let Event { key, entity, sequence, .. } = event.clone();
        if self.has(Defect::KeepsQuiet) && sequence == 2 {
            return;
        }
        let mut partition = partition_of(&entity);
        if self.has(Defect::Scatters) {
            partition = (partition + i32::try_from(sequence % 2).unwrap()) % 4;
        }
        let told = Told { partition, key, entity, sequence };
        if self.has(Defect::TellsBackwards) && sequence == 2 {
            let before = self.told.iter().rposition(|it| it.entity == told.entity);
            return self.told.insert(before.unwrap_or(self.told.len()), told);
        }
        self.told.push(told);
    }

    /// The rows of a reading.
    pub(crate) fn rows(&mut self, source: &str) -> Vec<Value> {
        self.reads += 1;
        match source {
            "log" => {
                let rows = (1..).zip(&self.log).map(|(position, (entity, sequence, event))| {
                    json!({ "position": position, "entity": entity, "sequence": sequence, "event": event })
                });
                let mut rows: Vec<_> = rows.collect();
                if self.has(Defect::Invents) && rows.len() > 20 {
                    rows.push(json!({ "position": 0, "entity": "e-9999", "sequence": 1, "event": "k-x" }));
                }
                if self.has(Defect::Forgets) && rows.len() > 60 {
                    rows.remove(10);
                }
                rows
            }
            "entities" => {
                let rows = self.entities.iter().map(|(name, entity)| {
                    let back = match self.defect {
                        Some(Defect::ShowsOtherwise) if name == "e-0001" => 1,
                        Some(Defect::StepsBack) if name == "e-0002" && self.reads.is_multiple_of(2) => {
                            entity.sequence.min(3)
                        }
                        _ => 0,
                    };
                    json!({ "entity": name, "sequence": entity.sequence - back, "total": entity.total })
                });
                let invented = self.has(Defect::Invents) && self.log.len() > 20;
                rows.chain(invented.then(|| json!({ "entity": "e-9999", "sequence": 1, "total": 5 }))).collect()
            }
            _ => {
                let wolf = self.has(Defect::CriesWolf).then(|| ("e-0003".to_owned(), 900));
                let gaps = self.gaps.iter().map(|(at, open)| (at.clone(), *open)).chain(wolf.map(|at| (at, true)));
                gaps.map(|((entity, sequence), open)| json!({ "entity": entity, "sequence": sequence, "open": open }))
                    .collect()
            }
        }
    }
}

/// Where the events of an entity are.
pub(crate) fn partition_of(entity: &str) -> i32 {
    i32::try_from(entity.bytes().map(u32::from).sum::<u32>() % 4).unwrap()
}
