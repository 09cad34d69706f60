//! `ledger.linearizable`: account by account, there is one order of the transfers and of everything that was seen of
//! the balance that agrees with real time: a balance is never older than what had been acknowledged when it was asked
//! for, never newer than what had been asked for when it was answered, and never goes back.
//!
//! What is seen is every balance in a reply, and every decline for lack of funds: at that moment the balance was too
//! low. What is done is what the final journal has, so nothing is in doubt but the time. That a debit which was posted
//! had enough to draw on is the business of `ledger.overdraft`.

mod course;
mod story;
mod times;

use super::{Found, Seen};
use crate::oracle::linearizable::{Budget, Verdict, check, explain};
use course::{Course, courses};

/// Balances that have to have been read while a transfer over the account was under way.
const CONCURRENT: u64 = 20;

/// Balances that have to have been read after the account's latest transfer was acknowledged by another instance.
const ELSEWHERE: u64 = 20;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let courses = courses(seen);
    let (mut concurrent, mut elsewhere, mut decided) = (0, 0, 0);
    for course in &courses {
        concurrent += course.concurrent_reads();
        elsewhere += course.reads_elsewhere;
        decided += u64::from(tell(&mut found, seen, course));
    }
    found.saw("balances read while a transfer of the account was under way", concurrent, CONCURRENT);
    // Where there is only one instance, no other can acknowledge.
    let least = if seen.facts.instances.len() > 1 { ELSEWHERE } else { 0 };
    found.saw("balances read after another instance had acknowledged a transfer of the account", elsewhere, least);
    found.saw("accounts of which every order that matters was tried", decided, courses.len() as u64);
    found.needs_audit(seen);
    found
}

/// Judges an account, with one story: what follows the first violation follows from it. Whether it came to a verdict.
fn tell(found: &mut Found, seen: &Seen<'_>, course: &Course) -> bool {
    let Some(operations) = &course.operations else { return false };
    match check(0, operations, Budget::default()) {
        Verdict::Linearizable => true,
        Verdict::Undecided => false,
        Verdict::Violated { by } => {
            let explanation = explain(0, operations, by, Budget::default());
            found.blame(story::kind(course, &explanation), || story::tell(seen, course, &explanation));
            true
        }
    }
}
