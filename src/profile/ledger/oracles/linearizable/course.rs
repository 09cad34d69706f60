//! What was done to each account and what was seen of it, as operations with the widest intervals that are certain.
//!
//! Doubts, and what becomes of them:
//! - Whether an attempt took effect: the final journal says so. Only what had been answered before that reading was
//!   asked for is looked at, so what the journal lacks had not happened by then.
//! - When: after the first attempt of every intent that may have caused it was sent, and before the first
//!   acknowledgement of it was received. Without one there is no end. Moments at which rows were read or events came
//!   are no bounds: they are of other parts of the system.
//! - An effect that nobody asked for, or in another currency than the account's: at any time, or never.
//! - Acknowledged and not in the journal: it may have been there and be lost, so it may have happened at any time.
//! - A row that disappeared: it was there for a while, so the account is not judged.

use super::super::Seen;
use super::times::Times;
use crate::history::{AttemptId, IntentId, Moment};
use crate::oracle::linearizable::{Operation, What};
use crate::profile::ledger::facts::{Account, Answer, Ask, Body, Instance, Intent, Transfer};

/// An account of which something was seen.
#[derive(Debug)]
pub(super) struct Course {
    /// Which.
    pub(super) account: Account,
    /// In the order of their invocations; `None` if the account cannot be judged.
    pub(super) operations: Option<Vec<Operation>>,
    /// What each is, by the same index.
    pub(super) sources: Vec<Source>,
    /// How many balances were read after another instance had acknowledged the latest transfer.
    pub(super) reads_elsewhere: u64,
}

/// What an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The effect of a transfer in the journal.
    Posted(Transfer),
    /// The effect of an intent that was acknowledged and is not in the journal.
    Lost(IntentId),
    /// A reply with a balance.
    Read(AttemptId),
    /// A refusal for lack of funds.
    Declined(IntentId, AttemptId),
}

/// An operation in the making.
type Item = (Operation, Source, Option<Instance>);

/// Every account of which something was seen before the final journal was asked for; none without that journal.
pub(super) fn courses(seen: &Seen<'_>) -> Vec<Course> {
    let Some(audit) = seen.facts.audited().filter(|_| seen.books.complete) else { return Vec::new() };
    if seen.facts.views.is_empty() && !seen.facts.intents.iter().any(|intent| intent.heard.refused) {
        return Vec::new();
    }
    let times = Times::new(seen);
    let mut accounts: Vec<Vec<Item>> = vec![Vec::new(); seen.facts.accounts.len()];
    reads(seen, audit.sent, &mut accounts);
    declines(seen, &times, audit.sent, &mut accounts);
    let mut is_seen: Vec<_> = accounts.iter().map(|items| !items.is_empty()).collect();
    // What nobody opened in this run may have begun with anything.
    is_seen.iter_mut().zip(0..).for_each(|(is_seen, account)| *is_seen &= seen.terms(Account(account)).is_some());
    let doubtful = additions(seen, &times, &is_seen, &mut accounts);
    let judged = (0..).map(Account).zip(accounts).filter(|(account, _)| is_seen[account.0 as usize]);
    judged.map(|(account, items)| Course::new(account, items, doubtful[account.0 as usize])).collect()
}

fn reads(seen: &Seen<'_>, until: Moment, accounts: &mut [Vec<Item>]) {
    for view in &seen.facts.views {
        let Some(attempt) = seen.facts.attempts.get(view.attempt.0 as usize) else { continue };
        if let (Some(balance), Some(end)) = (view.balance, attempt.returned.filter(|end| *end < until)) {
            let read = Operation { invoked: attempt.invoked, returned: Some(end), what: What::Read(balance) };
            accounts[view.account.0 as usize].push((read, Source::Read(view.attempt), Some(attempt.to)));
        }
    }
}

fn declines(seen: &Seen<'_>, times: &Times, until: Moment, accounts: &mut [Vec<Item>]) {
    for (id, intent) in seen.facts.numbered_intents().filter(|(_, intent)| intent.heard.refused) {
        // If it was carried out as well, or its key stands for something else too, who knows what was declined.
        if seen.books.effects(id).count > 0 || seen.books.is_reused(intent.key) {
            continue;
        }
        let Some(body) = asked(seen, intent) else { continue };
        let Some(terms) = seen.terms(body.from).filter(|terms| terms.currency == body.currency) else { continue };
        // A repetition gets the same answer, so the decision was made before the first of them.
        let short = |answer| matches!(answer, Answer::Refused { short: true, .. });
        let declined = seen.facts.attempts_of(intent).filter(|(_, attempt)| short(attempt.answer));
        let first = declined.filter_map(|(attempt, it)| Some((it.returned?, attempt))).min();
        if let Some((end, attempt)) = first.filter(|(end, _)| *end < until) {
            let what = What::Below(i128::from(body.amount) + i128::from(terms.limit));
            let decline = Operation { invoked: times.begun(id), returned: Some(end), what };
            accounts[body.from.0 as usize].push((decline, Source::Declined(id, attempt), None));
        }
    }
}

/// What an intent asks to be moved.
fn asked(seen: &Seen<'_>, intent: &Intent) -> Option<Body> {
    match intent.ask {
        Ask::Transfer(body) => Some(body),
        Ask::Reverse(original) => seen.books.body(seen.facts, original).map(Body::reversed),
        _ => None,
    }
}

/// Adds what was done to the accounts of which something was seen; which accounts cannot be judged.
fn additions(seen: &Seen<'_>, times: &Times, is_seen: &[bool], accounts: &mut [Vec<Item>]) -> Vec<bool> {
    let mut doubtful = vec![false; accounts.len()];
    for row in &seen.facts.rows {
        let account = row.account.0 as usize;
        if !is_seen[account] {
            continue;
        }
        if row.gone.is_some() {
            doubtful[account] = true;
            continue;
        }
        let (invoked, end) = times.of(seen, row.transfer);
        let ours = seen.terms(row.account).is_some_and(|terms| terms.currency == row.currency);
        let end = end.filter(|_| ours);
        let addition = Operation { invoked, returned: end.map(|(at, _)| at), what: What::Add(row.amount) };
        accounts[account].push((addition, Source::Posted(row.transfer), end.map(|(_, by)| by)));
    }
    for (id, intent) in seen.facts.numbered_intents().filter(|(_, intent)| intent.heard.ok) {
        let Some(body) = asked(seen, intent).filter(|_| seen.books.effects(id).count == 0) else { continue };
        for (account, amount) in [(body.from, body.amount.saturating_neg()), (body.to, body.amount)] {
            let addition = Operation { invoked: times.begun(id), returned: None, what: What::Add(amount) };
            accounts[account.0 as usize].push((addition, Source::Lost(id), None));
        }
    }
    doubtful
}

impl Course {
    fn new(account: Account, mut items: Vec<Item>, is_doubtful: bool) -> Self {
        items.sort_by_key(|(operation, ..)| operation.invoked);
        let reads_elsewhere = reads_elsewhere(&items);
        let (operations, sources): (Vec<_>, _) =
            items.into_iter().map(|(operation, source, _)| (operation, source)).unzip();
        Self { account, operations: Some(operations).filter(|_| !is_doubtful), sources, reads_elsewhere }
    }

    /// How many balances were read while an addition with a known end was under way.
    pub(super) fn concurrent_reads(&self) -> u64 {
        let mut count = 0;
        // What has begun and not ended; for a read, while it has met nothing.
        let (mut additions, mut reads): (Vec<Moment>, Vec<Moment>) = (Vec::new(), Vec::new());
        for operation in self.operations.iter().flatten() {
            let Some(end) = operation.returned else { continue };
            additions.retain(|end| *end >= operation.invoked);
            reads.retain(|end| *end >= operation.invoked);
            match operation.what {
                What::Add(_) => {
                    count += reads.drain(..).count() as u64;
                    additions.push(end);
                }
                What::Read(_) if additions.is_empty() => reads.push(end),
                What::Read(_) => count += 1,
                _ => {}
            }
        }
        count
    }
}

/// How many reads went through another instance than the latest acknowledgement before them.
fn reads_elsewhere(items: &[Item]) -> u64 {
    let posted = items.iter().filter(|(_, source, _)| matches!(source, Source::Posted(_)));
    let mut heard: Vec<(Moment, Instance)> = posted.filter_map(|(it, _, by)| Some((it.returned?, (*by)?))).collect();
    heard.sort_unstable();
    let reads = items.iter().filter(|(_, source, _)| matches!(source, Source::Read(_)));
    let elsewhere = reads.filter(|(read, _, to)| {
        let before = heard.partition_point(|(at, _)| *at < read.invoked);
        before.checked_sub(1).is_some_and(|latest| Some(heard[latest].1) != *to)
    });
    elsewhere.count() as u64
}
