//! Seven requirements in their plainest form, written from their text in the suite and from the excuses that a
//! target has, without any thought of speed. The journal has to show keys.

use std::collections::BTreeSet;

use fireassay::fault::{AtExchange, Edge, Fault, Node, Plan, ServerFault};
use fireassay::history::{
    Doubt, FaultChange, History, InstanceName, Moment, Outcome, Phase, ProcessChange, StepId, What,
};
use serde_json::Value;

use super::brute_sight::{Attempt, Sight, asks, is_definite, moves, number};

/// The requirements that are written out here.
pub(crate) const REQUIREMENTS: [&str; 7] = [
    "ledger.projection",
    "ledger.key-mismatch",
    "ledger.cache-loss",
    "ledger.contention",
    "ledger.bad-input",
    "ledger.recovers",
    "ledger.drains",
];

/// The requirements that a history violates.
pub(crate) fn blamed(history: &History, plan: &Plan) -> BTreeSet<&'static str> {
    let sight = Sight::new(history);
    let verdicts = [
        projection(&sight),
        key_mismatch(&sight),
        cache_loss(&sight, history, plan),
        contention(&sight, plan),
        bad_input(&sight, history, plan),
        recovers(&sight),
        drains(&sight, history, plan),
    ];
    REQUIREMENTS.into_iter().zip(verdicts).filter(|(_, violated)| *violated).map(|(name, _)| name).collect()
}

/// "A balance is the sum of the account's entries: always within one snapshot, and everywhere once the system is at
/// rest." An account is at rest if its sum and its number of entries are the same in the newest reading before the
/// question and in the last one of the audit, and nobody waits for a transfer that could still move it.
fn projection(sight: &Sight<'_>) -> bool {
    sight.attempts.iter().any(|attempt| {
        let call = sight.intents[&attempt.intent].call;
        let Some((_, Outcome::Ok { reply, .. })) = attempt.ended else { return false };
        if !["balance", "entries"].contains(&call.operation.as_str()) {
            return false;
        }
        let balance = reply.get("balance").and_then(Value::as_i64);
        let entries = reply.get("entries").and_then(Value::as_array).map(|entries| entries.iter().collect::<Vec<_>>());
        let listed = entries.filter(|rows| rows.iter().all(|row| row["amount"].is_i64())).map(|rows| total(&rows));
        if let (Some(balance), Some((sum, _))) = (balance, listed)
            && balance != sum
        {
            return true;
        }
        let Some(there) = at_rest(sight, attempt, &call.fields["account"]) else { return false };
        balance.is_some_and(|balance| balance != there.0) || listed.is_some_and(|listed| listed != there)
    })
}

/// Sum and number of an account's entries at the time of this attempt, if it was at rest.
fn at_rest(sight: &Sight<'_>, attempt: &Attempt<'_>, account: &Value) -> Option<(i64, usize)> {
    let audit = sight.began.get(&Phase::Audit)?;
    let last = sight.audited()?;
    let before = sight.readings.iter().rfind(|reading| reading.at < attempt.invoked)?;
    let of = |rows: &[Value]| {
        let readable = rows.iter().filter(|row| row["account"] == *account && row["amount"].is_i64());
        total(&readable.collect::<Vec<_>>())
    };
    let still = of(&before.rows) == of(&last.rows);
    let asleep = !sight.intents.keys().any(|intent| may_still_move(sight, *intent, account));
    (attempt.invoked >= *audit && still && asleep).then(|| of(&last.rows))
}

/// Nobody knows what became of some attempt, none was ever answered, and it has not happened so far.
fn may_still_move(sight: &Sight<'_>, intent: u32, account: &Value) -> bool {
    let call = sight.intents[&intent].call;
    let touched = match call.operation.as_str() {
        "transfer" => asks(call),
        "reverse" => {
            let original = call.fields["transfer"].as_str().unwrap_or_default();
            sight.transfers.get(original).and_then(|legs| moves(legs))
        }
        _ => None,
    };
    let touches = touched.is_some_and(|(from, to, ..)| [from, to].iter().any(|name| *account == **name));
    let doubtful = |attempt: &Attempt<'_>| attempt.ended.is_none_or(|(_, how)| matches!(how, Outcome::Unknown(_)));
    let answered = |attempt: &Attempt<'_>| attempt.ended.is_some_and(|(_, how)| is_definite(how));
    touches && sight.of(intent).any(doubtful) && !sight.of(intent).any(answered) && sight.effects(intent).is_empty()
}

fn total(rows: &[&Value]) -> (i64, usize) {
    (rows.iter().map(|row| number(row)).sum(), rows.len())
}

/// "A key that stands for one body is refused with 409 or 422 when it comes with another, and that other one moves
/// nothing." It stands for a body from when that one was acknowledged.
fn key_mismatch(sight: &Sight<'_>) -> bool {
    let key = |intent: u32| sight.intents[&intent].call.fields.get("key");
    sight.intents.keys().any(|&one| {
        let taken = sight.of(one).filter_map(|attempt| match attempt.ended {
            Some((at, Outcome::Ok { .. })) => Some(at),
            _ => None,
        });
        let taken = taken.min();
        sight.intents.keys().filter(|&&other| other != one && key(one).is_some() && key(one) == key(other)).any(
            |&other| {
                let both = !sight.effects(one).is_empty() && !sight.effects(other).is_empty();
                let accepted = sight.of(other).any(|attempt| {
                    let wrong = match attempt.ended {
                        Some((_, Outcome::Ok { .. })) => true,
                        Some((_, Outcome::Refused { status: Some(status), .. })) => ![409, 422].contains(status),
                        _ => false,
                    };
                    wrong && taken.is_some_and(|taken| attempt.invoked > taken)
                });
                both || accepted
            },
        )
    })
}

/// "Whatever happens to Redis, a key that has taken effect does not take effect again." Twice in the journal, and
/// Redis was disturbed between the first and the last time that it was sent.
fn cache_loss(sight: &Sight<'_>, history: &History, plan: &Plan) -> bool {
    let is_redis = |edge: &Edge| edge.to == Node::Redis;
    let of_redis = |step: StepId| match plan.steps.get(usize::from(step.0)).map(|step| &step.fault) {
        Some(Fault::KillRedis(_) | Fault::FlushRedis) => true,
        Some(Fault::Server(ServerFault::Evict { .. } | ServerFault::RedisMemoryLimit)) => true,
        Some(Fault::Partition { edge, .. } | Fault::Cut { edge } | Fault::Blackhole { edge }) => is_redis(edge),
        _ => false,
    };
    let changes = changes(history);
    let bit = |step| changes.iter().any(|(_, other, change)| *other == step && matches!(change, FaultChange::Bit(_)));
    let mut injected: Vec<(Moment, StepId)> = Vec::new();
    for (at, step, change) in &changes {
        let known = injected.iter().any(|(_, other)| other == step);
        if matches!(change, FaultChange::Injected(_)) && of_redis(*step) && bit(*step) && !known {
            injected.push((*at, *step));
        }
    }
    sight.intents.keys().filter(|intent| sight.moves(**intent)).any(|&intent| {
        let sent: Vec<_> = sight.of(intent).map(|attempt| attempt.invoked).collect();
        let between = |at: Moment| sent.iter().any(|sent| *sent < at) && sent.iter().any(|sent| *sent > at);
        sight.effects(intent).len() >= 2 && injected.iter().any(|(at, _)| between(*at))
    })
}

fn changes(history: &History) -> Vec<(Moment, StepId, &FaultChange)> {
    let change = history.events.iter().filter_map(|event| match &event.what {
        What::Fault { step, change } => Some((event.at, *step, change)),
        _ => None,
    });
    change.collect()
}

fn is_calm(plan: &Plan) -> bool {
    plan.steps.iter().all(|step| matches!(step.fault, Fault::Latency { .. }))
}

/// "Transfers back and forth over the same few accounts all get an answer, and none of their updates is lost." Only
/// where nothing disturbs them. A connection that ends is not blamed, nor a request to slow down, nor silence unless
/// ten later requests to the same instance were answered meanwhile; a failure then, too, or if another transfer had
/// failed before this one was sent.
fn contention(sight: &Sight<'_>, plan: &Plan) -> bool {
    let of_load =
        |attempt: &Attempt<'_>| sight.intents[&attempt.intent].phase == Phase::Load && sight.moves(attempt.intent);
    let failed = |attempt: &Attempt<'_>| match attempt.ended {
        Some((end, Outcome::Unknown(Doubt::Status { status, .. }))) => {
            (![408, 425, 429].contains(status)).then_some(end)
        }
        _ => None,
    };
    let unanswered = sight.attempts.iter().any(|attempt| {
        let silent = match attempt.ended {
            Some((_, Outcome::Unknown(Doubt::Timeout))) => others_were_served(sight, attempt),
            _ if failed(attempt).is_some() => {
                let before = sight.attempts.iter().filter(|other| of_load(other) && other.intent != attempt.intent);
                let before = before.filter_map(failed).any(|end| end < attempt.invoked);
                before || others_were_served(sight, attempt)
            }
            _ => false,
        };
        of_load(attempt) && silent
    });
    is_calm(plan) && (unanswered || projection(sight))
}

/// Ten later requests to the same instance were answered while this one was under way.
fn others_were_served(sight: &Sight<'_>, attempt: &Attempt<'_>) -> bool {
    let served = sight.attempts.iter().filter(|other| {
        let ended = other.ended.zip(attempt.ended).is_some_and(|((at, how), (end, _))| at < end && is_definite(how));
        other.to == attempt.to && other.invoked > attempt.invoked && ended
    });
    served.count() >= 10
}

/// "Impossible amounts, unknown or equal accounts, a foreign currency, a missing key and unreadable or enormous
/// bodies are refused with a 4xx, move nothing, and the service goes on serving." What a fault may have caused is not
/// blamed, nor what was neither yes nor no unless another request with the same flaw had fared no better before, or ten
/// others were answered meanwhile. A broken connection never counts where the body is enormous.
fn bad_input(sight: &Sight<'_>, history: &History, plan: &Plan) -> bool {
    let flaw = |attempt: &Attempt<'_>| sight.flaw(sight.intents[&attempt.intent].call);
    let bad: Vec<_> = sight.attempts.iter().filter(|attempt| flaw(attempt).is_some()).collect();
    let accepted = bad.iter().any(|attempt| matches!(attempt.ended, Some((_, Outcome::Ok { .. }))));
    let moved = bad.iter().any(|attempt| !sight.effects(attempt.intent).is_empty());
    let silent = |attempt: &Attempt<'_>| {
        let Some((end, Outcome::Unknown(doubt))) = attempt.ended else { return None };
        let counts = match doubt {
            Doubt::Status { status, .. } => !(400..500).contains(status),
            Doubt::Reset(_) | Doubt::Unreadable(_) => flaw(attempt) != Some("huge"),
            Doubt::Timeout => true,
            Doubt::Abandoned => false,
        };
        counts.then_some(end)
    };
    let failed = bad.iter().filter(|attempt| silent(attempt).is_some()).any(|attempt| {
        let alike = bad.iter().filter(|other| flaw(other) == flaw(attempt) && other.intent != attempt.intent);
        let before = alike.filter_map(|other| silent(other)).any(|end| end < attempt.invoked);
        let is_reset = matches!(attempt.ended, Some((_, Outcome::Unknown(Doubt::Reset(_)))));
        before || (!is_reset && others_were_served(sight, attempt))
    });
    let instances: BTreeSet<_> = sight.attempts.iter().map(|attempt| attempt.to).collect();
    let ended = instances.iter().any(|instance| wedged(sight, instance, &bad) || crashed(history, instance, &bad));
    accepted || moved || (is_calm(plan) && (failed || ended))
}

/// After its first bad request, an instance leaves the last six good transfers, or more, without an answer.
fn wedged(sight: &Sight<'_>, instance: &InstanceName, bad: &[&Attempt<'_>]) -> bool {
    let Some(spoiled) = bad.iter().filter(|attempt| attempt.to == instance).map(|attempt| attempt.invoked).min() else {
        return false;
    };
    let good = sight.attempts.iter().filter(|attempt| {
        let good = sight.intents[&attempt.intent].call.operation == "transfer" && sight.moves(attempt.intent);
        // Of one that was not sent, or has not ended, nothing can be said.
        let said = attempt.ended.is_some_and(|(_, how)| {
            !matches!(how, Outcome::Refused { status: None, .. } | Outcome::Unknown(Doubt::Abandoned))
        });
        good && said && attempt.to == instance && attempt.invoked > spoiled
    });
    let answered: Vec<bool> = good.map(|attempt| attempt.ended.is_some_and(|(_, how)| is_definite(how))).collect();
    answered.iter().rev().take_while(|answered| !**answered).count() >= 6
}

/// An instance that has got a bad request ends, and nobody asked for it.
fn crashed(history: &History, instance: &InstanceName, bad: &[&Attempt<'_>]) -> bool {
    history.events.iter().any(|event| match &event.what {
        What::Process { name, change: ProcessChange::Exited { expected: false, .. } } => {
            *name == instance.to_string() && bad.iter().any(|bad| bad.to == instance && bad.invoked < event.at)
        }
        _ => false,
    })
}

/// "When the last fault is over, new transfers succeed through every instance and their events arrive before the
/// deadline", which is when the audit begins.
fn recovers(sight: &Sight<'_>) -> bool {
    let Some(deadline) = sight.began.get(&Phase::Audit) else { return false };
    let probes = sight.intents.iter().filter(|(id, intent)| {
        intent.phase == Phase::Settle && intent.call.operation == "transfer" && sight.moves(**id)
    });
    probes.into_iter().any(|(&probe, _)| {
        let through = sight.of(probe).any(|attempt| match attempt.ended {
            Some((at, Outcome::Ok { reply, .. })) => {
                let told = |(at, record): &(Moment, &fireassay::history::Record)| {
                    at < deadline && record.fields.get("transfer") == reply.get("transfer")
                };
                at < *deadline && reply.contains_key("transfer") && sight.records.iter().any(told)
            }
            _ => false,
        });
        // An event that nobody could look for may have come.
        let answered_in_time = sight.of(probe).any(|attempt| match attempt.ended {
            Some((at, Outcome::Ok { .. })) => at < *deadline,
            _ => false,
        });
        !through && (sight.events_read || !answered_in_time)
    })
}

/// "On SIGTERM an instance finishes the requests it has begun, takes no new ones and ends by itself." Begun is what
/// was sent 200 ms before, if the instance answered something at least 50 ms after it; new is what was sent 2 s after
/// the signal to the process that had got it. Nothing is said of an instance whose connections the plan breaks.
fn drains(sight: &Sight<'_>, history: &History, plan: &Plan) -> bool {
    changes(history).iter().any(|(at, step, change)| {
        let fault = plan.steps.get(usize::from(step.0)).map(|step| &step.fault);
        let (Some(Fault::Stop(name)), FaultChange::Injected(_)) = (fault, change) else { return false };
        let exit = history.events.iter().find_map(|event| match &event.what {
            What::Process { name: process, change: ProcessChange::Exited { status, .. } } => {
                (*process == name.to_string() && event.at >= *at).then_some((event.at, status))
            }
            _ => None,
        });
        let killed = plan.steps.iter().any(|step| match &step.fault {
            Fault::Kill(killed) => killed == name,
            Fault::Exchange(at) => at.victim() == Some(name),
            _ => false,
        });
        let broken_off = plan.steps.iter().any(|step| match &step.fault {
            Fault::Cut { edge }
            | Fault::Blackhole { edge }
            | Fault::Partition { edge, .. }
            | Fault::Exchange(AtExchange { edge, .. }) => edge.to == Node::Instance(name.clone()),
            _ => false,
        });
        let to_it = || sight.attempts.iter().filter(|attempt| attempt.to == name);
        let later = |moment: Moment, milliseconds: u64| Moment(moment.0 + milliseconds * 1_000_000);
        let cut_short = to_it().any(|attempt| {
            let broken = matches!(
                attempt.ended,
                Some((end, Outcome::Unknown(Doubt::Reset(_) | Doubt::Unreadable(_)))) if end > *at
            );
            let alive = to_it().any(|other| {
                let answered = other.ended.filter(|(_, how)| is_definite(how)).map(|(end, _)| end);
                answered.is_some_and(|end| later(attempt.invoked, 50) <= end && end <= *at)
            });
            broken && alive && later(attempt.invoked, 200) <= *at
        });
        let late = to_it().any(|attempt| {
            let ok = attempt.ended.filter(|(_, how)| matches!(how, Outcome::Ok { .. })).map(|(end, _)| end);
            let in_time = |(gone, _): (Moment, &String)| ok.is_some_and(|end| end < gone);
            exit.is_some_and(in_time) && attempt.invoked >= later(*at, 2_000)
        });
        let stuck = exit.is_some_and(|(_, status)| status.contains("signal: 9"));
        late || (!killed && stuck) || (!killed && !broken_off && cut_short)
    })
}
