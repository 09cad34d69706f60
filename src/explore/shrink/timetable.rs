//! When everything of a run's load happened: what a smaller script has to keep of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{AttemptId, ClientId, FaultChange, History, IntentId, Moment, Outcome, Phase, What};
use crate::profile::Script;
use crate::profile::script::Arrival;

/// A step of a caller's programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepRef {
    /// The caller.
    pub client: usize,
    /// Which of its steps.
    pub place: usize,
}

/// When the parts of a load happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timetable {
    /// When the load began.
    pub start: Moment,
    /// When it had ended and everything was healed.
    pub end: Moment,
    /// Every attempt of the load, in the order of sending.
    pub attempts: Vec<Sent>,
    /// From the first sending of each step that was sent to the last answer.
    pub steps: BTreeMap<StepRef, Span>,
    /// By step of the plan.
    pub faults: Vec<Done>,
}

/// An attempt of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When.
    pub at: Moment,
    /// Which step sent it; `None` where the script does not say.
    pub step: Option<StepRef>,
}

/// A stretch of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub first: Moment,
    /// Its last.
    pub last: Moment,
}

/// What became of a step of the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// When it was injected; `None`: never.
    pub injected: Option<Moment>,
    /// When it was healed, if the history says so.
    pub healed: Option<Moment>,
    /// How many attempts of the load had been sent by the time it was injected.
    pub after: usize,
}

impl Span {
    /// Whether the two share a moment.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl Timetable {
    /// Reads the load of a run of `script` whose plan has `faults` steps.
    #[must_use]
    pub fn read(script: &Script, faults: usize, history: &History) -> Self {
        let mut table = Self { faults: vec![Done::default(); faults], ..Self::default() };
        let mut reader = Reader { script, callers: BTreeMap::new(), open: BTreeMap::new(), load: false };
        for event in &history.events {
            if let What::Phase { phase } = &event.what {
                reader.load = *phase == Phase::Load;
                match phase {
                    Phase::Load => table.start = event.at,
                    Phase::Settle => table.end = event.at,
                    _ => {}
                }
            }
            reader.read(&mut table, event.at, &event.what);
        }
        if table.end < table.start {
            table.end = history.events.last().map_or(table.start, |event| event.at);
        }
        // What was never answered was under way until the end.
        for step in reader.open.into_values() {
            table.extend(step, table.end);
        }
        table
    }

    fn extend(&mut self, step: StepRef, at: Moment) {
        let span = self.steps.entry(step).or_insert(Span { first: at, last: at });
        span.last = span.last.max(at);
    }
}

struct Reader<'a> {
    script: &'a Script,
    callers: BTreeMap<usize, Caller>,
    open: BTreeMap<AttemptId, StepRef>,
    load: bool,
}

/// How far a caller has come in its programme.
#[derive(Default)]
struct Caller {
    place: usize,
    sent: u32,
    answered: BTreeSet<usize>,
}

impl Reader<'_> {
    fn read(&mut self, table: &mut Timetable, at: Moment, what: &What) {
        match what {
            What::Invoke { attempt, intent, client, .. } if self.load => {
                let step = self.step_of(*client, *intent, at.0 - table.start.0.min(at.0));
                table.attempts.push(Sent { at, step });
                if let Some(step) = step {
                    table.extend(step, at);
                    self.open.insert(*attempt, step);
                }
            }
            What::Return { attempt, outcome } => {
                let Some(step) = self.open.remove(attempt) else { return };
                table.extend(step, at);
                if matches!(outcome, Outcome::Ok { .. } | Outcome::Refused { status: Some(_), .. }) {
                    self.callers.entry(step.client).or_default().answered.insert(step.place);
                }
            }
            What::Fault { step, change } => {
                let attempts = table.attempts.len();
                let Some(done) = table.faults.get_mut(usize::from(step.0)) else { return };
                match change {
                    FaultChange::Injected(_) => (done.injected, done.after) = (Some(at), attempts),
                    FaultChange::Healed(_) => done.healed = Some(at),
                    FaultChange::Bit(_) | FaultChange::Missed(_) => {}
                }
            }
            _ => {}
        }
    }

    /// The step that sends this intent now.
    fn step_of(&mut self, client: ClientId, intent: IntentId, since_start: u64) -> Option<StepRef> {
        let client = usize::from(client.0);
        let steps = self.script.clients.get(client)?;
        let sends = |place: &usize| steps.get(*place).is_some_and(|step| step.intent == intent);
        let place = match self.script.arrival {
            // Steps overlap; each is sent when it is due, and what comes later is sent again.
            Arrival::Open => {
                let due = |place: &usize| steps[*place].after.as_nanos() <= u128::from(since_start);
                (0..steps.len()).filter(sends).rfind(due)?
            }
            Arrival::Closed => {
                let caller = self.callers.entry(client).or_default();
                let copies = u32::from(steps.get(caller.place)?.copies.max(1));
                let goes_on = caller.sent < copies || !caller.answered.contains(&caller.place);
                if !(sends(&caller.place) && goes_on) {
                    // A step whose reply to bind to is missing is left out, so the next one may be further on.
                    caller.place = (caller.place + 1..steps.len()).find(sends)?;
                    caller.sent = 0;
                }
                caller.sent += 1;
                caller.place
            }
        };
        Some(StepRef { client, place })
    }
}
