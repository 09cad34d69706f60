//! `ledger.clock`: what becomes of a transfer does not depend on what time an instance believes it is.
//!
//! Two things can be seen from outside. A key that is sent to instances that disagree about the time, or to one whose
//! clock has been moved since, has one outcome all the same. And the journal of an account has transfers in the order
//! in which they were made: one that was sent when the other had been acknowledged comes after it, whatever the clocks
//! of the instances that made them showed. Disorder is blamed only where those clocks explain all of it.

use super::same_answer::{answers, contradict, is_contested, tell};
use super::wall::{self, Told, Walls};
use super::{Found, Seen, acked};
use crate::history::{AttemptId, IntentId, Moment};
use crate::judgement::Witness;
use crate::oracle::effects::{Wrong, judge as weigh};
use crate::profile::ledger::facts::{Account, Answer, Attempt, Intent, Transfer};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let walls = Walls::of(seen.facts, seen.plan);
    let mut again = 0;
    for (id, intent) in seen.facts.numbered_intents().filter(|(_, intent)| intent.sent > 1 && Seen::moves(intent)) {
        again += sent_again(seen, &walls, id, intent);
        let Some(pair) = apart(seen, &walls, intent) else { continue };
        outcome(&mut found, seen, id, pair);
        answer(&mut found, seen, &walls, id);
    }
    let turns = order(&mut found, seen, &walls);
    found.saw("sendings of applied keys where the time was another one by a minute or more", again, 10);
    found.saw("entries after one of an instance whose time was another one by a minute or more", turns, 10);
    found.needs_audit(seen);
    found
}

/// An attempt that reached an instance, and what time that instance was told while it had it.
type Sending = (AttemptId, Told);

fn sendings<'a>(seen: &'a Seen<'_>, walls: &'a Walls, intent: &'a Intent) -> impl Iterator<Item = Sending> + 'a {
    let reached = |attempt: &Attempt| !matches!(attempt.answer, Answer::Refused { status: None, .. });
    let sent = seen.facts.attempts_of(intent).filter(move |(_, attempt)| reached(attempt));
    sent.filter_map(|(id, attempt)| Some((id, walls.told(attempt)?)))
}

/// The two attempts of an intent whose instances disagreed most about the time, the earlier one first, if that was much.
fn apart(seen: &Seen<'_>, walls: &Walls, intent: &Intent) -> Option<[Sending; 2]> {
    let error = |(_, told): &Sending| told.error_ns;
    let behind = sendings(seen, walls, intent).min_by_key(error)?;
    let ahead = sendings(seen, walls, intent).max_by_key(error)?;
    let mut pair = [behind, ahead];
    pair.sort_unstable_by_key(|(id, _)| *id);
    behind.1.is_apart(ahead.1).then_some(pair)
}

/// How many attempts were made at another time after the key was known to have taken effect.
fn sent_again(seen: &Seen<'_>, walls: &Walls, id: IntentId, intent: &Intent) -> u64 {
    let Some(heard) = intent.first_ok.filter(|_| seen.books.effects(id).count > 0) else { return 0 };
    let attempt = |id: AttemptId| &seen.facts.attempts[id.0 as usize];
    let acknowledged = |id: AttemptId| {
        matches!(attempt(id).answer, Answer::Ok { .. }) && attempt(id).returned.is_some_and(|at| at <= heard)
    };
    let Some((_, first)) = sendings(seen, walls, intent).find(|(id, _)| acknowledged(*id)) else { return 0 };
    let again = sendings(seen, walls, intent).filter(|(id, told)| attempt(*id).invoked > heard && told.is_apart(first));
    again.count() as u64
}

/// What was heard against what happened.
fn outcome(found: &mut Found, seen: &Seen<'_>, id: IntentId, pair: [Sending; 2]) {
    let intent = &seen.facts.intents[id.0 as usize];
    let effects = seen.books.effects(id);
    let transfer = Transfer(effects.first);
    let (kind, text) = match weigh(intent.heard, effects.count) {
        Some(Wrong::Double) => {
            let (one, other) = (seen.posted(transfer), seen.posted(Transfer(effects.second)));
            ("double", format!("the journal has {one} and {other}"))
        }
        Some(Wrong::Phantom) => ("phantom", format!("refused every time, the journal has {}", seen.posted(transfer))),
        Some(Wrong::Lost) if seen.books.complete && !acked::answered_for_another(seen, id, intent) => {
            ("lost", "acknowledged, the journal read in the audit does not have it".to_owned())
        }
        _ => return,
    };
    found.blame(kind, || {
        let expected = format!("{} has one outcome, {}", seen.intent(id), sent_at(seen, pair));
        let mut witnesses = vec![Witness::Intent(id)];
        witnesses.extend(wall::faults(pair.map(|(_, told)| told)));
        let posted = [effects.first, effects.second].map(Transfer);
        witnesses.extend(posted.into_iter().flat_map(|transfer| seen.rows(transfer)));
        (expected, text, witnesses)
    });
}

/// Two answers that contradict each other, from instances that were told different times.
fn answer(found: &mut Found, seen: &Seen<'_>, walls: &Walls, id: IntentId) {
    let intent = &seen.facts.intents[id.0 as usize];
    if is_contested(seen, intent) {
        return;
    }
    let reused = seen.books.is_reused(intent.key);
    let mut pairs = answers(seen, intent)
        .enumerate()
        .flat_map(|(number, later)| answers(seen, intent).skip(number + 1).map(move |earlier| (earlier, later)));
    let contradiction = pairs.find_map(|((first, before), (last, after))| {
        let pair = [(first, walls.told(before)?), (last, walls.told(after)?)];
        let at_another_time = pair[0].1.is_apart(pair[1].1);
        (at_another_time && contradict(before.answer, after.answer, reused)).then_some((pair, before, after))
    });
    if let Some((pair, before, after)) = contradiction {
        found.blame("changed", || {
            let expected = format!("{} gets the same answer every time, {}", seen.intent(id), sent_at(seen, pair));
            let text = format!("first {}, then {}", tell(seen, before.answer), tell(seen, after.answer));
            let mut witnesses = vec![Witness::Intent(id), Witness::Attempt(pair[0].0)];
            witnesses.extend(wall::faults(pair.map(|(_, told)| told)));
            witnesses.push(Witness::Attempt(pair[1].0));
            (expected, text, witnesses)
        });
    }
}

/// A transfer in an account's journal, and the attempt that made it.
#[derive(Clone, Copy)]
struct Made {
    transfer: Transfer,
    sequence: i64,
    began: Moment,
    ended: Moment,
    told: Told,
}

/// Holds the order of each account's journal against the order in which its transfers were made. Says how often an entry
/// follows one that was made at another time.
fn order(found: &mut Found, seen: &Seen<'_>, walls: &Walls) -> u64 {
    let mut accounts: Vec<Vec<Made>> = vec![Vec::new(); seen.facts.accounts.len()];
    for (id, intent) in seen.facts.numbered_intents().filter(|(_, intent)| Seen::moves(intent)) {
        let effects = seen.books.effects(id);
        let transfer = Transfer(effects.first);
        let posted = seen.books.posted(transfer);
        let maker = maker(seen, intent).filter(|_| effects.count == 1 && posted.legs == 2);
        let Some((began, ended, told)) = maker.and_then(|it| Some((it.invoked, it.returned?, walls.told(it)?))) else {
            continue;
        };
        for row in [posted.debit, posted.credit].into_iter().filter_map(|row| seen.facts.rows.get(row as usize)) {
            let made = Made { transfer, sequence: row.sequence, began, ended, told };
            accounts[row.account.0 as usize].push(made);
        }
    }
    let (mut turns, mut misplaced, mut by_clocks) = (0, Vec::new(), true);
    for (account, mut journal) in (0..).map(Account).zip(accounts) {
        journal.sort_unstable_by_key(|made| made.sequence);
        let apart = |pair: &&[Made]| pair[0].told.is_apart(pair[1].told);
        turns += journal.windows(2).filter(apart).count() as u64;
        // Of each stretch of time that clocks were the same, the transfer so far that was begun last.
        let mut latest: Vec<Made> = Vec::new();
        for made in journal {
            for before in latest.iter().filter(|before| before.began > made.ended) {
                by_clocks &= explained_by_clocks(before, &made);
                misplaced.push((account, *before, made));
            }
            match latest.iter_mut().find(|other| other.told.is_same_stretch(made.told)) {
                Some(other) if other.began < made.began => *other = made,
                Some(_) => {}
                None => latest.push(made),
            }
        }
    }
    // Numbers that are out of order for another reason too say nothing about clocks.
    for (account, before, after) in misplaced.into_iter().filter(|_| by_clocks) {
        reordered(found, seen, account, before, after);
    }
    turns
}

/// The one attempt that can have made the transfer: the first, if it was acknowledged before any other was sent.
fn maker<'a>(seen: &'a Seen<'_>, intent: &Intent) -> Option<&'a Attempt> {
    let attempts = || seen.facts.attempts_of(intent).map(|(_, attempt)| attempt);
    let first = attempts().min_by_key(|attempt| attempt.invoked)?;
    let ended = first.returned.filter(|_| matches!(first.answer, Answer::Ok { .. }))?;
    attempts().filter(|other| other.invoked != first.invoked).all(|other| other.invoked > ended).then_some(first)
}

/// Whether a transfer that was begun after the other had ended belongs before it by the clocks of the instances that
/// made them.
fn explained_by_clocks(before: &Made, after: &Made) -> bool {
    let shown = |at: Moment, made: &Made| i128::from(at.0) + i128::from(made.told.error_ns);
    before.told.is_apart(after.told) && shown(before.began, before) < shown(after.ended, after)
}

fn reordered(found: &mut Found, seen: &Seen<'_>, account: Account, before: Made, after: Made) {
    found.blame("reordered", || {
        let expected = format!(
            "the journal of {} has {}, acknowledged at {}, before {}, sent at {} to an instance with another time",
            seen.account(account),
            seen.posted(after.transfer),
            after.ended,
            seen.posted(before.transfer),
            before.began,
        );
        let text = format!(
            "it has the later one first, as entry {} before {}, which is their order by the clocks of the instances",
            before.sequence, after.sequence
        );
        let mut witnesses: Vec<_> = wall::faults([before.told, after.told]).collect();
        witnesses.extend([after, before].into_iter().flat_map(|made| seen.rows(made.transfer)));
        (expected, text, witnesses)
    });
}

/// `sent to api-1 and, when the clock of api-2 was 25h ahead of it, to api-2`
fn sent_at(seen: &Seen<'_>, [(first, before), (last, after)]: [Sending; 2]) -> String {
    let to = |id: AttemptId| &seen.facts.instances[usize::from(seen.facts.attempts[id.0 as usize].to.0)];
    let off = i128::from(after.error_ns) - i128::from(before.error_ns);
    let seconds = u64::try_from(off.unsigned_abs() / 1_000_000_000).unwrap_or(u64::MAX);
    let by = humantime::format_duration(std::time::Duration::from_secs(seconds));
    let way = if off < 0 { "back" } else { "ahead" };
    format!("sent to {} and later to {}, where the time was {by} {way} of that", to(first), to(last))
}
