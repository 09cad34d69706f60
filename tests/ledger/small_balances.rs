//! Small histories for `ledger.linearizable`, written out by hand: what a balance may not be, and every doubt that
//! explains one.

use fireassay::history::{AttemptId, Outcome};
use serde_json::{Value, json};

use super::small::{Small, body, call, legs, ok, refused, timeout};

const REQUIREMENT: &str = "linearizable";

/// Somebody reads the balance of a-0002, to which all transfers here go.
fn read(small: &mut Small, intent: u32, balance: i64) {
    small.ask(intent, "balance", json!({ "account": "a-0002" }), balance_is(balance));
}

fn balance_is(balance: i64) -> Outcome {
    Outcome::Ok { status: 200, reply: fields(json!({ "account": "a-0002", "balance": balance })) }
}

fn fields(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// The transfer of intent 3 is sent.
fn send(small: &mut Small) -> AttemptId {
    small.send(3, call("transfer", body(3, 250)))
}

/// The journal of the audit has the transfer of intent 3, or nothing.
fn audit(mut small: Small, is_posted: bool) -> Vec<String> {
    small.audit(if is_posted { legs(1, "t", (1, 2), 250) } else { Vec::new() });
    small.blamed(REQUIREMENT)
}

const NOBODY: [&str; 0] = [];

#[test]
fn a_balance_from_before_an_acknowledged_transfer_is_told() {
    let mut small = Small::new();
    small.transfer(3, 250, ok("t"));
    small.pass(7);
    read(&mut small, 4, 0);
    small.audit(legs(1, "t", (1, 2), 250));
    let finding = small.judge(REQUIREMENT);
    let anomaly = &finding.anomalies[0];
    assert_eq!(finding.anomalies_total, 1);
    assert_eq!(anomaly.kind, "stale");
    assert_eq!(anomaly.expected, "the balance of a-0002, asked for at 11.011 ms and answered at 12.012 ms, is EUR 250");
    assert_eq!(
        anomaly.found,
        "api-1 answers EUR 0, as it was before the transfer of EUR 250 from a-0001 to a-0002 (key k-3), \
         acknowledged at 4.010 ms"
    );
}

#[test]
fn a_transfer_under_way_may_show_or_not_but_nobody_sees_it_go_again() {
    for (seen, blamed) in [([0, 0], &[][..]), ([0, 250], &[]), ([250, 250], &[]), ([250, 0], &["back"])] {
        let mut small = Small::new();
        let sent = send(&mut small);
        read(&mut small, 4, seen[0]);
        read(&mut small, 5, seen[1]);
        small.end(sent, ok("t"));
        assert_eq!(audit(small, true), blamed, "{seen:?}");
    }
}

#[test]
fn what_was_seen_first_is_in_the_story() {
    let mut small = Small::new();
    let sent = send(&mut small);
    read(&mut small, 4, 250);
    read(&mut small, 5, 0);
    small.end(sent, ok("t"));
    small.audit(legs(1, "t", (1, 2), 250));
    let finding = small.judge(REQUIREMENT);
    let told = &finding.anomalies[0].expected;
    assert!(told.contains("is EUR 250, since api-1 answered EUR 250 at "), "{told}");
}

#[test]
fn the_journal_says_whether_a_transfer_in_doubt_happened_but_not_when() {
    let judged = |seen: [i64; 3], is_posted: bool| {
        let mut small = Small::new();
        let sent = send(&mut small);
        small.end(sent, timeout());
        for (intent, balance) in (4..).zip(seen) {
            read(&mut small, intent, balance);
        }
        audit(small, is_posted)
    };
    for seen in [[0, 0, 0], [0, 0, 250], [250, 250, 250]] {
        assert_eq!(judged(seen, true), NOBODY, "{seen:?}");
    }
    assert_eq!(judged([0, 250, 0], true), ["back"]);
    assert_eq!(judged([0, 0, 0], false), NOBODY);
    assert_eq!(judged([0, 250, 250], false), ["unexplained"]);
}

#[test]
fn a_reading_of_the_journal_bounds_nothing() {
    let mut small = Small::new();
    let sent = send(&mut small);
    small.end(sent, timeout());
    small.read(legs(1, "t", (1, 2), 250));
    read(&mut small, 4, 0);
    assert_eq!(audit(small, true), NOBODY);
}

#[test]
fn an_acknowledged_transfer_that_was_lost_explains_either_balance() {
    for balance in [0, 250] {
        let mut small = Small::new();
        small.transfer(3, 250, ok("t"));
        read(&mut small, 4, balance);
        assert_eq!(audit(small, false), NOBODY, "{balance}");
    }
}

#[test]
fn a_repetition_happened_before_the_first_acknowledgement_of_any_of_its_attempts() {
    let judged = |balance| {
        let mut small = Small::new();
        let lost = send(&mut small);
        small.end(lost, timeout());
        small.transfer(3, 250, ok("t"));
        small.transfer(3, 250, ok("t"));
        read(&mut small, 4, balance);
        audit(small, true)
    };
    assert_eq!(judged(250), NOBODY);
    assert_eq!(judged(0), ["stale"]);
    // It may have happened when it was sent first.
    let mut small = Small::new();
    let lost = send(&mut small);
    small.end(lost, timeout());
    read(&mut small, 4, 250);
    small.transfer(3, 250, ok("t"));
    assert_eq!(audit(small, true), NOBODY);
}

/// After a-0002 got 250, it is asked for 100.
fn declined(answer: Outcome) -> Vec<String> {
    let mut small = Small::new();
    small.transfer(3, 250, ok("t"));
    let fields = json!({ "key": "k-4", "from": "a-0002", "to": "a-0003", "amount": 100, "currency": "EUR" });
    small.ask(4, "transfer", fields, answer);
    audit(small, true)
}

fn refused_as(status: u16, word: &str) -> Outcome {
    Outcome::Refused { status: Some(status), why: word.into(), reply: fields(json!({ "error": word })) }
}

#[test]
fn a_decline_for_lack_of_funds_is_a_look_at_the_balance() {
    assert_eq!(declined(refused(402)), ["declined"]);
    assert_eq!(declined(refused_as(422, "insufficient_funds")), ["declined"]);
    // Other refusals say nothing about it.
    for answer in [refused(409), refused_as(402, "card_expired"), timeout()] {
        assert_eq!(declined(answer.clone()), NOBODY, "{answer:?}");
    }
}

#[test]
fn a_decline_that_is_told_again_was_decided_before_the_first_time() {
    let judged = |in_time: bool| {
        let mut small = Small::new();
        let fields = json!({ "key": "k-4", "from": "a-0002", "to": "a-0003", "amount": 100, "currency": "EUR" });
        if in_time {
            small.ask(4, "transfer", fields.clone(), refused(402));
        }
        small.transfer(3, 250, ok("t"));
        small.ask(4, "transfer", fields, refused(402));
        audit(small, true)
    };
    assert_eq!(judged(true), NOBODY);
    assert_eq!(judged(false), ["declined"]);
}

#[test]
fn a_balance_beside_the_entries_counts() {
    let mut small = Small::new();
    small.transfer(3, 250, ok("t"));
    let reply = fields(json!({ "balance": 0, "entries": [] }));
    small.ask(4, "entries", json!({ "account": "a-0002" }), Outcome::Ok { status: 200, reply });
    assert_eq!(audit(small, true), ["stale"]);
}

#[test]
fn without_the_final_journal_nothing_is_said() {
    let mut small = Small::new();
    small.transfer(3, 250, ok("t"));
    read(&mut small, 4, 0);
    small.read(legs(1, "t", (1, 2), 250));
    assert_eq!(small.blamed(REQUIREMENT), NOBODY);
    // Nor about what was answered after it was asked for: more may have happened.
    let mut small = Small::new();
    small.audit(Vec::new());
    read(&mut small, 3, 250);
    assert_eq!(small.blamed(REQUIREMENT), NOBODY);
}

#[test]
fn an_account_that_lost_a_row_is_not_judged() {
    let mut small = Small::new();
    small.transfer(3, 250, ok("t"));
    small.read(legs(1, "t", (1, 2), 250));
    read(&mut small, 4, 7);
    small.audit(legs(1, "t", (1, 3), 250));
    assert_eq!(small.blamed(REQUIREMENT), NOBODY);
    assert_eq!(small.seen(REQUIREMENT, "every order"), 0);
}

#[test]
fn money_in_another_currency_explains_either_balance() {
    for balance in [0, 250] {
        let mut small = Small::new();
        small.transfer(3, 250, ok("t"));
        read(&mut small, 4, balance);
        let mut rows = legs(1, "t", (1, 2), 250);
        rows.iter_mut().for_each(|row| row["currency"] = json!("USD"));
        small.audit(rows);
        assert_eq!(small.blamed(REQUIREMENT), NOBODY, "{balance}");
    }
}

#[test]
fn looks_at_busy_accounts_and_through_other_instances_are_counted() {
    let mut small = Small::new();
    let sent = send(&mut small);
    read(&mut small, 4, 0);
    small.end(sent, ok("t"));
    read(&mut small, 5, 250);
    small.audit(legs(1, "t", (1, 2), 250));
    assert_eq!(small.seen(REQUIREMENT, "while a transfer"), 1);
    // The same instance acknowledged it.
    assert_eq!(small.seen(REQUIREMENT, "another instance"), 0);
}
