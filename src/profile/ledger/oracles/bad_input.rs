//! `ledger.bad-input`: what has to be refused is refused with a 4xx and moves nothing, and the service goes on.
//!
//! An enormous body may be refused before it has been sent in full; the caller then only sees the connection end, or
//! half an answer. So that says nothing there. Elsewhere whatever is neither yes nor no counts from the second request
//! with the same flaw: a server may have closed an idle connection just as the caller used it again, and a machine
//! that stood still may have kept anybody waiting. Statuses that speak of a refusal are left to the manifest.

use std::collections::BTreeSet;

use super::contention::others_were_answered;
use super::{Found, Seen};
use crate::history::{AttemptId, Moment};
use crate::judgement::Witness;
use crate::profile::ledger::facts::{Answer, Ask, Flaw, Instance, ProcessKind, Transfer, Why};
use crate::profile::silence::Silence;

/// How many good requests in a row have to go unanswered before an instance counts as wedged.
const UNANSWERED_MAX: u32 = 5;

/// How many kinds of flaw have to have been answered: all that the workload sends but one, for the answer to a huge body
/// may be lost.
const FLAWS_LEAST: u64 = 16;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    if !seen.facts.intents.iter().any(|intent| matches!(intent.ask, Ask::Bad { .. })) {
        found.saw("kinds of flaw that were refused", 0, FLAWS_LEAST);
        return found;
    }
    let mut answered = BTreeSet::new();
    let mut silence = Silence::default();
    for (id, attempt) in (0..).map(AttemptId).zip(&seen.facts.attempts) {
        let Ask::Bad { flaw, .. } = seen.facts.intents[attempt.intent.0 as usize].ask else { continue };
        let wrong = match attempt.answer {
            Answer::Refused { status: Some(_), .. } => {
                answered.insert(flaw);
                continue;
            }
            Answer::Ok { .. } => ("accepted", "it is acknowledged".to_owned()),
            Answer::Unknown(why) if seen.is_undisturbed() => {
                let Some(text) = unanswered(why, flaw) else { continue };
                let alone = !matches!(why, Why::Reset) && others_were_answered(seen, attempt);
                if !(silence.is_repeated(flaw, attempt.intent, attempt.invoked, attempt.returned) || alone) {
                    continue;
                }
                ("failed", text)
            }
            _ => continue,
        };
        let (kind, text) = wrong;
        found
            .blame(kind, || (format!("{} is refused with a 4xx", seen.intent(attempt.intent)), text, seen.attempt(id)));
    }
    moved(&mut found, seen);
    let good = afterwards(&mut found, seen);
    found.saw("kinds of flaw that were refused", answered.len() as u64, FLAWS_LEAST);
    found.saw("good transfers acknowledged after a bad one", good, 10);
    found.needs_audit(seen);
    found
}

/// What to say of an answer that is none; `None` where it may well be a refusal.
fn unanswered(why: Why, flaw: Flaw) -> Option<String> {
    match why {
        Why::Status(400..500) | Why::Abandoned => None,
        Why::Reset | Why::Unreadable if flaw == Flaw::Huge => None,
        Why::Status(status) => Some(format!("the answer is {status}")),
        Why::Reset => Some("the connection ends without an answer".to_owned()),
        Why::Unreadable => Some("the answer cannot be read".to_owned()),
        Why::Timeout => Some("no answer comes".to_owned()),
    }
}

fn moved(found: &mut Found, seen: &Seen<'_>) {
    for (id, _) in seen.facts.numbered_intents().filter(|(_, intent)| matches!(intent.ask, Ask::Bad { .. })) {
        let effects = seen.books.effects(id);
        if effects.count > 0 {
            found.blame("moved", || {
                let transfer = Transfer(effects.first);
                let mut witnesses = seen.course(id);
                witnesses.extend(seen.rows(transfer));
                (
                    format!("{} moves nothing", seen.intent(id)),
                    format!("the journal has {}", seen.posted(transfer)),
                    witnesses,
                )
            });
        }
    }
}

/// Blames instances that ended or fell silent after bad input; the number of good transfers acknowledged after some.
fn afterwards(found: &mut Found, seen: &Seen<'_>) -> u64 {
    let facts = seen.facts;
    let mut good = 0;
    for (number, name) in (0..).map(Instance).zip(&facts.instances) {
        let mut spoiled: Option<AttemptId> = None;
        let mut silent = 0;
        for (id, attempt) in (0..).map(AttemptId).zip(&facts.attempts).filter(|(_, attempt)| attempt.to == number) {
            match (facts.intents[attempt.intent.0 as usize].ask, attempt.answer) {
                (Ask::Bad { .. }, _) => spoiled = Some(id),
                (Ask::Transfer(_), Answer::Ok { .. }) => {
                    good += u64::from(spoiled.is_some());
                    silent = 0;
                }
                // A refusal is an answer, too.
                (Ask::Transfer(_), Answer::Refused { status: Some(_), .. }) => silent = 0,
                // What was under way when the run ended might still have been answered.
                (Ask::Transfer(_), Answer::Unknown(Why::Abandoned)) => {}
                (Ask::Transfer(_), Answer::Unknown(_)) if spoiled.is_some() => silent += 1,
                _ => {}
            }
        }
        if let Some(last) = spoiled.filter(|_| silent > UNANSWERED_MAX && seen.is_undisturbed()) {
            found.blame("wedged", || {
                let expected = format!("{name} answers good requests after bad ones");
                (expected, format!("the last {silent} were not answered"), vec![Witness::Attempt(last)])
            });
        }
        let name = name.to_string();
        let crashes = facts.processes.iter().filter(|process| process.name == name);
        for process in crashes.filter(|_| seen.is_undisturbed()) {
            let ProcessKind::Exited { status, expected: false } = &process.change else { continue };
            if let Some(cause) = last_bad_before(seen, number, process.at) {
                found.blame("crashed", || {
                    let expected = format!("{name} survives bad input");
                    (
                        expected,
                        format!("it ended: {status}"),
                        vec![Witness::Attempt(cause), Witness::Event(process.event)],
                    )
                });
            }
        }
    }
    good
}

fn last_bad_before(seen: &Seen<'_>, to: Instance, end: Moment) -> Option<AttemptId> {
    let attempts = (0..).map(AttemptId).zip(&seen.facts.attempts);
    let bad = attempts.filter(|(_, attempt)| {
        let ask = seen.facts.intents[attempt.intent.0 as usize].ask;
        attempt.to == to && attempt.invoked < end && matches!(ask, Ask::Bad { .. })
    });
    bad.map(|(id, _)| id).last()
}
