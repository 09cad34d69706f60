//! From a fault that came at some moment to the same at the message that it met.
//!
//! A moment is right only as long as everything takes as long as it did; a message is there in every run. So where a
//! history tells which messages an operation caused, the finding is tried with one fault at one of them: at those that the
//! fault kept from arriving, and at the last ones before it.

use std::collections::{BTreeMap, BTreeSet};

use super::cut::{Base, Keep};
use super::timetable::{Sent, Span, StepRef};
use crate::explore::sweep::{Point, Site};
use crate::fault::{Act, Edge, Fault, Node, Trigger};
use crate::history::{Exchange, History, InstanceName, Moment, Truth, What};
use crate::runner::CaseFile;

/// So many faults are looked at, those that came soonest after the operations had begun first.
const FAULTS_MAX: usize = 3;

/// So many messages are tried for a fault of which it is not known which one it met.
const MESSAGES_MAX: usize = 3;

/// The cases with these steps and one fault at one message in place of one of these faults; the likeliest first.
pub(super) fn pinned(
    base: &Base,
    history: &History,
    steps: &BTreeSet<StepRef>,
    faults: &BTreeSet<usize>,
) -> Vec<CaseFile> {
    let spans = || steps.iter().filter_map(|step| base.times.steps.get(step));
    let (Some(first), Some(last)) = (spans().map(|span| span.first).min(), spans().map(|span| span.last).max()) else {
        return Vec::new();
    };
    let around = Span { first, last };
    let exchanges: Vec<(&Exchange, Moment)> = changes(history).collect();
    let mut met: Vec<(Moment, Vec<Hit<'_>>)> =
        faults.iter().filter_map(|fault| hits(base, &exchanges, around, *fault)).collect();
    met.sort_by_key(|(at, _)| *at);
    let mut cases: Vec<CaseFile> = Vec::new();
    for hit in met.iter().take(FAULTS_MAX).flat_map(|(_, hits)| hits) {
        let case = at_message(base, history, steps, hit);
        if !cases.iter().any(|other| other.plan == case.plan) {
            cases.push(case);
        }
    }
    cases
}

/// A message that a fault has met, or may have, and what the fault was to it.
struct Hit<'a> {
    exchange: &'a Exchange,
    edge: Edge,
    act: Act,
}

/// What may change something, with when it was over.
fn changes(history: &History) -> impl Iterator<Item = (&Exchange, Moment)> {
    history.events.iter().filter_map(|event| match &event.what {
        What::Exchange(exchange) if exchange.changes => Some((exchange, event.at)),
        _ => None,
    })
}

/// When a fault met these operations, and at which messages that may have been.
fn hits<'a>(
    base: &Base,
    exchanges: &[(&'a Exchange, Moment)],
    around: Span,
    fault: usize,
) -> Option<(Moment, Vec<Hit<'a>>)> {
    let injected = base.times.faults.get(fault)?.injected?;
    let fault = &base.case.plan.steps.get(fault)?.fault;
    let of = |exchange: &Exchange| Edge::try_from(exchange.edge.clone()).ok();
    if let Fault::Exchange(at) = fault {
        let is_met = |exchange: &&Exchange| {
            let is_meant = at.on.as_ref().is_none_or(|on| on.matches(&exchange.label));
            let is_its = is_meant && of(exchange).is_some_and(|edge| edge == at.edge);
            let was_kept = exchange.lost || !exchange.answered || exchange.truth == Truth::NotSent;
            is_its && (was_kept || !keeps_messages(&at.act)) && exchange.sent >= injected.max(around.first)
        };
        let exchange =
            exchanges.iter().map(|(exchange, _)| *exchange).filter(is_met).min_by_key(|exchange| exchange.sent)?;
        return Some((exchange.sent, vec![Hit { exchange, edge: at.edge.clone(), act: at.act.clone() }]));
    }
    if injected < around.first {
        return None;
    }
    let mut latest: BTreeMap<(&str, &str), (bool, Moment, Hit<'a>)> = BTreeMap::new();
    for (exchange, over) in exchanges {
        let is_near = exchange.sent >= around.first && exchange.sent <= injected;
        let Some((edge, act)) = of(exchange).filter(|_| is_near).and_then(|edge| {
            let act = at_a_message(fault, &edge, exchange.truth)?;
            Some((edge, act))
        }) else {
            continue;
        };
        let was_met = *over >= injected || exchange.lost || !exchange.answered;
        latest.insert((&exchange.edge, &exchange.label), (was_met, exchange.sent, Hit { exchange, edge, act }));
    }
    let mut hits: Vec<_> = latest.into_values().collect();
    hits.sort_by_key(|(was_met, sent, _)| std::cmp::Reverse((*was_met, *sent)));
    Some((injected, hits.into_iter().take(MESSAGES_MAX).map(|(.., hit)| hit).collect()))
}

/// Whether it keeps a request or its reply from arriving.
fn keeps_messages(act: &Act) -> bool {
    !matches!(act, Act::Stall | Act::Delay(_) | Act::Repeat(_) | Act::FailReply(_))
}

/// What a fault that came at a moment is to a message on this link, if it is anything to it.
fn at_a_message(fault: &Fault, edge: &Edge, truth: Truth) -> Option<Act> {
    // What has not been passed on, or was undone with its connection, might as well not have been sent.
    let has_acted = matches!(truth, Truth::Applied | Truth::Sent);
    match fault {
        Fault::Kill(name) | Fault::Stop(name) | Fault::Restart(name) if edge.actor() == Some(name) => {
            Some(if has_acted { Act::CrashAfter } else { Act::CrashBefore })
        }
        Fault::Pause(name) if edge.actor() == Some(name) => Some(Act::Stall),
        Fault::Cut { edge: own } | Fault::Blackhole { edge: own } | Fault::Partition { edge: own, .. }
            if own == edge =>
        {
            Some(if has_acted { Act::CutAfter } else { Act::CutBefore })
        }
        _ => None,
    }
}

/// These steps with one fault: at the first message of this name that comes once the step was sent in the course of which
/// it came. Alone a step is answered at once, so it is the first attempt that meets the fault, through its own instance.
fn at_message(base: &Base, history: &History, steps: &BTreeSet<StepRef>, hit: &Hit<'_>) -> CaseFile {
    let mut case = base.cut(&Keep { steps: steps.clone(), faults: BTreeSet::new() });
    let is_kept = |sent: &&Sent| sent.step.is_some_and(|step| steps.contains(&step));
    let kept = || base.times.attempts.iter().filter(is_kept);
    let in_course = kept().rfind(|sent| sent.at <= hit.exchange.sent).and_then(|sent| sent.step);
    let began = in_course.and_then(|step| base.times.steps.get(&step)).map_or(base.times.start, |span| span.first);
    let edge = through(&hit.edge, asked_at(history, began));
    let is_earlier = |step: &&StepRef| base.times.steps.get(*step).is_some_and(|span| span.first <= began);
    let copies = |step: &StepRef| base.step(*step).map_or(1, |step| u32::from(step.copies.max(1)));
    let before = steps.iter().filter(is_earlier).map(copies).fold(0, u32::saturating_add);
    // What callers of ours send is there as soon as it is counted: the fault has to be there before.
    let before = if edge.from == Node::Client { before.saturating_sub(1) } else { before };
    let site = Site { edge, label: hit.exchange.label.clone(), nth: 1 };
    let mut step = Point { site, act: hit.act.clone() }.step(case.script.patience.timeout);
    if before > 1 || (before == 1 && hit.edge.from == Node::Client) {
        step.trigger = Trigger::Operations(before);
    }
    case.plan.steps.push(step);
    case
}

/// Whom the attempt asked that was sent at this moment.
fn asked_at(history: &History, at: Moment) -> Option<&InstanceName> {
    history.events.iter().find_map(|event| match &event.what {
        What::Invoke { to, .. } if event.at == at => Some(to),
        _ => None,
    })
}

/// The link of this instance in place of that of another one of its role.
fn through(edge: &Edge, asked: Option<&InstanceName>) -> Edge {
    let turned = |node: &Node| match (node, asked) {
        (Node::Instance(name), Some(asked)) if name.role == asked.role => Node::Instance(asked.clone()),
        _ => node.clone(),
    };
    Edge { from: turned(&edge.from), to: turned(&edge.to) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::shrink::tests::{case, pretend};
    use crate::fault::{AtExchange, Pattern, Pick};
    use crate::history::{Event, FaultChange, StepId};

    /// What is tried of the step during which the first kill came, where `truth` became of the commit that it met.
    fn tried(truth: Truth, answered: bool) -> Vec<(Trigger, AtExchange)> {
        let case = case();
        let mut history = pretend(&case);
        let is_kill =
            |event: &&Event| matches!(&event.what, What::Fault { step: StepId(2), change: FaultChange::Injected(_) });
        let killed = history.events.iter().find(is_kill).expect("a kill").at;
        let (label, edge) = ("COMMIT".to_owned(), "api-1->postgres".to_owned());
        let sent = Moment(killed.0 - 500);
        let exchange =
            Exchange { sent, edge, connection: 1, label, changes: true, truth, answered, lost: false, code: None };
        let at = history.events.iter().position(|event| event.at > killed).expect("more to come");
        history.events.insert(at, Event { at: killed, what: What::Exchange(exchange) });
        let base = Base::new(case, &history);
        let met = base.times.attempts.iter().rev().find(|sent| sent.at < killed).and_then(|sent| sent.step);
        let steps = BTreeSet::from([met.expect("an attempt before it")]);
        let cases = pinned(&base, &history, &steps, &BTreeSet::from([2]));
        cases
            .into_iter()
            .map(|case| match case.plan.steps.as_slice() {
                [step] => match &step.fault {
                    Fault::Exchange(at) => (step.trigger, at.clone()),
                    other => panic!("{other}"),
                },
                more => panic!("{more:?}"),
            })
            .collect()
    }

    #[test]
    fn a_kill_becomes_one_at_the_message_that_it_met() {
        let edge: Edge = "api-1->postgres".to_owned().try_into().expect("an edge");
        let at = |act| AtExchange { edge: edge.clone(), on: Some(Pattern::exact("COMMIT")), pick: Pick::Nth(1), act };
        // Alone it is the first that is sent: the fault is there from the start.
        let start = Trigger::At(std::time::Duration::ZERO);
        assert_eq!(tried(Truth::Applied, true), [(start, at(Act::CrashAfter))]);
        assert_eq!(tried(Truth::NotSent, false), [(start, at(Act::CrashBefore))]);
    }

    #[test]
    fn without_messages_there_is_nothing_to_try() {
        let case = case();
        let history = pretend(&case);
        let base = Base::new(case, &history);
        let everything = base.everything();
        assert!(pinned(&base, &history, &everything.steps, &everything.faults).is_empty());
    }

    #[test]
    fn an_instance_stands_for_another_of_its_role() {
        let api = InstanceName { role: "api".into(), number: 2 };
        let turned = |text: &str| through(&text.to_owned().try_into().expect("an edge"), Some(&api)).to_string();
        assert_eq!(turned("api-1->postgres"), "api-2->postgres");
        assert_eq!(turned("client->api-1"), "client->api-2");
        assert_eq!(turned("relay-1->kafka"), "relay-1->kafka");
    }
}
