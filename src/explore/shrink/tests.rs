// A test may stop where its own assumption fails.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::explore::Signature;
use crate::fault::{Edge, Fault, Heal, Node, Plan, Step as FaultStep, Trigger};
use crate::history::{
    AttemptId, ClientId, End, Event, FaultChange, History, InstanceName, IntentId, Moment, Outcome, Phase, StepId, What,
};
use crate::judgement::{Anomaly, Witness};
use crate::profile::ledger::workload::{LedgerWorkload, Transfers};
use crate::profile::{self, Workload as _};
use crate::report::samples::{case_file, judged};
use crate::runner::{CaseFile, Judged};

/// How long every attempt of the pretended target takes.
const TAKES: Duration = Duration::from_millis(10);

fn api(number: u16) -> InstanceName {
    InstanceName { role: "api".into(), number }
}

fn latency(number: u16) -> Fault {
    let edge = Edge { from: Node::Instance(api(number)), to: Node::Postgres };
    Fault::Latency { edge, delay: Duration::from_millis(5), jitter: Duration::from_millis(4) }
}

fn step(trigger: Trigger, fault: Fault, heal: Heal) -> FaultStep {
    FaultStep { trigger, fault, heal }
}

/// Sixty transfers by six callers, with seven faults.
pub(super) fn case() -> CaseFile {
    let workload = Transfers { intents: 60, again: 12, reads: 4, impossible: 2, ..Transfers::default() };
    let script = LedgerWorkload::Transfers(workload).script(3, &[api(1), api(2)]);
    let mut steps = vec![
        step(Trigger::Operations(1), latency(1), Heal::AtEnd),
        step(Trigger::Operations(1), latency(2), Heal::AtEnd),
    ];
    for (number, count) in (0..5).zip([10, 22, 34, 46, 58]) {
        let kill = Fault::Kill(api(1 + number % 2));
        steps.push(step(Trigger::Operations(count), kill, Heal::After(Duration::from_millis(100))));
    }
    CaseFile { script, plan: Plan::of(steps), read_every: None, ..case_file() }
}

/// What a target would do that answers everything after [`TAKES`], and what a nemesis would do to it.
pub(super) fn pretend(case: &CaseFile) -> History {
    let after = |time: Duration| u64::try_from(time.as_nanos()).unwrap();
    let mut sent: Vec<(u64, usize, IntentId)> = Vec::new();
    for (client, steps) in case.script.clients.iter().enumerate() {
        let mut now = 0;
        for step in steps {
            now += after(step.after);
            sent.extend((0..step.copies).map(|_| (now, client, step.intent)));
            now += after(TAKES);
        }
    }
    sent.sort_unstable();
    let end = sent.iter().map(|(at, ..)| at + after(TAKES)).max().unwrap_or(0) + 1;
    let mut events: Vec<(u64, What)> = Vec::new();
    for ((at, client, intent), number) in sent.iter().zip(0..) {
        let attempt = AttemptId(number);
        let client = ClientId(u16::try_from(*client).unwrap());
        let call = case.script.intents[intent.0 as usize].call.clone();
        events.push((*at, What::Invoke { attempt, intent: *intent, client, to: api(1), call }));
        let outcome = Outcome::Ok { status: 201, reply: serde_json::Map::new() };
        events.push((at + after(TAKES), What::Return { attempt, outcome }));
    }
    let mut injected: Vec<Option<u64>> = Vec::new();
    for (index, step) in case.plan.steps.iter().enumerate() {
        let nth = |count: u32| sent.get(count as usize - 1).map(|(at, ..)| *at);
        let due = match step.trigger {
            Trigger::At(time) => Some(after(time)),
            Trigger::Operations(count) => nth(count).map(|at| at + 1_000),
            Trigger::OperationsThen { count, pause } => nth(count).map(|at| at + after(pause)),
            Trigger::After { step, pause } => injected[usize::from(step.0)].map(|at| at + after(pause)),
        };
        let due = due.filter(|due| *due < end);
        injected.push(due);
        let id = StepId(u16::try_from(index).unwrap());
        let Some(due) = due else { continue };
        events.push((due, What::Fault { step: id, change: FaultChange::Injected(step.fault.to_string()) }));
        let healed = match step.heal {
            Heal::After(time) => (due + after(time)).min(end),
            Heal::Operations(_) | Heal::AtEnd => end,
        };
        events.push((healed, What::Fault { step: id, change: FaultChange::Healed("undone".into()) }));
    }
    events.sort_by_key(|(at, _)| *at);
    let load = 1_000_000_000;
    let mut all = vec![Event { at: Moment(load), what: What::Phase { phase: Phase::Load } }];
    all.extend(events.into_iter().map(|(at, what)| Event { at: Moment(load + at), what }));
    for what in [What::Phase { phase: Phase::Settle }, What::End { why: End::Completed }] {
        all.push(Event { at: Moment(load + end), what });
    }
    History { events: all }
}

/// The mistake: a transfer is doubled in the second half of whose course anything is killed.
fn doubled(case: &CaseFile, history: &History) -> Vec<(IntentId, StepId)> {
    let mut found = Vec::new();
    let kills = history.events.iter().filter_map(|event| match &event.what {
        What::Fault { step, change: FaultChange::Injected(_) } => {
            matches!(case.plan.steps[usize::from(step.0)].fault, Fault::Kill(_)).then_some((event.at, *step))
        }
        _ => None,
    });
    for (at, step) in kills {
        for event in &history.events {
            let What::Invoke { intent, call, .. } = &event.what else { continue };
            let age = at.0.saturating_sub(event.at.0);
            let half = u64::try_from(TAKES.as_nanos()).unwrap() / 2;
            if call.operation == "transfer" && (half..2 * half).contains(&age) {
                found.push((*intent, step));
            }
        }
    }
    found
}

fn findings(doubled: &[(IntentId, StepId)]) -> Vec<Judged> {
    let mut judged = judged("ledger.once", true);
    let anomaly = |(intent, step): &(IntentId, StepId)| Anomaly {
        kind: "double".into(),
        expected: "once".into(),
        found: "twice".into(),
        witnesses: vec![Witness::Intent(*intent), Witness::Fault(*step)],
    };
    judged.finding.anomalies = doubled.iter().map(anomaly).collect();
    judged.finding.anomalies_total = doubled.len() as u64;
    vec![judged]
}

fn ran(case: &CaseFile) -> Ran {
    let history = pretend(case);
    let findings = findings(&doubled(case, &history));
    Ran { history, findings, directory: PathBuf::from("runs/x") }
}

/// Searches with a target that shows what it could show with this probability.
fn search(rate: f64, seed: u64) -> Ended {
    let case = case();
    let first = ran(&case);
    let goal = Signature::of(&first.findings);
    assert!(!goal.is_empty(), "the whole case shows it");
    let mut search = Search::new(profile::named("ledger").unwrap(), case, first, goal, 60);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    while let Some(proposal) = search.propose() {
        let ran = ran(&proposal.case);
        let shows = ran.findings.iter().any(|judged| !judged.finding.anomalies.is_empty());
        let seen = if shows && random.random_bool(rate) { Seen::Hit(Box::new(ran)) } else { Seen::Miss };
        search.tell(vec![seen]);
    }
    search.end()
}

#[test]
fn a_storm_is_shrunk_to_what_matters() {
    let ended = search(1.0, 1);
    let (before, after) = ended.size;
    assert_eq!((before.faults, before.clients), (7, 8));
    assert_eq!((after.faults, after.clients, after.operations), (1, 1, 1), "{after}");
    assert!(ended.is_complete && ended.used.0 <= 30, "{} runs", ended.used.0);
    assert_eq!(ended.share, (Share { hits: 3, runs: 3 }, Share { hits: 5, runs: 5 }));
    assert!(!doubled(&ended.case, &pretend(&ended.case)).is_empty(), "the result is true");
}

#[test]
fn a_flaky_finding_is_shrunk_within_the_budget() {
    let mut small = 0;
    for seed in 0..40 {
        let ended = search(0.5, seed);
        let after = ended.size.1;
        assert!(ended.used.0 <= 60);
        if ended.share.0.hits > 0 {
            assert!(!doubled(&ended.case, &pretend(&ended.case)).is_empty(), "the result is true");
        }
        small += u32::from(after.faults <= 3 && after.operations <= 5);
    }
    assert!(small >= 38, "small in {small} of 40 searches");
}

#[test]
fn what_a_fault_does_after_the_last_answer_can_be_begun_with() {
    let (case, base) = base();
    // The first transfer has long been answered when the second kill comes.
    let early = base.times.attempts[0].step.unwrap();
    let intent = base.step(early).unwrap().intent;
    let anomaly = findings(&[(intent, StepId(3))])[0].finding.anomalies[0].clone();
    let rungs = ladder(&base, &pretend(&case), profile::named("ledger").unwrap(), &anomaly);
    let injected = |keep: &Keep| {
        let smaller = base.cut(keep);
        let history = pretend(&smaller);
        let table = Timetable::read(&smaller.script, smaller.plan.steps.len(), &history);
        table.faults.iter().filter(|done| done.injected.is_some()).count()
    };
    assert!(rungs.windows(2).all(|pair| pair[0].steps.len() <= pair[1].steps.len()), "the smallest comes first");
    let late = rungs.iter().find(|keep| keep.faults.contains(&6)).expect("one goes on to the last kill");
    assert!(late.steps.contains(&early) && late.steps.len() <= 2, "{late:?}");
    assert_eq!(injected(late), late.faults.len(), "its load lasts until all its faults have come");
}

#[test]
fn what_never_shows_again_is_left_as_it_is() {
    let ended = search(0.0, 1);
    assert_eq!((ended.size.0, ended.share.0.hits, ended.is_complete), (ended.size.1, 0, false));
    assert!(ended.used.0 <= 10);
}

#[test]
fn failures_of_the_environment_are_no_misses() {
    let case = case();
    let first = ran(&case);
    let goal = Signature::of(&first.findings);
    let mut search = Search::new(profile::named("ledger").unwrap(), case, first, goal, 60);
    while search.propose().is_some() {
        search.tell(vec![Seen::Nothing]);
    }
    let ended = search.end();
    assert_eq!((ended.share.0, ended.used.0 <= 60), (Share::default(), true));
}

fn keep(base: &Base, steps: impl Fn(StepRef) -> bool, faults: &[usize]) -> Keep {
    let all = base.everything();
    Keep {
        steps: all.steps.into_iter().filter(|step| steps(*step)).collect(),
        faults: faults.iter().copied().collect(),
    }
}

fn base() -> (CaseFile, Base) {
    let case = case();
    let base = Base::new(case.clone(), &pretend(&case));
    (case, base)
}

/// The attempts of a pretended run before each fault of a plan, by intent.
fn before_faults(case: &CaseFile, only: &BTreeSet<IntentId>) -> Vec<Vec<IntentId>> {
    let mut before = vec![Vec::new(); case.plan.steps.len()];
    let mut sent = Vec::new();
    for event in pretend(case).events {
        match event.what {
            What::Invoke { intent, .. } if only.contains(&intent) => sent.push(intent),
            What::Fault { step, change: FaultChange::Injected(_) } => {
                before[usize::from(step.0)].clone_from(&sent);
            }
            _ => {}
        }
    }
    before
        .into_iter()
        .map(|mut sent| {
            sent.sort_unstable();
            sent
        })
        .collect()
}

#[test]
fn a_fault_still_comes_between_the_same_operations() {
    let (case, base) = base();
    let whole = base.everything();
    for left in [2, 3, 7] {
        let kept = keep(&base, |step| step.client % left == 0, &[2, 3, 4, 5, 6]);
        let smaller = base.cut(&kept);
        let only: BTreeSet<_> = smaller.script.clients.iter().flatten().map(|step| step.intent).collect();
        assert_eq!(before_faults(&smaller, &only), before_faults(&case, &only)[2..], "every {left}th client");
        assert!(kept.steps.len() < whole.steps.len());
    }
}

#[test]
fn counting_triggers_stay_counting_where_the_counted_attempt_stays() {
    let (case, base) = base();
    let tenth = base.times.attempts[9].step.unwrap();
    let smaller = base.cut(&keep(&base, |step| step == tenth, &[2]));
    assert_eq!(smaller.plan.steps[0].trigger, Trigger::Operations(1));
    assert_eq!(case.plan.steps[2].fault, smaller.plan.steps[0].fault);
    let ninth = base.times.attempts[8].step.unwrap();
    let smaller = base.cut(&keep(&base, |step| step == ninth, &[2]));
    assert!(
        matches!(smaller.plan.steps[0].trigger, Trigger::Operations(1) | Trigger::OperationsThen { count: 1, .. }),
        "{:?}",
        smaller.plan.steps[0].trigger
    );
}

#[test]
fn what_waits_for_another_fault_is_renumbered_or_finds_its_own_place() {
    let mut case = case();
    let pause = Duration::from_millis(15);
    let waits = step(Trigger::After { step: StepId(3), pause }, Fault::FlushRedis, Heal::AtEnd);
    case.plan.steps.push(waits);
    let base = Base::new(case.clone(), &pretend(&case));
    let kept = base.cut(&keep(&base, |_| true, &[1, 3, 7]));
    assert_eq!(kept.plan.steps[2].trigger, Trigger::After { step: StepId(1), pause });
    let alone = base.cut(&keep(&base, |_| true, &[7]));
    let everything: BTreeSet<_> = (0..u32::try_from(case.script.intents.len()).unwrap()).map(IntentId).collect();
    assert_eq!(before_faults(&alone, &everything)[0], before_faults(&case, &everything)[7]);
    assert!(!matches!(alone.plan.steps[0].trigger, Trigger::After { .. }));
}

#[test]
fn healing_by_count_follows_the_attempts_that_stay() {
    let mut case = case();
    case.plan.steps[0].heal = Heal::Operations(20);
    let base = Base::new(case.clone(), &pretend(&case));
    let all = base.cut(&base.everything());
    assert_eq!(all.plan.steps[0].heal, Heal::Operations(20));
    let some = base.cut(&keep(&base, |step| step.client == 0, &[0]));
    assert!(matches!(some.plan.steps[0].heal, Heal::Operations(1..=5)), "{:?}", some.plan.steps[0].heal);
}

#[test]
fn callers_keep_their_instances_and_what_needs_a_reply_goes_with_it() {
    let workload = Transfers { intents: 20, again: 0, reads: 0, impossible: 0, reversed: 4, ..Transfers::default() };
    let script = LedgerWorkload::Transfers(workload).script(3, &[api(1), api(2)]);
    let case = CaseFile { script, plan: Plan::default(), ..case_file() };
    let base = Base::new(case.clone(), &pretend(&case));
    let needs = |step: &StepRef| !case.script.intents[base.step(*step).unwrap().intent.0 as usize].binds.is_empty();
    let reversal = *base.everything().steps.iter().find(|step| needs(step)).unwrap();
    let cut = base.cut(&keep(&base, |step| step == reversal, &[]));
    assert!(cut.script.clients.is_empty(), "nobody asks for what it reverses");
    let cut = base.cut(&keep(&base, |step| step.client == 5, &[]));
    assert_eq!((cut.script.clients.len(), Size::of(&cut).clients), (6, 1));
}

#[test]
fn nothing_happens_for_long_when_nothing_is_left_to_happen() {
    let (_, base) = base();
    let last = *base.everything().steps.iter().max_by_key(|step| base.times.steps[step].first).unwrap();
    let cut = base.cut(&keep(&base, |step| step == last, &[]));
    let after = cut.script.clients.last().unwrap()[0].after;
    assert!(after <= Duration::from_millis(20), "{after:?}");
}

#[test]
fn attempts_are_told_to_the_steps_that_sent_them() {
    let case = case();
    let table = Timetable::read(&case.script, case.plan.steps.len(), &pretend(&case));
    assert_eq!(table.steps.len(), case.script.clients.iter().map(Vec::len).sum::<usize>());
    for sent in &table.attempts {
        let place = sent.step.unwrap();
        assert_eq!(table.steps[&place].first, sent.at, "each is sent once here");
    }
    assert!(table.faults.iter().all(|done| done.injected.is_some() && done.healed.is_some()));
}
