//! Small histories, in which a target shows anything at all, and a second count of what is wrong with them that goes
//! through every event and every pair of rows.

use std::time::Duration;

use fireassay::history::{
    AttemptId, Call, ClientId, Doubt, End, Event, History, InstanceName, IntentId, Moment, Outcome, Phase, What,
};
use fireassay::profile::Script;
use fireassay::profile::script::{Arrival, Patience};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

pub(crate) const REQUIREMENTS: [&str; 4] =
    ["ordering.contiguous", "ordering.once", "ordering.complete", "ordering.gap"];

/// What was published of one entity, and what the target says of it at the end.
#[derive(Clone, Debug)]
pub(crate) struct Small {
    /// Of each sequence from 1: whether it was published for certain, perhaps, or not at all (`None`).
    published: Vec<Option<bool>>,
    /// The sequences in the log.
    log: Vec<i64>,
    /// Where it stands, and how far the total is off.
    stands: i64,
    off: i64,
    /// The gap that is shown, if one is, and whether it is open.
    gap: Option<(i64, bool)>,
}

/// Any.
pub(crate) fn small() -> impl Strategy<Value = Small> {
    let published =
        prop::collection::vec(prop_oneof![4 => Just(Some(true)), 1 => Just(Some(false)), 2 => Just(None)], 1..5);
    let log =
        prop_oneof![(0..5_i64).prop_map(|last| (1..=last).collect::<Vec<_>>()), prop::collection::vec(1..5_i64, 0..5),];
    let stands = prop_oneof![3 => Just(None), 1 => (0..5_i64).prop_map(Some)];
    let gap = prop::option::of((1..6_i64, any::<bool>()));
    let off = prop_oneof![4 => Just(0), 1 => Just(1_i64)];
    (published, log, stands, off, gap).prop_map(|(published, log, stands, off, gap)| {
        let last = log.iter().copied().max().unwrap_or(0);
        Small { published, stands: stands.unwrap_or(last), log, off, gap }
    })
}

fn amount(sequence: i64) -> i64 {
    100 + sequence
}

impl Small {
    fn certain(&self, sequence: i64) -> bool {
        self.at(sequence) == Some(true)
    }

    fn at(&self, sequence: i64) -> Option<bool> {
        usize::try_from(sequence - 1).ok().and_then(|place| *self.published.get(place)?)
    }

    /// By the second count.
    pub(crate) fn is_wrong(&self, requirement: &str) -> bool {
        let last = self.log.iter().copied().max().unwrap_or(0);
        let is_first = |place: usize| !self.log[..place].contains(&self.log[place]);
        let firsts: Vec<i64> = (0..self.log.len()).filter(|place| is_first(*place)).map(|it| self.log[it]).collect();
        let has = |sequence| self.log.contains(&sequence);
        let numbers = 1..=10_i64;
        match requirement {
            "ordering.contiguous" => (1..).zip(&firsts).any(|(place, sequence)| place != *sequence),
            "ordering.once" => {
                let is_known = (1..=self.stands).all(|sequence| self.at(sequence).is_some());
                firsts.len() < self.log.len() || (is_known && self.off != 0)
            }
            "ordering.complete" => {
                let all_before = |sequence| (1..=sequence).all(|it| self.certain(it));
                numbers.clone().any(|it| all_before(it) && !has(it))
                    || numbers.clone().any(|it| has(it) && self.at(it).is_none())
                    || self.stands != last
            }
            _ => {
                self.is_silent(last)
                    || self.gap.is_some_and(|(at, open)| {
                        (open && has(at)) || !numbers.clone().any(|later| later > at && self.at(later).is_some())
                    })
            }
        }
    }

    /// Whether the first event that never came is not shown, though the entity has come that far and something waits.
    fn is_silent(&self, last: i64) -> bool {
        let Some(missing) = (1..=10_i64).find(|it| self.at(*it).is_none()) else { return false };
        let waits = (missing..=10).any(|later| self.certain(later));
        waits && (last >= missing || (last == missing - 1 && self.gap != Some((missing, true))))
    }

    /// As it would be recorded.
    pub(crate) fn history(&self) -> History {
        let mut events = Vec::new();
        let mut say = |what| events.push(Event { at: Moment(events.len() as u64 * 10_000_000_000), what });
        say(What::Phase { phase: Phase::Setup });
        say(What::Phase { phase: Phase::Load });
        let sent = (1..).zip(&self.published).filter_map(|(sequence, sure)| Some((sequence, (*sure)?)));
        // The last first, so that nothing comes at once behind its successor.
        let sent: Vec<(i64, bool)> = sent.collect();
        for (number, (sequence, sure)) in (0..).zip(sent.into_iter().rev()) {
            let attempt = AttemptId(number);
            let fields = json!({
                "key": format!("k-{number}"), "entity": "e", "sequence": sequence, "amount": amount(sequence), "at": "t",
            });
            let call = Call { operation: "publish".into(), fields: object(fields), raw: None };
            let to = InstanceName { role: "api".into(), number: 1 };
            say(What::Invoke { attempt, intent: IntentId(number), client: ClientId(0), to, call });
            let reply = object(json!({ "partition": 0, "offset": number }));
            let outcome = if sure { Outcome::Ok { status: 0, reply } } else { Outcome::Unknown(Doubt::Timeout) };
            say(What::Return { attempt, outcome });
        }
        say(What::Phase { phase: Phase::Settle });
        say(What::Phase { phase: Phase::Audit });
        let log = (1..).zip(&self.log).map(
            |(position, sequence)| json!({ "position": position, "entity": "e", "sequence": sequence, "event": "k" }),
        );
        let total = (1..=self.stands).map(amount).sum::<i64>() + self.off;
        let gaps = self.gap.map(|(sequence, open)| json!({ "entity": "e", "sequence": sequence, "open": open }));
        let entity = json!({ "entity": "e", "sequence": self.stands, "total": total });
        for (source, added) in
            [("log", log.collect::<Vec<_>>()), ("entities", vec![entity]), ("gaps", gaps.into_iter().collect())]
        {
            say(What::Rows { sent: Moment(0), source: source.into(), added, removed: Vec::new() });
        }
        say(What::Eventless);
        say(What::End { why: End::Completed });
        History { events }
    }
}

/// Nobody does anything.
pub(crate) fn no_script() -> Script {
    let patience = Patience { timeout: Duration::ZERO, attempts: 1, pause: Duration::ZERO };
    let (intents, setup, clients) = (Vec::new(), Vec::new(), Vec::new());
    let (probes, audit, watch) = (Vec::new(), Vec::new(), Vec::new());
    Script { intents, setup, clients, arrival: Arrival::Closed, patience, probes, audit, watch }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("not an object") };
    map
}
