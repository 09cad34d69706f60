//! "Outcomes do not change when instances disagree about the time by hours, or when a clock jumps back or over
//! midnight", in its plainest form: every pair of attempts and every pair of transfers is looked at. The journal has to
//! show keys.

use fireassay::fault::{ClockChange, Fault, Plan};
use fireassay::history::{FaultChange, History, InstanceName, Moment, Outcome, StepId, What};
use fireassay::judgement::Verdict;
use fireassay::profile::ledger::workload::{Callers, LedgerWorkload, Transfers};
use proptest::prelude::*;
use serde_json::Value;

use super::brute_right::{CLOCKS, any_nature, faults, key_reuse, transfers};
use super::brute_sight::{Attempt, Sight, is_definite};
use super::brute_spoil::{any_change, spoil};
use super::service::Defect;
use super::world::Nature;
use super::{DEFECTS, Run, case, judge, play, play_with};

const MINUTE: f64 = 60e9;

fn violated(history: &History, plan: &Plan) -> bool {
    let clocks = Clocks { history, plan };
    let sight = Sight::new(history);
    let outcomes = sight.intents.keys().filter(|intent| sight.moves(**intent)).any(|&intent| {
        let told = |attempt| Some((attempt, clocks.told(attempt)?));
        let sent: Vec<_> = sight.of(intent).filter(|attempt| reached(attempt)).filter_map(told).collect();
        let pairs = sent.iter().flat_map(|one| sent.iter().map(move |other| (one, other)));
        let mut apart = pairs.filter(|((_, one), (_, other))| (one - other).abs() >= MINUTE).peekable();
        let wrong = apart.peek().is_some() && is_wrong(&sight, intent);
        wrong || apart.any(|((one, _), (other, _))| contradict(&sight, intent, one, other))
    });
    outcomes || is_out_of_order(&sight, &clocks)
}

struct Clocks<'a> {
    history: &'a History,
    plan: &'a Plan,
}

impl Clocks<'_> {
    /// When the clock of an instance was changed, how, and `None` for being put right. What nobody noticed was no change.
    fn changes(&self, of: &InstanceName) -> Vec<(Moment, Option<ClockChange>)> {
        let bit = |step: StepId| {
            let is_bite =
                |what: &What| matches!(what, What::Fault { step: it, change: FaultChange::Bit(_) } if *it == step);
            self.history.events.iter().any(|event| is_bite(&event.what))
        };
        let mut changes = Vec::new();
        for event in &self.history.events {
            let What::Fault { step, change } = &event.what else { continue };
            let Some(Fault::Clock { of: whose, change: how }) =
                self.plan.steps.get(usize::from(step.0)).map(|step| &step.fault)
            else {
                continue;
            };
            match change {
                FaultChange::Injected(_) if whose == of && bit(*step) => changes.push((event.at, Some(*how))),
                FaultChange::Healed(_) if whose == of => changes.push((event.at, None)),
                _ => {}
            }
        }
        changes
    }

    /// How wrong the clock of the instance was while it had this attempt, in nanoseconds, if nobody touched it then.
    fn told(&self, attempt: &Attempt<'_>) -> Option<f64> {
        let changes = self.changes(attempt.to);
        let end = attempt.ended.map_or(Moment(u64::MAX), |(at, _)| at);
        if changes.iter().any(|(at, _)| *at > attempt.invoked && *at <= end) {
            return None;
        }
        let (mut error, mut gains, mut since) = (0.0, 0.0, Moment(0));
        for (at, change) in changes.into_iter().filter(|(at, _)| *at <= attempt.invoked) {
            error += (at.0 - since.0) as f64 * gains;
            since = at;
            match change {
                Some(ClockChange::Step(shift)) => error += shift.nanoseconds() as f64,
                Some(ClockChange::Drift(rate)) => gains = rate.get() - 1.0,
                Some(ClockChange::Freeze) => gains = -1.0,
                Some(ClockChange::Back) | None => (error, gains) = (0.0, 0.0),
            }
        }
        Some(error + (attempt.invoked.0 - since.0) as f64 * gains)
    }
}

fn reached(attempt: &Attempt<'_>) -> bool {
    !matches!(attempt.ended, Some((_, Outcome::Refused { status: None, .. })))
}

/// What was heard and what happened do not go together.
fn is_wrong(sight: &Sight<'_>, intent: u32) -> bool {
    let heard = |fits: fn(&Outcome) -> bool| sight.of(intent).any(|it| it.ended.is_some_and(|(_, how)| fits(how)));
    let ok = heard(|how| matches!(how, Outcome::Ok { .. }));
    let unknown = sight.of(intent).any(|it| it.ended.is_none()) || heard(|how| matches!(how, Outcome::Unknown(_)));
    match sight.effects(intent).len() {
        0 => ok && sight.audited().is_some() && !speaks_of_another(sight, intent),
        1 => !ok && !unknown,
        _ => true,
    }
}

/// The key stood for another body that was acknowledged, or the reversal is answered with that of somebody else.
fn speaks_of_another(sight: &Sight<'_>, intent: u32) -> bool {
    let key = |intent: u32| sight.intents[&intent].call.fields.get("key");
    let is_ok = |attempt: &Attempt<'_>| matches!(attempt.ended, Some((_, Outcome::Ok { .. })));
    let mut rivals = sight.intents.keys().filter(|other| **other != intent && key(**other) == key(intent));
    let original = sight.intents[&intent].call.fields.get("transfer");
    let answered = |attempt: &Attempt<'_>| match attempt.ended {
        Some((_, Outcome::Ok { reply, .. })) => {
            let legs = reply.get("transfer").and_then(Value::as_str).and_then(|name| sight.transfers.get(name));
            legs.is_some_and(|legs| original.is_some() && legs[0].get("reverses") == original)
        }
        _ => false,
    };
    (key(intent).is_some() && rivals.any(|other| sight.of(*other).any(is_ok))) || sight.of(intent).any(answered)
}

fn contradict(sight: &Sight<'_>, intent: u32, one: &Attempt<'_>, other: &Attempt<'_>) -> bool {
    let definite = |attempt: &Attempt<'_>| attempt.ended.map(|(_, how)| how.clone()).filter(is_definite);
    let (Some(one), Some(other)) = (definite(one), definite(other)) else { return false };
    let key = sight.intents[&intent].call.fields.get("key");
    let bodies: Vec<_> = sight.intents.iter().filter(|(_, it)| it.call.fields.get("key") == key).collect();
    let is_reused = key.is_some() && bodies.len() > 1;
    let in_doubt =
        |id: u32| sight.of(id).any(|attempt| attempt.ended.is_none_or(|(_, how)| matches!(how, Outcome::Unknown(_))));
    if is_reused && bodies.iter().any(|(id, _)| in_doubt(**id)) {
        return false;
    }
    let named = |outcome: &Outcome| match outcome {
        Outcome::Ok { reply, .. } | Outcome::Refused { reply, .. } => {
            reply.get("transfer").and_then(Value::as_str).map(str::to_owned)
        }
        Outcome::Unknown(_) => None,
    };
    let differs = named(&one).zip(named(&other)).is_some_and(|(one, other)| one != other);
    match (&one, &other) {
        (Outcome::Ok { .. }, Outcome::Ok { .. }) => differs,
        (Outcome::Refused { status: one, .. }, Outcome::Refused { status: other, .. }) => {
            differs || (!is_reused && one != other)
        }
        _ => true,
    }
}

/// Of two transfers over one account, the one that was sent when the other had been acknowledged stands before it, and
/// that is so by the clocks; and there are no two that stand like that for another reason.
fn is_out_of_order(sight: &Sight<'_>, clocks: &Clocks<'_>) -> bool {
    let mut made = Vec::new();
    for &intent in sight.intents.keys().filter(|intent| sight.moves(**intent)) {
        let Some(first) = sight.of(intent).min_by_key(|attempt| attempt.invoked) else { continue };
        let Some((ended, Outcome::Ok { .. })) = first.ended else { continue };
        let alone = sight.of(intent).all(|other| other.invoked == first.invoked || other.invoked > ended);
        let effects = sight.effects(intent);
        if let ([name], true, Some(error)) = (&effects[..], alone, clocks.told(first))
            && sight.transfers[name].len() == 2
        {
            made.extend(sight.transfers[name].iter().map(|row| (row, first.invoked, ended, error)));
        }
    }
    let mut reasons = Vec::new();
    for (row, began, _, error) in &made {
        for (other, _, ended, its_error) in &made {
            let before = row["sequence"].as_i64() < other["sequence"].as_i64();
            if row["account"] == other["account"] && before && began > ended {
                let by_clocks = began.0 as f64 + error < ended.0 as f64 + its_error;
                reasons.push(by_clocks && (error - its_error).abs() >= MINUTE);
            }
        }
    }
    !reasons.is_empty() && reasons.iter().all(|by_clocks| *by_clocks)
}

fn any_run() -> impl Strategy<Value = Hidden> {
    let again = transfers().prop_map(|work| {
        let callers = Callers { clients: work.callers.clients.min(4), ..work.callers };
        LedgerWorkload::Transfers(Transfers { callers, again: work.again + 10, ..work })
    });
    let defects = [Defect::KeysPerDay, Defect::RefusesOldKeys, Defect::OrdersByClock, Defect::ForgetsKeys];
    let defect = prop::option::weighted(0.6, prop::sample::select(defects.to_vec()));
    let work = prop_oneof![4 => again, 1 => key_reuse()];
    (work, prop::sample::select(CLOCKS.to_vec()), defect, any_nature(), any::<u64>()).prop_map(
        |(work, set, defect, nature, seed)| {
            Hidden(play_with(&work, &faults(set), Nature { defect, keys: true, ..nature }, seed))
        },
    )
}

proptest! {
    #![proptest_config(super::few(96))]

    #[test]
    fn the_plain_restatement_agrees_with_the_oracle_on_clocks(
        mut run in any_run(),
        changes in prop::collection::vec(any_change(), 0..4),
    ) {
        for change in &changes {
            spoil(&mut run.0.history, change);
        }
        let finding = judge(&run.0, &["ledger.clock".to_owned()]).remove(0);
        let blamed = finding.verdict() == Verdict::Violation;
        prop_assert_eq!(blamed, violated(&run.0.history, &run.0.plan), "{:#?}", finding);
    }
}

/// A run that is too long to be shown.
struct Hidden(Run);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#?}, {} events", self.0.plan, self.0.history.events.len())
    }
}

#[test]
fn the_plain_restatement_sees_the_planted_defects() {
    for &(defect, id, requirement, _) in DEFECTS {
        if requirement == "clock" {
            let run = play(&case(id), Some(defect), true, 3);
            assert!(violated(&run.history, &run.plan), "{defect:?} in {id}");
        }
    }
    let run = play(&case("clocks-apart"), None, true, 3);
    assert!(!violated(&run.history, &run.plan));
}
