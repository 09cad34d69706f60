//! `ledger.drains`: on SIGTERM an instance finishes what it has begun, takes nothing new and ends by itself.
//!
//! What could be blamed wrongly on a busy machine, and how that is kept out:
//! - A request that the instance had not received when the signal came need not be finished. So only attempts count
//!   that had been under way for [`BEGUN`], and only if the instance answered something else after the attempt was
//!   sent: then neither it nor the way to it was standing still.
//! - The instance may wait for a slow database longer than its caller's patience. So a timeout, or a 5xx, is not
//!   blamed: cutting a request short shows as the end of its connection.
//! - Where the plan itself kills the instance or breaks its callers' connections, that is why a connection ended.
//! - Between the signal and the closing of the listener some time passes, and a load balancer may want more of it. So
//!   new requests only count [`GRACE`] after the signal, while the process is the same one.
//! - A process that ends with any status has ended by itself; only SIGKILL means that the harness had to make it end,
//!   after the manifest's own deadline, and only if the plan did not kill it as well.

use std::time::Duration;

use super::{Found, Seen};
use crate::fault::{AtExchange, Fault, Node};
use crate::history::{AttemptId, InstanceName, Moment, StepId};
use crate::judgement::Witness;
use crate::profile::ledger::facts::{Answer, Attempt, FaultKind, Instance, ProcessKind, Why};

/// How long an attempt must have been under way to count as begun.
const BEGUN: Duration = Duration::from_millis(200);

/// How long after the signal requests may still be taken.
const GRACE: Duration = Duration::from_secs(2);

/// A SIGTERM that the plan sent.
struct Stop<'a> {
    step: StepId,
    at: Moment,
    name: &'a InstanceName,
    instance: Instance,
    /// When the process was gone, how, and the event that says so.
    exited: Option<(Moment, &'a str, u32)>,
}

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let (mut exits, mut finished) = (0, 0);
    for stop in stops(seen) {
        finished += cut_short(&mut found, seen, &stop);
        late(&mut found, seen, &stop);
        exits += u64::from(stop.exited.is_some());
        if let Some((at, status, event)) = stop.exited.filter(|(_, status, _)| status.contains("signal: 9")) {
            if killed_by_plan(seen, stop.name) {
                continue;
            }
            found.blame("stuck", || {
                let expected = format!("{} ends by itself after SIGTERM at {}", stop.name, stop.at);
                let text = format!("it had to be killed at {at}: {status}");
                (expected, text, vec![Witness::Fault(stop.step), Witness::Event(event)])
            });
        }
    }
    found.saw("instances that ended after SIGTERM", exits, 1);
    found.saw("requests under way at SIGTERM that were finished", finished, 1);
    found
}

fn stops<'a>(seen: &Seen<'a>) -> impl Iterator<Item = Stop<'a>> {
    let (facts, plan) = (seen.facts, seen.plan);
    let injected = facts.faults.iter().filter(|fault| fault.change == FaultKind::Injected);
    injected.filter_map(move |fault| {
        // A restart is over when it is recorded as injected, so it does not say when its signal was sent.
        let Fault::Stop(name) = &plan.steps.get(usize::from(fault.step.0))?.fault else { return None };
        let number = facts.instances.iter().position(|known| known == name)?;
        let text = name.to_string();
        let exited = facts.processes.iter().find_map(|process| match &process.change {
            ProcessKind::Exited { status, .. } if process.name == text && process.at >= fault.at => {
                Some((process.at, status.as_str(), process.event))
            }
            _ => None,
        });
        let instance = Instance(u16::try_from(number).ok()?);
        Some(Stop { step: fault.step, at: fault.at, name, instance, exited })
    })
}

/// Blames attempts whose connection ended though they had been begun; the number of those that were finished.
fn cut_short(found: &mut Found, seen: &Seen<'_>, stop: &Stop<'_>) -> u64 {
    let mut finished = 0;
    let broken = breaks_connections(seen, stop.name);
    let attempts = (0..).map(AttemptId).zip(&seen.facts.attempts);
    let begun = attempts.filter(|(_, attempt)| {
        attempt.to == stop.instance
            && attempt.returned.is_some_and(|returned| returned > stop.at)
            && after(attempt.invoked, BEGUN) <= stop.at
    });
    for (id, attempt) in begun {
        match attempt.answer {
            Answer::Ok { .. } | Answer::Refused { status: Some(_), .. } => finished += 1,
            Answer::Unknown(Why::Reset | Why::Unreadable) if !broken && was_moving(seen, stop, attempt) => {
                found.blame("cut-short", || {
                    let expected = format!(
                        "{}, under way at {} since {}, is finished although SIGTERM came at {}",
                        seen.intent(attempt.intent),
                        stop.name,
                        attempt.invoked,
                        stop.at
                    );
                    let text = "its connection ended without an answer".to_owned();
                    let mut witnesses = vec![Witness::Attempt(id), Witness::Fault(stop.step)];
                    witnesses.extend(stop.exited.map(|(_, _, event)| Witness::Event(event)));
                    (expected, text, witnesses)
                });
            }
            _ => {}
        }
    }
    finished
}

/// Whether the instance answered something between the sending of this attempt and the signal.
fn was_moving(seen: &Seen<'_>, stop: &Stop<'_>, begun: &Attempt) -> bool {
    let span = after(begun.invoked, BEGUN / 4)..=stop.at;
    seen.facts.attempts.iter().any(|other| {
        let returned = other.returned.is_some_and(|returned| span.contains(&returned));
        other.to == stop.instance && returned && other.answer.is_definite()
    })
}

/// Blames requests that were taken long after the signal, by the process that had got it.
fn late(found: &mut Found, seen: &Seen<'_>, stop: &Stop<'_>) {
    let Some((gone, _, _)) = stop.exited else { return };
    let span = after(stop.at, GRACE)..gone;
    for (id, attempt) in (0..).map(AttemptId).zip(&seen.facts.attempts) {
        let taken =
            attempt.returned.is_some_and(|returned| returned < gone) && matches!(attempt.answer, Answer::Ok { .. });
        if taken && attempt.to == stop.instance && span.contains(&attempt.invoked) {
            found.blame("accepted", || {
                let expected = format!("{} takes no new requests after SIGTERM at {}", stop.name, stop.at);
                let text = format!("it acknowledged {}, sent at {}", seen.intent(attempt.intent), attempt.invoked);
                (expected, text, vec![Witness::Fault(stop.step), Witness::Attempt(id)])
            });
        }
    }
}

fn killed_by_plan(seen: &Seen<'_>, name: &InstanceName) -> bool {
    seen.plan.steps.iter().any(|step| match &step.fault {
        Fault::Kill(killed) => killed == name,
        Fault::Exchange(at) => at.victim() == Some(name),
        _ => false,
    })
}

/// Whether the plan itself ends connections between callers and this instance.
fn breaks_connections(seen: &Seen<'_>, name: &InstanceName) -> bool {
    seen.plan.steps.iter().any(|step| match &step.fault {
        Fault::Kill(away) | Fault::Disconnect(away) => away == name,
        Fault::Cut { edge }
        | Fault::Blackhole { edge }
        | Fault::Partition { edge, .. }
        | Fault::Exchange(AtExchange { edge, .. }) => matches!(&edge.to, Node::Instance(to) if to == name),
        _ => false,
    })
}

fn after(moment: Moment, pause: Duration) -> Moment {
    Moment(moment.0.saturating_add(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX)))
}
