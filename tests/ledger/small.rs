//! Small histories, written out by hand: each shows one thing that an oracle has to see, or must not take for one.

use std::time::Duration;

use fireassay::fault::{ClockChange, Fault, Heal, Plan, Shift, Step, Trigger};
use fireassay::history::{
    AttemptId, Call, ClientId, Doubt, Event, FaultChange, History, InstanceName, IntentId, Moment, Outcome, Phase,
    RawBody, Record, StepId, What,
};
use fireassay::judgement::Finding;
use fireassay::profile::script::{Arrival, Intent, Patience};
use fireassay::profile::{JudgedCase, Script, named};
use serde_json::{Map, Value, json};

const MS: u64 = 1_000_000;

/// A history in the making. Accounts a-0001 to a-0003 are open, in EUR and without credit; intents count from 3.
pub(crate) struct Small {
    history: History,
    plan: Plan,
    attempts: u32,
    now: u64,
    shown: Vec<Value>,
}

impl Small {
    pub(crate) fn new() -> Self {
        let history = History { events: Vec::new() };
        let mut small = Self { history, plan: Plan::default(), attempts: 0, now: 0, shown: Vec::new() };
        small.record(What::Phase { phase: Phase::Setup });
        for number in 0..3 {
            let fields = json!({ "account": format!("a-000{}", number + 1), "currency": "EUR", "limit": 0 });
            small.ask(number, "open", fields, ok("none"));
        }
        small.record(What::Phase { phase: Phase::Load });
        small
    }

    fn record(&mut self, what: What) {
        self.now += 1_000;
        self.history.events.push(Event { at: Moment(self.now), what });
    }

    pub(crate) fn pass(&mut self, milliseconds: u64) {
        self.now += milliseconds * MS;
    }

    pub(crate) fn send(&mut self, intent: u32, call: Call) -> AttemptId {
        self.send_to(1, intent, call)
    }

    fn send_to(&mut self, number: u16, intent: u32, call: Call) -> AttemptId {
        let attempt = AttemptId(self.attempts);
        self.attempts += 1;
        let to = InstanceName { role: "api".into(), number };
        self.record(What::Invoke { attempt, intent: IntentId(intent), client: ClientId(0), to, call });
        attempt
    }

    pub(crate) fn end(&mut self, attempt: AttemptId, outcome: Outcome) {
        self.record(What::Return { attempt, outcome });
    }

    pub(crate) fn ask(&mut self, intent: u32, operation: &str, fields: Value, outcome: Outcome) {
        let attempt = self.send(intent, call(operation, fields));
        self.pass(1);
        self.end(attempt, outcome);
    }

    pub(crate) fn transfer(&mut self, intent: u32, amount: i64, outcome: Outcome) {
        self.ask(intent, "transfer", body(intent, amount), outcome);
    }

    pub(crate) fn reverse(&mut self, intent: u32, original: &str, outcome: Outcome) {
        self.ask(intent, "reverse", json!({ "key": format!("k-{intent}"), "transfer": original }), outcome);
    }

    fn fault(&mut self, change: FaultChange) {
        self.record(What::Fault { step: StepId(0), change });
    }

    pub(crate) fn read(&mut self, rows: Vec<Value>) {
        let only = |these: &[Value], those: &[Value]| -> Vec<_> {
            these.iter().filter(|row| !those.contains(row)).cloned().collect()
        };
        let (added, removed) = (only(&rows, &self.shown), only(&self.shown, &rows));
        self.shown = rows;
        self.record(What::Rows { sent: Moment(self.now), source: "journal".into(), added, removed });
    }

    pub(crate) fn audit(&mut self, rows: Vec<Value>) {
        self.record(What::Phase { phase: Phase::Audit });
        self.read(rows);
    }

    fn event(&mut self, fields: Value) {
        let (topic, fields) = ("ledger.transfers".into(), object(fields));
        self.record(What::Record(Record {
            topic,
            partition: 0,
            offset: self.now as i64,
            key: None,
            headers: std::collections::BTreeMap::new(),
            fields,
        }));
    }

    pub(crate) fn judge(&self, requirement: &str) -> Finding {
        let patience = Patience { timeout: Duration::from_secs(1), attempts: 1, pause: Default::default() };
        let probe = Intent { call: Call::default(), binds: Vec::new() };
        let script = Script {
            intents: vec![probe],
            setup: Vec::new(),
            clients: Vec::new(),
            arrival: Arrival::Closed,
            patience,
            probes: Vec::new(),
            audit: Vec::new(),
            watch: Vec::new(),
        };
        let requirements = [format!("ledger.{requirement}")];
        let case = JudgedCase { requirements: &requirements, script: &script, plan: &self.plan };
        named("ledger").unwrap().judge(&self.history, &case).remove(0)
    }

    /// The kinds of what is blamed.
    pub(crate) fn blamed(&self, requirement: &str) -> Vec<String> {
        self.judge(requirement).anomalies.into_iter().map(|anomaly| anomaly.kind).collect()
    }

    /// How often what is described so was seen.
    pub(crate) fn seen(&self, requirement: &str, what: &str) -> u64 {
        let finding = self.judge(requirement);
        finding.evidence.iter().find(|evidence| evidence.what.contains(what)).map(|evidence| evidence.seen).unwrap()
    }
}

pub(crate) fn call(operation: &str, fields: Value) -> Call {
    Call { operation: operation.into(), fields: object(fields), raw: None }
}

/// From a-0001 to a-0002, under the intent's own key.
pub(crate) fn body(intent: u32, amount: i64) -> Value {
    json!({ "key": format!("k-{intent}"), "from": "a-0001", "to": "a-0002", "amount": amount, "currency": "EUR" })
}

/// The two entries of a transfer as the least talkative ledger shows them.
pub(crate) fn legs(sequence: i64, transfer: &str, (from, to): (u32, u32), amount: i64) -> Vec<Value> {
    let leg = |sequence, account, amount| {
        let account = format!("a-000{account}");
        json!({ "sequence": sequence, "transfer": transfer, "account": account, "amount": amount, "currency": "EUR" })
    };
    vec![leg(sequence, from, -amount), leg(sequence + 1, to, amount)]
}

pub(crate) fn with(mut rows: Vec<Value>, column: &str, value: &Value) -> Vec<Value> {
    for row in &mut rows {
        row[column] = value.clone();
    }
    rows
}

pub(crate) fn ok(transfer: &str) -> Outcome {
    Outcome::Ok { status: 201, reply: object(json!({ "transfer": transfer })) }
}

pub(crate) fn refused(status: u16) -> Outcome {
    Outcome::Refused { status: Some(status), why: "no".into(), reply: Map::new() }
}

pub(crate) fn status(status: u16) -> Outcome {
    Outcome::Unknown(Doubt::Status { status, body: String::new() })
}

pub(crate) fn timeout() -> Outcome {
    Outcome::Unknown(Doubt::Timeout)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[test]
fn a_second_reversal_is_seen_where_the_journal_shows_neither_key_nor_reverses() {
    let mut small = Small::new();
    small.transfer(3, 250, ok("t"));
    small.reverse(4, "t", ok("r"));
    small.reverse(5, "t", ok("s"));
    let original = legs(1, "t", (1, 2), 250);
    let once = [original, legs(3, "r", (2, 1), 250)].concat();
    let twice = [once.clone(), legs(5, "s", (2, 1), 250)].concat();
    small.audit(twice);
    assert_eq!(small.blamed("reverse-once"), ["double"]);
    assert_eq!(small.blamed("once"), [""; 0]);
    assert_eq!(small.seen("reverse-once", "reversals in the journal"), 2);

    // A reversal of the reversal moves what the transfer moved, and is not the transfer again.
    let mut small = Small::new();
    small.transfer(3, 250, ok("t"));
    small.reverse(4, "t", ok("r"));
    small.reverse(5, "r", timeout());
    small.audit([once, legs(5, "s", (1, 2), 250)].concat());
    for requirement in ["reverse-once", "once", "refused"] {
        assert_eq!(small.blamed(requirement), [""; 0], "{requirement}");
    }
    assert_eq!(small.seen("reverse-once", "reversals in the journal"), 2);
}

#[test]
fn a_reversal_in_doubt_is_not_fabricated_where_the_journal_shows_neither_key_nor_reverses() {
    let mut small = Small::new();
    small.transfer(3, 250, ok("t"));
    small.reverse(4, "t", timeout());
    let rows = [legs(1, "t", (1, 2), 250), legs(3, "r", (2, 1), 250)].concat();
    small.audit(rows.clone());
    assert_eq!(small.blamed("refused"), [""; 0]);

    let mut small = Small::new();
    small.transfer(3, 250, ok("t"));
    small.audit(rows);
    assert_eq!(small.blamed("refused"), ["fabricated"]);
}

#[test]
fn a_reversal_names_its_original_if_the_journal_shows_that_at_all() {
    let judged = |second: &Value| {
        let mut small = Small::new();
        for (intent, id) in [(3, "t"), (4, "u")] {
            small.transfer(intent, i64::from(intent), ok(id));
        }
        small.reverse(5, "t", ok("r"));
        small.reverse(6, "u", ok("s"));
        let first = if second.is_null() { Value::Null } else { json!("t") };
        let originals = [legs(1, "t", (1, 2), 3), legs(3, "u", (1, 2), 4)].concat();
        let one = with(legs(5, "r", (2, 1), 3), "reverses", &first);
        let other = with(legs(7, "s", (2, 1), 4), "reverses", second);
        small.audit([originals, one, other].concat());
        small.blamed("append-only")
    };
    assert_eq!(judged(&json!("u")), [""; 0]);
    assert_eq!(judged(&json!("t")), ["unnamed"]);
    assert_eq!(judged(&json!("")), ["unnamed"]);
    // Nothing is shown anywhere.
    assert_eq!(judged(&Value::Null), [""; 0]);
}

#[test]
fn only_the_columns_of_the_contract_have_to_stay() {
    let rows = || with(legs(1, "t", (1, 2), 250), "key", &json!("k-3"));
    let after = |change: &dyn Fn(Vec<Value>) -> Vec<Value>| {
        let mut small = Small::new();
        small.transfer(3, 250, ok("t"));
        small.read(with(rows(), "age", &json!(1)));
        small.audit(change(with(rows(), "age", &json!(2))));
        small.judge("append-only").anomalies
    };
    assert_eq!(after(&|rows| rows), []);
    for (column, value) in [("key", json!("k-4")), ("amount", json!(7)), ("sequence", json!(70))] {
        let anomalies = after(&|mut rows| {
            rows[1][column] = value.clone();
            rows
        });
        assert_eq!(anomalies.len(), 1, "{column}");
        assert_eq!(anomalies[0].kind, "changed");
        assert!(anomalies[0].found.contains(&format!("another {column}:")), "{}", anomalies[0].found);
    }
    let anomalies = after(&|mut rows| {
        rows.pop();
        rows
    });
    assert_eq!(anomalies[0].kind, "removed");
}

#[test]
fn an_entry_that_cannot_be_read_overdraws_nobody() {
    let judged = |credit: Value| {
        let mut small = Small::new();
        small.transfer(3, 250, ok("t"));
        let mut rows = legs(1, "f", (3, 1), 250);
        rows.remove(0);
        rows[0]["amount"] = credit;
        rows.extend(legs(3, "t", (1, 2), 250));
        small.audit(rows);
        small.blamed("overdraft")
    };
    assert_eq!(judged(json!("250")), [""; 0]);
    assert_eq!(judged(json!(250)), [""; 0]);
    assert_eq!(judged(json!(249)), ["overdrawn"]);
}

#[test]
fn a_decline_keeps_its_status() {
    let judged = |first: Outcome, then: Outcome| {
        let mut small = Small::new();
        small.transfer(3, 250, first);
        small.transfer(3, 250, then);
        small.blamed("same-answer")
    };
    assert_eq!(judged(refused(402), refused(404)), ["changed"]);
    assert_eq!(judged(refused(402), refused(402)), [""; 0]);
    assert_eq!(judged(status(503), refused(402)), [""; 0]);
    assert_eq!(judged(refused(402), status(409)), [""; 0]);
}

#[test]
fn a_service_that_is_silent_about_a_flaw_is_blamed_from_the_second_request() {
    let null = |intent: u32| {
        let fields = object(body(intent, 250));
        Call { operation: "transfer".into(), fields, raw: Some(RawBody::Text("null".into())) }
    };
    let unreadable = || Outcome::Unknown(Doubt::Unreadable("no JSON".into()));
    for silent in [timeout, unreadable, || status(302), || status(500)] {
        let mut small = Small::new();
        for intent in [3, 4] {
            let attempt = small.send(intent, null(intent));
            small.end(attempt, silent());
            let expected = if intent == 3 { 0 } else { 1 };
            assert_eq!(small.blamed("bad-input").len(), expected, "{:?}", silent());
        }
    }
    // Kept waiting by the same standstill, or speaking of a refusal that the manifest calls doubtful.
    let mut small = Small::new();
    let both = [3, 4].map(|intent| small.send(intent, null(intent)));
    small.pass(1_000);
    for attempt in both {
        small.end(attempt, status(503));
    }
    for intent in [5, 6] {
        let attempt = small.send(intent, null(intent));
        small.end(attempt, status(409));
    }
    assert_eq!(small.blamed("bad-input"), [""; 0]);
}

#[test]
fn every_kind_of_unreadable_body_counts_for_itself() {
    let mut small = Small::new();
    let bodies = ["", "{", "[]", "null", "no json at all", r#"{"from":"a-0001","to":"#];
    for (intent, text) in (3..).zip(bodies) {
        let raw = Some(RawBody::Text(text.into()));
        let attempt = small.send(intent, Call { raw, ..call("transfer", body(intent, 250)) });
        small.end(attempt, refused(400));
    }
    for (intent, field) in (20..).zip(["amount", "from"]) {
        let mut fields = body(intent, 250);
        fields.as_object_mut().unwrap().remove(field);
        small.ask(intent, "transfer", fields, refused(422));
    }
    // Two of them end too early.
    assert_eq!(small.seen("bad-input", "kinds of flaw"), 7);
}

#[test]
fn a_standstill_of_the_machine_is_not_contention() {
    let mut small = Small::new();
    let standing = [3, 4, 5].map(|intent| small.send(intent, call("transfer", body(intent, 250))));
    small.pass(1_000);
    for attempt in standing {
        small.end(attempt, status(503));
    }
    assert_eq!(small.blamed("contention"), [""; 0]);
    let mut small = Small::new();
    // The same transfer may be unlucky twice.
    small.transfer(3, 250, status(503));
    small.transfer(3, 250, status(503));
    small.transfer(3, 250, ok("t"));
    assert_eq!(small.blamed("contention"), [""; 0]);
    small.transfer(4, 251, status(503));
    assert_eq!(small.blamed("contention"), ["unanswered"]);

    // One that others overtook is the ledger's own.
    let mut small = Small::new();
    let deadlocked = small.send(3, call("transfer", body(3, 250)));
    for intent in 4..14 {
        small.transfer(intent, i64::from(intent), ok(&format!("t-{intent}")));
    }
    small.end(deadlocked, status(500));
    assert_eq!(small.blamed("contention"), ["unanswered"]);
}

#[test]
fn only_what_is_sent_after_redis_was_hit_counts_as_sent_after_it() {
    let mut small = Small::new();
    small.plan.steps.push(Step { fault: Fault::FlushRedis, trigger: Trigger::Operations(1), heal: Heal::AtEnd });
    small.transfer(3, 250, ok("t"));
    small.fault(FaultChange::Injected("about to".into()));
    small.transfer(3, 250, ok("t"));
    small.transfer(3, 250, ok("t"));
    small.fault(FaultChange::Bit("done".into()));
    small.transfer(3, 250, ok("t"));
    small.audit(legs(1, "t", (1, 2), 250));
    assert_eq!(small.seen("cache-loss", "sendings of applied keys"), 1);
}

/// The clock of api-2 is a day ahead, once this fault has bitten.
fn with_a_clock_ahead() -> Small {
    let mut small = Small::new();
    let change = ClockChange::Step(Shift::forwards(Duration::from_hours(24)));
    let fault = Fault::Clock { of: InstanceName { role: "api".into(), number: 2 }, change };
    small.plan.steps.push(Step { fault, trigger: Trigger::Operations(1), heal: Heal::AtEnd });
    small
}

impl Small {
    fn transfer_by(&mut self, number: u16, intent: u32, amount: i64, outcome: Outcome) {
        let attempt = self.send_to(number, intent, call("transfer", body(intent, amount)));
        self.pass(1);
        self.end(attempt, outcome);
    }

    fn clock_is_changed(&mut self) {
        self.fault(FaultChange::Injected("now".into()));
        self.fault(FaultChange::Bit("seen".into()));
    }
}

#[test]
fn an_answer_that_changes_with_the_clock_is_seen_and_one_that_changes_without_is_not_the_clocks() {
    let mut small = with_a_clock_ahead();
    small.transfer_by(1, 3, 250, ok("t"));
    small.transfer_by(2, 3, 250, refused(409));
    small.audit(legs(1, "t", (1, 2), 250));
    assert_eq!(small.blamed("clock"), [""; 0], "the clocks agreed");

    let mut small = with_a_clock_ahead();
    small.transfer_by(1, 3, 250, ok("t"));
    small.fault(FaultChange::Injected("now".into()));
    small.transfer_by(2, 3, 250, refused(409));
    small.fault(FaultChange::Missed("never read".into()));
    small.audit(legs(1, "t", (1, 2), 250));
    assert_eq!(small.blamed("clock"), [""; 0], "nobody read the clock");

    let mut small = with_a_clock_ahead();
    small.transfer_by(1, 3, 250, ok("t"));
    let meanwhile = small.send_to(2, 3, call("transfer", body(3, 250)));
    small.clock_is_changed();
    small.end(meanwhile, refused(409));
    small.audit(legs(1, "t", (1, 2), 250));
    assert_eq!(small.blamed("clock"), [""; 0], "which time it was told is not known");

    let mut small = with_a_clock_ahead();
    small.transfer_by(1, 3, 250, ok("t"));
    small.clock_is_changed();
    small.transfer_by(2, 3, 250, refused(409));
    small.audit(legs(1, "t", (1, 2), 250));
    assert_eq!(small.blamed("clock"), ["changed"]);
    assert_eq!(small.seen("clock", "sendings of applied keys"), 1);

    let mut small = with_a_clock_ahead();
    small.transfer_by(1, 3, 250, ok("t"));
    small.clock_is_changed();
    small.fault(FaultChange::Healed("right".into()));
    small.transfer_by(2, 3, 250, refused(409));
    small.audit(legs(1, "t", (1, 2), 250));
    assert_eq!(small.blamed("clock"), [""; 0], "the clock was right again");
}

#[test]
fn disorder_is_the_clocks_only_where_they_explain_all_of_it() {
    let journal = |places: [i64; 3]| {
        let legs = places.iter().zip(["t-3", "t-4", "t-5"]).zip([250, 251, 252]);
        legs.flat_map(|((place, name), amount)| legs_of(*place, name, amount)).collect::<Vec<_>>()
    };
    let play = |by: [u16; 3], places: [i64; 3]| {
        let mut small = with_a_clock_ahead();
        small.clock_is_changed();
        for (number, instance) in by.into_iter().enumerate() {
            let intent = 3 + number as u32;
            small.transfer_by(instance, intent, 250 + number as i64, ok(&format!("t-{intent}")));
        }
        small.audit(journal(places));
        small.blamed("clock")
    };
    assert_eq!(play([2, 1, 2], [1, 3, 5]), [""; 0], "in order");
    assert_eq!(play([2, 1, 2], [3, 1, 5]), ["reordered", "reordered"], "by the clocks, on both accounts");
    assert_eq!(play([1, 2, 2], [3, 1, 5]), [""; 0], "against the clocks");
    assert_eq!(play([1, 1, 2], [3, 1, 5]), [""; 0], "the clocks agreed");
    assert_eq!(play([2, 1, 1], [5, 3, 1]), [""; 0], "two of them for another reason");
}

fn legs_of(first: i64, transfer: &str, amount: i64) -> Vec<Value> {
    legs(first, transfer, (1, 2), amount)
}

#[test]
fn what_cannot_be_read_is_named() {
    let told = |rows: Vec<Value>, event: Value| {
        let mut small = Small::new();
        small.event(event);
        small.audit(rows);
        let what = |evidence: fireassay::judgement::Evidence| evidence.what;
        small.judge("event").evidence.into_iter().map(what).collect::<Vec<_>>().join("; ")
    };
    let mut without = legs(1, "t", (1, 2), 250);
    without[1].as_object_mut().unwrap().remove("sequence");
    let text = with(legs(1, "t", (1, 2), 250), "amount", &json!("250"));
    let told_of = told(without, json!({ "event": "e" }));
    assert!(told_of.contains("read in the audit (row without `sequence`)"), "{told_of}");
    assert!(told_of.contains("unreadable record (record without `transfer`)"), "{told_of}");
    let told_of = told(text, json!({ "unreadable": "the value is empty" }));
    assert!(told_of.contains("read in the audit (row whose `amount` cannot be read)"), "{told_of}");
    assert!(told_of.contains("unreadable record (record: the value is empty)"), "{told_of}");
    assert!(!told(legs(1, "t", (1, 2), 250), json!({ "event": "e", "transfer": "t" })).contains('('));
}

#[test]
fn no_event_is_lost_or_invented_until_the_topic_was_read_to_its_end() {
    let mut small = Small::new();
    small.transfer(3, 250, ok("t"));
    small.record(What::Phase { phase: Phase::Settle });
    small.transfer(4, 251, ok("probe"));
    small.event(json!({ "event": "e-probe", "transfer": "probe" }));
    small.event(json!({ "event": "e-made-up", "transfer": "made-up" }));
    small.audit([legs(1, "t", (1, 2), 250), legs(3, "probe", (1, 2), 251)].concat());
    assert_eq!(small.blamed("event"), [""; 0]);
    assert_eq!(small.seen("event", "read to their end"), 0);
    small.record(What::EventsRead);
    assert_eq!(small.seen("event", "read to their end"), 1);
    assert_eq!(small.blamed("event"), ["invented", "lost"]);
}
