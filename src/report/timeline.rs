//! The part of a history that shows an anomaly: what its witnesses point at, and the faults in whose shadow it happened.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::phrase;
use super::story::{Kind, Line};
use super::text::{count, piece};
use crate::history::{
    AttemptId, Call, ClientId, Event, FaultChange, History, InstanceName, IntentId, Moment, Outcome, StepId, What,
};
use crate::judgement::Witness;

/// The most lines of context: faults and ends of processes that no witness names.
const CONTEXT_LINES_MAX: usize = 5;

/// The lines around the witnesses in the order of time, `lines_max` at most; the middle is left out first.
pub(super) fn timeline(witnesses: &[Witness], history: &History, lines_max: usize) -> Vec<Line> {
    let wanted = Wanted::of(witnesses, history);
    let mut teller = Teller::new(history);
    let mut told: Vec<(usize, Vec<Line>)> = Vec::new();
    for (index, event) in history.events.iter().enumerate() {
        teller.follow(event);
        if wanted.contains(index, event, &teller) {
            told.push((index, teller.tell(event, wanted.rows.get(&index))));
        }
    }
    told.extend(context(&told, history, &teller));
    told.sort_by_key(|(index, _)| *index);
    told.dedup_by_key(|(index, _)| *index);
    shorten(told.into_iter().flat_map(|(_, lines)| lines).collect(), lines_max)
}

/// What the witnesses point at.
#[derive(Default)]
struct Wanted {
    intents: HashSet<IntentId>,
    attempts: HashSet<AttemptId>,
    steps: HashSet<StepId>,
    events: HashSet<usize>,
    /// By event: which of the rows added and of the rows removed.
    rows: BTreeMap<usize, [BTreeSet<usize>; 2]>,
}

impl Wanted {
    fn of(witnesses: &[Witness], history: &History) -> Self {
        let mut wanted = Self::default();
        for witness in witnesses {
            match witness {
                Witness::Intent(intent) => drop(wanted.intents.insert(*intent)),
                Witness::Attempt(attempt) => drop(wanted.attempts.insert(*attempt)),
                Witness::Fault(step) => drop(wanted.steps.insert(*step)),
                Witness::Event(index) => wanted.add_event(*index as usize, history),
                Witness::Rows { event, rows, removed } => {
                    let sides = wanted.rows.entry(*event as usize).or_default();
                    sides[usize::from(*removed)].extend(rows.iter().map(|row| *row as usize));
                }
            }
        }
        wanted
    }

    /// An answer is not understood without its question, nor the other way round.
    fn add_event(&mut self, index: usize, history: &History) {
        match history.events.get(index).map(|event| &event.what) {
            Some(What::Invoke { attempt, .. } | What::Return { attempt, .. }) => drop(self.attempts.insert(*attempt)),
            _ => drop(self.events.insert(index)),
        }
    }

    fn contains(&self, index: usize, event: &Event, teller: &Teller<'_>) -> bool {
        let names = match &event.what {
            What::Invoke { attempt, intent, .. } => self.attempts.contains(attempt) || self.intents.contains(intent),
            What::Return { attempt, .. } => {
                let intent = teller.sent.get(attempt).map(|sent| sent.intent);
                self.attempts.contains(attempt) || intent.is_some_and(|intent| self.intents.contains(&intent))
            }
            What::Fault { step, .. } => self.steps.contains(step),
            _ => false,
        };
        names || self.events.contains(&index) || self.rows.contains_key(&index)
    }
}

/// Puts events into words; knows what was sent before.
struct Teller<'a> {
    sent: HashMap<AttemptId, Sent<'a>>,
    /// How many attempts each intent has in the whole history.
    attempts: HashMap<IntentId, u32>,
    begun: HashMap<IntentId, u32>,
}

struct Sent<'a> {
    intent: IntentId,
    client: ClientId,
    to: &'a InstanceName,
    call: &'a Call,
    /// Counted from 1.
    nth: u32,
}

impl<'a> Teller<'a> {
    fn new(history: &History) -> Self {
        let mut attempts = HashMap::new();
        for event in &history.events {
            if let What::Invoke { intent, .. } = event.what {
                *attempts.entry(intent).or_default() += 1;
            }
        }
        Self { sent: HashMap::new(), attempts, begun: HashMap::new() }
    }

    fn follow(&mut self, event: &'a Event) {
        if let What::Invoke { attempt, intent, client, to, call } = &event.what {
            let nth = self.begun.entry(*intent).or_default();
            *nth += 1;
            self.sent.insert(*attempt, Sent { intent: *intent, client: *client, to, call, nth: *nth });
        }
    }

    fn tell(&self, event: &Event, rows: Option<&[BTreeSet<usize>; 2]>) -> Vec<Line> {
        let line = |kind, text: String| vec![Line::at(event.at, kind, text)];
        match &event.what {
            What::Phase { phase } => line(Kind::Process, format!("the {phase:?} phase begins").to_lowercase()),
            What::Invoke { attempt, .. } => match self.sent.get(attempt) {
                Some(sent) => line(Kind::Exchange, self.request(sent)),
                None => Vec::new(),
            },
            What::Return { attempt, outcome } => line(kind_of(outcome), self.answer(self.sent.get(attempt), outcome)),
            What::Fault { step, change } => line(Kind::Fault, fault(*step, change)),
            What::Process { name, change } => {
                line(Kind::Process, format!("{} {}", piece(name), phrase::process(change)))
            }
            What::Rows { source, added, removed, .. } => read_back(event.at, source, added, removed, rows),
            What::Planted(planted) => line(Kind::Fault, phrase::planted(planted)),
            What::Played(played) => line(Kind::Exchange, phrase::played(played)),
            What::Words { place, found } => line(Kind::Row, phrase::found(place, found)),
            What::Record(record) => line(Kind::Row, phrase::record(record)),
            What::Exchange(exchange) => line(Kind::Exchange, phrase::exchange(exchange)),
            What::Reproduced { topic, partition, of, offset } => {
                let topic = piece(topic);
                line(Kind::Fault, format!("{topic}/{partition} offset {of} appended again as {offset}"))
            }
            What::Rested => line(Kind::Process, "the target is at rest".to_owned()),
            What::Eventless => line(Kind::Process, "no event topic is declared: no event is waited for".to_owned()),
            What::EventsRead => line(Kind::Process, "the event topic has been read to its end".to_owned()),
            What::Unsettled { owed } => line(Kind::Gap, format!("deadline, still owed: {}", piece(owed))),
            What::Blind { why } => line(Kind::Gap, format!("not seen: {}", piece(why))),
            What::Note { text } => line(Kind::Gap, format!("note: {}", piece(text))),
            What::End { why } => line(Kind::Process, format!("the run ended: {why:?}").to_lowercase()),
        }
    }

    fn request(&self, sent: &Sent<'_>) -> String {
        let Sent { client, to, call, nth, .. } = sent;
        let several = self.attempts.get(&sent.intent).is_some_and(|attempts| *attempts > 1);
        let which = if several { format!("   ({} attempt)", ordinal(*nth)) } else { String::new() };
        format!("client {} → {}   {}{which}", client.0, piece(&to.to_string()), phrase::call(call))
    }

    fn answer(&self, sent: Option<&Sent<'_>>, outcome: &Outcome) -> String {
        let what = phrase::outcome(outcome);
        match sent {
            Some(Sent { client, to, call, .. }) => {
                format!("client {} ← {}   {}: {what}", client.0, piece(&to.to_string()), phrase::call_name(call))
            }
            None => format!("← {what}"),
        }
    }
}

fn kind_of(outcome: &Outcome) -> Kind {
    if matches!(outcome, Outcome::Unknown(_)) { Kind::Doubt } else { Kind::Exchange }
}

fn fault(step: StepId, change: &FaultChange) -> String {
    let number = u32::from(step.0) + 1;
    match change {
        FaultChange::Injected(what) => format!("✂ {} (fault {number})", piece(what)),
        FaultChange::Bit(evidence) => format!("✂ fault {number} bit: {}", piece(evidence)),
        FaultChange::Healed(what) => format!("✂ fault {number} undone: {}", piece(what)),
        FaultChange::Missed(why) => format!("✂ fault {number} made no difference: {}", piece(why)),
    }
}

fn read_back(
    at: Moment,
    source: &str,
    added: &[Value],
    removed: &[Value],
    rows: Option<&[BTreeSet<usize>; 2]>,
) -> Vec<Line> {
    let source = piece(source);
    let Some([of_added, of_removed]) = rows else {
        let text = format!("{source} read back: {} added, {} removed", count(added.len() as u64, "row"), removed.len());
        return vec![Line::at(at, Kind::Row, text)];
    };
    let gone = of_removed
        .iter()
        .filter_map(|row| removed.get(*row))
        .map(|row| format!("{source} no longer has {}", phrase::row(row)));
    let new = of_added.iter().filter_map(|row| added.get(*row)).map(|row| format!("{source} {}", phrase::row(row)));
    gone.chain(new).map(|text| Line::at(at, Kind::Row, text)).collect()
}

/// Faults and unplanned ends of processes from shortly before the first witness to the last exchange.
fn context(told: &[(usize, Vec<Line>)], history: &History, teller: &Teller<'_>) -> Vec<(usize, Vec<Line>)> {
    /// How long before the first exchange a fault may lie and still be part of the story, in nanoseconds.
    const BEFORE_NANOS: u64 = 500_000_000;
    let is_exchange = |index: &usize| {
        matches!(history.events.get(*index).map(|event| &event.what), Some(What::Invoke { .. } | What::Return { .. }))
    };
    let mut exchanges = told.iter().map(|(index, _)| *index).filter(is_exchange);
    let (Some(first), last) = (exchanges.next(), exchanges.next_back()) else { return Vec::new() };
    let last = last.unwrap_or(first);
    let from = history.events[first].at.0.saturating_sub(BEFORE_NANOS);
    let in_words = |(index, event): (usize, &Event)| match &event.what {
        What::Fault { change: FaultChange::Injected(_) | FaultChange::Bit(_), .. }
        | What::Process { change: crate::history::ProcessChange::Exited { expected: false, .. }, .. } => {
            Some((index, teller.tell(event, None)))
        }
        _ => None,
    };
    let window = history.events.iter().enumerate().take(last + 1).filter(|(_, event)| event.at.0 >= from);
    let mut lines: Vec<_> = window.filter_map(in_words).collect();
    // The latest stand nearest to what they caused.
    lines.drain(..lines.len().saturating_sub(CONTEXT_LINES_MAX));
    lines
}

/// Keeps the beginning and the end, and says how much is missing between them.
fn shorten(mut lines: Vec<Line>, lines_max: usize) -> Vec<Line> {
    if lines.len() > lines_max {
        let tail = lines_max / 2;
        let head = lines_max - tail - 1;
        let missing = lines.len() - head - tail;
        lines.splice(
            head..lines.len() - tail,
            [Line::new(Kind::Gap, format!("            … {} left out", count(missing as u64, "line")))],
        );
    }
    lines
}

fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (1, n) if n != 11 => "st",
        (2, n) if n != 12 => "nd",
        (3, n) if n != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::history;

    fn told(witnesses: &[Witness], lines_max: usize) -> Vec<String> {
        timeline(witnesses, &history(), lines_max).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_attempt_is_told_with_its_answer_and_the_fault_that_struck_it() {
        let lines = told(&[Witness::Attempt(AttemptId(0))], 20);
        let has = |text: &str| lines.iter().any(|line| line.contains(text));
        assert!(has("client 3 → api-2   transfer k-0") && has("no answer: connection reset"), "{lines:#?}");
        assert!(has("✂ kill api-2 (fault 1)"), "{lines:#?}");
        assert!(!has("k-1"), "another intent is no part of this story: {lines:#?}");
    }

    #[test]
    fn a_long_story_keeps_its_beginning_and_its_end() {
        let all = told(&[Witness::Intent(IntentId(0)), Witness::Intent(IntentId(1)), Witness::Event(9)], 20);
        let short = told(&[Witness::Intent(IntentId(0)), Witness::Intent(IntentId(1)), Witness::Event(9)], 5);
        assert_eq!((short.len(), &short[0], short.last()), (5, &all[0], all.last()));
        assert!(short[2].contains(&format!("{} lines left out", all.len() - 4)), "{short:#?}");
    }

    #[test]
    fn witnesses_that_point_nowhere_are_harmless() {
        let rows = |event, row| Witness::Rows { event, rows: vec![row], removed: true };
        let nowhere = [Witness::Event(999), Witness::Intent(IntentId(u32::MAX)), rows(9, 77), rows(0, 0), rows(999, 0)];
        assert!(told(&nowhere, 20).iter().all(|line| line.contains("phase")), "{:#?}", told(&nowhere, 20));
    }
}
