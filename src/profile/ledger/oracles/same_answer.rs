//! `ledger.same-answer`: all definite answers to the same key and body agree, declines included: both acknowledge or
//! both refuse, with the same status if they refuse, and name the same transfer if they name one.
//!
//! Where a key came with two bodies, which status refuses the loser may depend on how far the other one is.

use super::{Found, Seen};
use crate::history::AttemptId;
use crate::judgement::Witness;
use crate::profile::ledger::facts::{Answer, Attempt, Intent, Transfer};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let mut compared = 0;
    for (id, intent) in seen.facts.numbered_intents() {
        if intent.sent < 2 || !Seen::moves(intent) || is_contested(seen, intent) {
            continue;
        }
        // A refusal need not name its transfer, so agreeing with the last answer is not agreeing with each other.
        let pairs = || {
            answers(seen, intent)
                .enumerate()
                .flat_map(|(number, later)| answers(seen, intent).skip(number + 1).map(move |earlier| (earlier, later)))
        };
        compared += u64::from(pairs().next().is_some());
        let reused = seen.books.is_reused(intent.key);
        let contradiction = pairs().find(|((_, before), (_, after))| contradict(before.answer, after.answer, reused));
        if let Some((one, other)) = contradiction {
            // Told in the order in which they were heard.
            let (one, other) = if one.1.returned <= other.1.returned { (one, other) } else { (other, one) };
            let ((first, before), (last, after)) = (one, other);
            found.blame("changed", || {
                let expected = format!("{} gets the same answer every time", seen.intent(id));
                let text = format!("first {}, then {}", tell(seen, before.answer), tell(seen, after.answer));
                let mut witnesses = vec![Witness::Intent(id), Witness::Attempt(first)];
                let (from, to) = (before.invoked.min(after.invoked), before.invoked.max(after.invoked));
                witnesses.extend(seen.faults_between(from, to));
                witnesses.push(Witness::Attempt(last));
                (expected, text, witnesses)
            });
        }
    }
    found.saw("transfers that were answered more than once", compared, 10);
    found
}

/// The definite answers of an intent, the latest first.
pub(super) fn answers<'a>(seen: &'a Seen<'_>, intent: &'a Intent) -> impl Iterator<Item = (AttemptId, &'a Attempt)> {
    let silent = |answer| matches!(answer, Answer::Unknown(_) | Answer::Refused { status: None, .. });
    seen.facts.attempts_of(intent).filter(move |(_, attempt)| !silent(attempt.answer))
}

/// A body that lost its key to another one may be refused while the other is under way, and win once that has failed.
pub(super) fn is_contested(seen: &Seen<'_>, intent: &Intent) -> bool {
    let in_doubt = |key| seen.books.with_key(key).any(|other| seen.facts.intents[other.0 as usize].heard.unknown);
    seen.books.is_reused(intent.key) && intent.key.is_some_and(in_doubt)
}

/// Whether two answers do not go together; `reused` says that the key came with more than one body.
pub(super) fn contradict(one: Answer, other: Answer, reused: bool) -> bool {
    differ(one, other) || (!reused && differently_refused(one, other))
}

fn differ(one: Answer, other: Answer) -> bool {
    match (named(one), named(other)) {
        _ if matches!(one, Answer::Ok { .. }) != matches!(other, Answer::Ok { .. }) => true,
        // A refusal need not name a transfer.
        (Some(one), Some(other)) => one != other,
        _ => false,
    }
}

fn differently_refused(one: Answer, other: Answer) -> bool {
    match (one, other) {
        (Answer::Refused { status: one, .. }, Answer::Refused { status: other, .. }) => one != other,
        _ => false,
    }
}

fn named(answer: Answer) -> Option<Transfer> {
    match answer {
        Answer::Ok { transfer } | Answer::Refused { transfer, .. } => transfer,
        Answer::Unknown(_) => None,
    }
}

pub(super) fn tell(seen: &Seen<'_>, answer: Answer) -> String {
    let word = match answer {
        Answer::Ok { .. } => "acknowledged".to_owned(),
        Answer::Refused { status, .. } => format!("refused with {}", status.unwrap_or_default()),
        Answer::Unknown(_) => "not answered".to_owned(),
    };
    named(answer).map_or(word.clone(), |transfer| format!("{word} as {}", seen.transfer(transfer)))
}
