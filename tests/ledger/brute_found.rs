//! Mistakes of the oracles that random histories have shown, each told by hand as short as it goes: who was blamed
//! without reason, and that the same tale with a reason is still blamed.

use std::time::Duration;

use fireassay::fault::plan::Step;
use fireassay::fault::{Fault, Heal, Plan, Trigger};
use fireassay::history::{
    AttemptId, Call, ClientId, Doubt, Event, FaultChange, History, InstanceName, IntentId, Moment, Outcome, Phase,
    ProcessChange, StepId, What,
};
use fireassay::judgement::Verdict;
use fireassay::profile::Script;
use fireassay::profile::script::{Arrival, Patience};
use serde_json::{Map, Value, json};

use super::{Run, judge};

/// A history in the making. Times are in milliseconds.
#[derive(Default)]
struct Tale {
    events: Vec<Event>,
    faults: Vec<Fault>,
    attempts: u32,
}

impl Tale {
    /// Accounts `a-0000` and `a-0001` are open, and the load has begun.
    fn new() -> Self {
        let mut tale = Self::default();
        tale.tell(0, What::Phase { phase: Phase::Setup });
        for intent in 0..2_u32 {
            let fields = json!({ "account": format!("a-000{intent}"), "currency": "EUR", "limit": -1_000_000 });
            let attempt = tale.send(0, intent, "open", fields);
            tale.answer(0, attempt, ok(json!({})));
        }
        tale.tell(1, What::Phase { phase: Phase::Load });
        tale
    }

    fn tell(&mut self, at: u64, what: What) {
        self.events.push(Event { at: Moment(at * 1_000_000), what });
    }

    fn send(&mut self, at: u64, intent: u32, operation: &str, fields: Value) -> AttemptId {
        let attempt = AttemptId(self.attempts);
        self.attempts += 1;
        let call = Call { operation: operation.into(), fields: object(fields), raw: None };
        self.tell(at, What::Invoke { attempt, intent: IntentId(intent), client: ClientId(0), to: api(), call });
        attempt
    }

    /// Sends a good transfer from `a-0000` to `a-0001`.
    fn transfer(&mut self, at: u64, intent: u32, amount: i64) -> AttemptId {
        let key = format!("k-{intent}");
        let fields = json!({ "key": key, "from": "a-0000", "to": "a-0001", "currency": "EUR", "amount": amount });
        self.send(at, intent, "transfer", fields)
    }

    fn answer(&mut self, at: u64, attempt: AttemptId, outcome: Outcome) {
        self.tell(at, What::Return { attempt, outcome });
    }

    fn read(&mut self, at: u64, added: Vec<Value>) {
        let sent = Moment(at * 1_000_000);
        self.tell(at, What::Rows { sent, source: "journal".into(), added, removed: Vec::new() });
    }

    /// Whether the requirement is violated.
    fn violates(&self, requirement: &str) -> bool {
        let patience = Patience { timeout: Duration::from_secs(1), attempts: 1, pause: Duration::ZERO };
        let script = Script {
            intents: Vec::new(),
            setup: Vec::new(),
            clients: Vec::new(),
            arrival: Arrival::Closed,
            patience,
            probes: Vec::new(),
            audit: Vec::new(),
            watch: Vec::new(),
        };
        let step = |fault: &Fault| Step { trigger: Trigger::Operations(1), fault: fault.clone(), heal: Heal::AtEnd };
        let plan = Plan::of(self.faults.iter().map(step).collect());
        let run = Run { script, plan, history: History { events: self.events.clone() } };
        judge(&run, &[format!("ledger.{requirement}")])[0].verdict() == Verdict::Violation
    }
}

fn api() -> InstanceName {
    InstanceName { role: "api".into(), number: 1 }
}

fn ok(reply: Value) -> Outcome {
    Outcome::Ok { status: 201, reply: object(reply) }
}

fn refused(status: Option<u16>) -> Outcome {
    Outcome::Refused { status, why: "no".into(), reply: Map::new() }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[test]
fn a_connection_that_the_plan_breaks_is_not_a_request_cut_short() {
    let tale = |faults: &[Fault]| {
        let mut tale = Tale { faults: faults.to_vec(), ..Tale::new() };
        let (cut, other) = (tale.transfer(10, 2, 100), tale.transfer(20, 3, 200));
        tale.answer(200, other, ok(json!({ "transfer": "t-1" })));
        tale.tell(300, What::Fault { step: StepId(0), change: FaultChange::Injected("SIGTERM".into()) });
        tale.answer(310, cut, Outcome::Unknown(Doubt::Reset("reset".into())));
        let change = ProcessChange::Exited { status: "exit status: 0".into(), expected: true };
        tale.tell(320, What::Process { name: "api-1".into(), change });
        tale.violates("drains")
    };
    assert!(tale(&[Fault::Stop(api())]));
    assert!(!tale(&[Fault::Stop(api()), Fault::Kill(api())]));
    let edge = "client->api-1".to_owned().try_into().unwrap();
    assert!(!tale(&[Fault::Stop(api()), Fault::Cut { edge }]));
}

#[test]
fn an_attempt_that_was_not_sent_does_not_show_that_an_instance_was_alive() {
    let tale = |answer: &dyn Fn(u64) -> Outcome| {
        let mut tale = Tale { faults: vec![Fault::Stop(api())], ..Tale::new() };
        let (cut, other) = (tale.transfer(10, 2, 100), tale.transfer(20, 3, 200));
        tale.answer(200, other, answer(1));
        tale.tell(300, What::Fault { step: StepId(0), change: FaultChange::Injected("SIGTERM".into()) });
        tale.answer(310, cut, Outcome::Unknown(Doubt::Reset("reset".into())));
        let drains = tale.violates("drains");

        let mut tale = Tale::new();
        let silent = tale.transfer(10, 2, 100);
        for number in 1..=10 {
            let attempt = tale.transfer(10 + number, 2 + number as u32, 100 + number as i64);
            tale.answer(10 + number, attempt, answer(number));
        }
        tale.answer(900, silent, Outcome::Unknown(Doubt::Timeout));
        (drains, tale.violates("contention"))
    };
    assert_eq!(tale(&|number| ok(json!({ "transfer": format!("t-{number}") }))), (true, true));
    assert_eq!(tale(&|_| refused(None)), (false, false));
}

#[test]
fn a_transfer_in_doubt_may_still_move_although_its_repetition_was_not_sent() {
    let tale = |again: Outcome| {
        let mut tale = Tale::new();
        let lost = tale.transfer(10, 2, 100);
        tale.answer(20, lost, Outcome::Unknown(Doubt::Timeout));
        let repeated = tale.transfer(30, 2, 100);
        tale.answer(31, repeated, again);
        tale.tell(40, What::Phase { phase: Phase::Audit });
        tale.read(50, Vec::new());
        // It arrives now; the run is broken off before the journal is read again.
        let view = tale.send(60, 3, "balance", json!({ "account": "a-0001" }));
        tale.answer(61, view, ok(json!({ "balance": 100 })));
        tale.violates("projection")
    };
    assert!(tale(refused(Some(402))));
    assert!(!tale(refused(None)));
}

#[test]
fn an_instance_is_not_wedged_if_it_refuses_or_if_the_run_ends_meanwhile() {
    let tale = |last: &dyn Fn(&mut Tale, AttemptId), then: Option<Outcome>| {
        let mut tale = Tale::new();
        let bad = tale.transfer(10, 2, 0);
        tale.answer(11, bad, refused(Some(422)));
        let silent: Vec<_> = (3..9).map(|intent| tale.transfer(20, intent, 100 + i64::from(intent))).collect();
        silent.into_iter().for_each(|attempt| last(&mut tale, attempt));
        if let Some(outcome) = then {
            let attempt = tale.transfer(2_000, 9, 500);
            tale.answer(2_001, attempt, outcome);
        }
        tale.violates("bad-input")
    };
    let timeout = |tale: &mut Tale, attempt| tale.answer(1_000, attempt, Outcome::Unknown(Doubt::Timeout));
    assert!(tale(&timeout, None));
    assert!(!tale(&timeout, Some(refused(Some(402)))));
    assert!(!tale(&|_, _| {}, None));
}

#[test]
fn a_good_transfer_is_not_taken_for_a_careless_reading_of_a_bad_one() {
    let tale = |good: bool| {
        let mut tale = Tale::new();
        if good {
            let attempt = tale.transfer(10, 2, 250);
            tale.answer(11, attempt, ok(json!({ "transfer": "t-1" })));
        }
        // Read backwards, this asks for the same. The journal shows no keys.
        let fields = json!({ "key": "k-3", "from": "a-0001", "to": "a-0000", "currency": "EUR", "amount": -250 });
        let bad = tale.send(20, 3, "transfer", fields);
        tale.answer(21, bad, refused(Some(422)));
        tale.tell(40, What::Phase { phase: Phase::Audit });
        let leg = |sequence, account: &str, amount| json!({ "sequence": sequence, "transfer": "t-1", "account": account, "amount": amount, "currency": "EUR" });
        tale.read(50, vec![leg(1, "a-0000", -250), leg(2, "a-0001", 250)]);
        ["bad-input", "acked"].map(|requirement| tale.violates(requirement))
    };
    assert_eq!(tale(false), [true, false]);
    assert_eq!(tale(true), [false, false]);
}
