//! Small changes to a history, of every kind that the plain restatements look at.

use fireassay::history::{Doubt, FaultChange, History, Moment, Outcome, Phase, ProcessChange, What};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

/// One change.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// An answer is another one.
    Answer(Index, Outcome),
    /// A balance is another one, or a list of entries shorter.
    View(Index, i64),
    /// What was acknowledged is another transfer.
    Rename(Index, Index),
    /// A row is not there, has another amount, another account, cannot be read, or its transfer is there twice.
    Row(Index, Index, Rows),
    /// An event other than an invocation is not there.
    Drop(Index),
    /// An event other than an invocation is there twice.
    Twice(Index),
    /// Two events that follow each other came the other way round.
    Swap(Index),
    /// From here on everything is later, by so many milliseconds.
    Later(Index, u64),
    /// A process ended in another way.
    Exit(Index, &'static str, bool),
    /// A process ended that did not.
    Crash(Index, u16),
    /// What became of a fault was the other thing.
    Fault(Index),
    /// The instance answered some attempt that it had not got, or the other way round: the first answer becomes this
    /// one for all attempts of an instance in a stretch of the history.
    Silence(Index, u16, Outcome),
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rows {
    Gone,
    Amount,
    Account,
    Unreadable,
    Twin,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let status = |status| Outcome::Unknown(Doubt::Status { status, body: String::new() });
    let refused = |status| Outcome::Refused { status, why: "spoilt".into(), reply: Map::new() };
    prop_oneof![
        Just(Outcome::Unknown(Doubt::Timeout)),
        Just(Outcome::Unknown(Doubt::Reset("spoilt".into()))),
        Just(Outcome::Unknown(Doubt::Unreadable("spoilt".into()))),
        Just(Outcome::Unknown(Doubt::Abandoned)),
        prop::sample::select(vec![500, 503, 429]).prop_map(status),
        prop::sample::select(vec![None, Some(402), Some(409), Some(422)]).prop_map(refused),
        Just(Outcome::Ok { status: 201, reply: Map::new() }),
    ]
}

/// Any change.
pub(crate) fn any_change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let row = prop::sample::select(vec![Rows::Gone, Rows::Amount, Rows::Account, Rows::Unreadable, Rows::Twin]);
    let exit = prop::sample::select(vec!["signal: 9 (SIGKILL)", "exit status: 1", "signal: 15 (SIGTERM)"]);
    prop_oneof![
        4 => (at(), outcome()).prop_map(|(at, outcome)| Change::Answer(at, outcome)),
        2 => (at(), -2..3_i64).prop_map(|(at, more)| Change::View(at, more)),
        1 => (at(), at()).prop_map(|(at, other)| Change::Rename(at, other)),
        4 => (at(), at(), row).prop_map(|(at, place, what)| Change::Row(at, place, what)),
        2 => at().prop_map(Change::Drop),
        1 => at().prop_map(Change::Twice),
        2 => at().prop_map(Change::Swap),
        2 => (at(), prop::sample::select(vec![60, 250, 2_500])).prop_map(|(at, pause)| Change::Later(at, pause)),
        1 => (at(), exit, any::<bool>()).prop_map(|(at, status, expected)| Change::Exit(at, status, expected)),
        1 => (at(), 1..3_u16).prop_map(|(at, instance)| Change::Crash(at, instance)),
        1 => at().prop_map(Change::Fault),
        2 => (at(), 1..3_u16, outcome()).prop_map(|(at, instance, outcome)| Change::Silence(at, instance, outcome)),
    ]
}

/// Makes the change, if there is something that it fits.
pub(crate) fn spoil(history: &mut History, change: &Change) {
    let events = &mut history.events;
    let of = |place: &Index, fits: &dyn Fn(&What) -> bool| -> Option<usize> {
        let fitting: Vec<_> = (0..events.len()).filter(|at| fits(&events[*at].what)).collect();
        (!fitting.is_empty()).then(|| fitting[place.index(fitting.len())])
    };
    let is_sent = |what: &What| matches!(what, What::Invoke { .. });
    let is_ok = |what: &What| matches!(what, What::Return { outcome: Outcome::Ok { .. }, .. });
    let names = |what: &What| match what {
        What::Return { outcome: Outcome::Ok { reply, .. }, .. } => reply.get("transfer").cloned(),
        _ => None,
    };
    match change {
        Change::Answer(at, new) => {
            let at = of(at, &|what| matches!(what, What::Return { .. }));
            if let Some(What::Return { outcome, .. }) = at.map(|at| &mut events[at].what) {
                *outcome = new.clone();
            }
        }
        Change::View(at, more) => {
            let shows = |what: &What| match what {
                What::Return { outcome: Outcome::Ok { reply, .. }, .. } => reply.contains_key("balance"),
                _ => false,
            };
            let at = of(at, &shows);
            let Some(What::Return { outcome: Outcome::Ok { reply, .. }, .. }) = at.map(|at| &mut events[at].what)
            else {
                return;
            };
            match reply.get_mut("entries") {
                Some(Value::Array(rows)) if *more == 0 => _ = rows.pop(),
                _ => reply["balance"] = json!(reply["balance"].as_i64().unwrap() + more),
            }
        }
        Change::Rename(at, other) => {
            let fits = |what: &What| is_ok(what) && names(what).is_some();
            let (at, other) = (of(at, &fits), of(other, &fits));
            let name = other.and_then(|other| names(&events[other].what));
            if let (Some(What::Return { outcome: Outcome::Ok { reply, .. }, .. }), Some(name)) =
                (at.map(|at| &mut events[at].what), name)
            {
                reply.insert("transfer".into(), name);
            }
        }
        Change::Row(at, place, change) => {
            let at = of(at, &|what| matches!(what, What::Rows { added, .. } if !added.is_empty()));
            if let Some(What::Rows { added, .. }) = at.map(|at| &mut events[at].what) {
                spoil_row(added, place, *change);
            }
        }
        Change::Drop(at) => {
            if let Some(at) = of(at, &|what| !is_sent(what)) {
                events.remove(at);
            }
        }
        Change::Twice(at) => {
            if let Some(at) = of(at, &|what| !is_sent(what)) {
                events.insert(at, events[at].clone());
            }
        }
        Change::Swap(at) => {
            let at = at.index(events.len() - 1);
            if !(is_sent(&events[at].what) && is_sent(&events[at + 1].what)) {
                let (one, other) = (events[at].at, events[at + 1].at);
                events.swap(at, at + 1);
                (events[at].at, events[at + 1].at) = (one, other);
            }
        }
        Change::Later(at, pause) => {
            let at = at.index(events.len());
            for event in &mut events[at..] {
                event.at = Moment(event.at.0 + pause * 1_000_000);
            }
        }
        Change::Exit(at, new, wanted) => {
            let ends = |what: &What| matches!(what, What::Process { change: ProcessChange::Exited { .. }, .. });
            let at = of(at, &ends);
            if let Some(What::Process { change: ProcessChange::Exited { status, expected }, .. }) =
                at.map(|at| &mut events[at].what)
            {
                (*status, *expected) = ((*new).to_owned(), *wanted);
            }
        }
        Change::Crash(at, instance) => {
            let mut event = events[at.index(events.len())].clone();
            let change = ProcessChange::Exited { status: "exit status: 101".into(), expected: false };
            event.what = What::Process { name: format!("api-{instance}"), change };
            events.insert(at.index(events.len()), event);
        }
        Change::Fault(at) => {
            let at = of(at, &|what| matches!(what, What::Fault { .. }));
            if let Some(What::Fault { change, .. }) = at.map(|at| &mut events[at].what) {
                *change = match change {
                    FaultChange::Bit(why) => FaultChange::Missed(why.clone()),
                    FaultChange::Injected(what) => FaultChange::Healed(what.clone()),
                    FaultChange::Healed(what) | FaultChange::Missed(what) => FaultChange::Bit(what.clone()),
                };
            }
        }
        Change::Silence(from, instance, new) => {
            let from = from.index(events.len());
            let audit = events.iter().position(|event| matches!(event.what, What::Phase { phase: Phase::Audit }));
            let mut theirs = Vec::new();
            for (place, event) in events.iter_mut().enumerate().take(audit.unwrap_or(usize::MAX)) {
                match &mut event.what {
                    What::Invoke { attempt, to, .. } if to.number == *instance && place > from => theirs.push(*attempt),
                    What::Return { attempt, outcome } if theirs.contains(attempt) => *outcome = new.clone(),
                    _ => {}
                }
            }
        }
    }
}

fn spoil_row(added: &mut Vec<Value>, place: &Index, change: Rows) {
    let number = place.index(added.len());
    match change {
        Rows::Gone => _ = added.remove(number),
        Rows::Amount if added[number]["amount"].is_i64() => {
            added[number]["amount"] = json!(added[number]["amount"].as_i64().unwrap() + 7);
        }
        Rows::Account => added[number]["account"] = added[place.index(number + 1)]["account"].clone(),
        Rows::Amount | Rows::Unreadable => added[number]["amount"] = json!("12.50"),
        Rows::Twin => {
            let transfer = added[number]["transfer"].clone();
            let legs: Vec<_> = added.iter().filter(|row| row["transfer"] == transfer).cloned().collect();
            for (leg, mut row) in legs.into_iter().enumerate() {
                row["transfer"] = json!(format!("twin of {transfer}"));
                row["sequence"] = json!(1_000_000 + leg);
                added.push(row);
            }
        }
    }
}
