//! Reports, suites and histories for tests: a transfer that was applied twice because api-2 was killed before it answered.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::fault::{Fault, Heal, Plan, Step, Trigger};
use crate::history::{
    AttemptId, Call, ClientId, Doubt, End, Event, FaultChange, History, InstanceName, IntentId, Moment, Outcome, Phase,
    ProcessChange, Record, StepId, What,
};
use crate::judgement::{Anomaly, Evidence, Finding, Witness};
use crate::profile::script::{Arrival, Patience};
use crate::profile::{Script, Workload};
use crate::runner::{CASE_FORMAT, CaseFile, CaseReport, FaultReport, Figures, Judged};
use crate::suite::{Case, Level, Requirement, Suite, Tier};

pub(crate) fn requirement(id: &str) -> Requirement {
    Requirement {
        id: id.into(),
        level: Level::Must,
        text: "A transfer is applied at most once per idempotency key.".into(),
        why: "A debit that is applied twice takes money from somebody.".into(),
    }
}

/// A finding of `ledger.once` that [`history`] bears out.
pub(crate) fn double_debit() -> Finding {
    let found = "k-0 was applied twice: t-1 and t-2 each took 250 EUR from a-3".to_owned();
    let witnesses = vec![
        Witness::Intent(IntentId(0)),
        Witness::Fault(StepId(0)),
        Witness::Rows { event: 9, rows: vec![0, 2], removed: false },
    ];
    let anomaly = Anomaly { kind: "double".into(), expected: "one transfer for the key k-0".into(), found, witnesses };
    let evidence = Evidence { what: "transfers sent again after they were applied".into(), seen: 1, least: 1 };
    Finding {
        requirement: "ledger.once".into(),
        anomalies: vec![anomaly],
        anomalies_total: 3,
        evidence: vec![evidence],
    }
}

/// A judged requirement that is violated, or passed.
pub(crate) fn judged(id: &str, violated: bool) -> Judged {
    let mut finding = Finding { requirement: id.into(), ..double_debit() };
    if !violated {
        (finding.anomalies, finding.anomalies_total) = (Vec::new(), 0);
    }
    let verdict = finding.verdict();
    Judged { requirement: requirement(id), finding, verdict, expected: None, lacks: None }
}

/// A report of a run in which `ledger.acked` passed and these requirements were violated.
pub(crate) fn report(case: &str, seed: u64, violated: &[&str]) -> CaseReport {
    let mut findings: Vec<_> = violated.iter().map(|id| judged(id, true)).collect();
    findings.push(judged("ledger.acked", false));
    let bit =
        FaultReport { step: StepId(0), fault: "kill api-2".into(), bit: Some("exit by SIGKILL".into()), missed: None };
    CaseReport {
        fireassay_result: CASE_FORMAT,
        profile: "ledger".into(),
        case: case.into(),
        title: "Transfers are sent again".into(),
        regression: None,
        target: "reference".into(),
        seed,
        verdict: findings.iter().map(|judged| judged.verdict).max().expect("one finding at least"),
        findings,
        faults: vec![bit],
        figures: Figures {
            intents: 2,
            attempts: 3,
            ok: 2,
            unknown: 1,
            recovery: Some(Duration::from_millis(310)),
            ..Figures::default()
        },
        error: None,
        stuck: None,
        notes: Vec::new(),
        whole: true,
        interrupted: false,
        directory: PathBuf::from("target/fireassay/runs/retries-7"),
        started_unix: 1_700_000_000,
        took: Duration::from_millis(4_250),
    }
}

#[derive(Debug)]
struct NoWork;

impl Workload for NoWork {
    fn script(&self, _seed: u64, _instances: &[InstanceName]) -> Script {
        script()
    }
}

/// Two cases, quick and full.
pub(crate) fn suite() -> Suite {
    let case = |id: &str, tier, requirements: &[&str]| Case {
        explore: None,
        id: id.into(),
        title: format!("the case {id}"),
        tier,
        requirements: requirements.iter().map(|id| (*id).to_owned()).collect(),
        workload: Arc::new(NoWork),
        faults: Vec::new(),
        read_every: None,
        settle: Duration::from_secs(5),
    };
    Suite {
        profile: "ledger".into(),
        version: 1,
        requirements: ["ledger.once", "ledger.acked", "ledger.event"].map(requirement).to_vec(),
        cases: vec![
            case("retries", Tier::Quick, &["ledger.once", "ledger.acked"]),
            case("broker-down", Tier::Full, &["ledger.event", "ledger.acked"]),
        ],
    }
}

fn script() -> Script {
    let second = Duration::from_secs(1);
    let patience = Patience { timeout: second, attempts: 3, pause: second };
    // As it is stored, so that a script may gain lists without these tests.
    let stored = json!({"intents": [], "setup": [], "clients": [], "arrival": Arrival::Closed, "patience": patience, "probes": []});
    serde_json::from_value(stored).expect("a script")
}

/// The case that [`history`] is of.
pub(crate) fn case_file() -> CaseFile {
    let kill = Step { trigger: Trigger::Operations(1), fault: Fault::Kill(api(2)), heal: Heal::AtEnd };
    CaseFile {
        fireassay_case: CASE_FORMAT,
        tool: "0.1.0".into(),
        profile: "ledger".into(),
        suite: 1,
        case: "retries".into(),
        title: "Transfers are sent again".into(),
        tier: Tier::Quick,
        target: "reference".into(),
        manifest: PathBuf::from("targets/reference/target.toml"),
        regression: None,
        env: vec![("REFERENCE_DEFECTS".into(), "check-then-insert".into())],
        seed: 7,
        requirements: vec![requirement("ledger.once"), requirement("ledger.acked")],
        expected: Vec::new(),
        lacks: Vec::new(),
        read_every: None,
        settle: Duration::from_secs(10),
        script: script(),
        plan: Plan::of(vec![kill]),
        trace: false,
        to_rest: false,
        one_behind_the_front: false,
    }
}

fn api(number: u16) -> InstanceName {
    InstanceName { role: "api".into(), number }
}

fn fields(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

/// `k-0` is sent to api-2, which is killed; then to api-1. Both were applied.
pub(crate) fn history() -> History {
    let transfer = |key: &str| Call {
        operation: "transfer".into(),
        fields: fields(&json!({"key": key, "from": "a-3", "to": "a-1", "amount": 250, "currency": "EUR"})),
        raw: None,
    };
    let invoke = |attempt, intent, client, to, key: &str| What::Invoke {
        attempt: AttemptId(attempt),
        intent: IntentId(intent),
        client: ClientId(client),
        to,
        call: transfer(key),
    };
    let ok = |id: &str| Outcome::Ok { status: 201, reply: fields(&json!({"transfer": id})) };
    let row = |sequence: u32, transfer: &str, account: &str, amount: i64| json!({"sequence": sequence, "transfer": transfer, "account": account, "amount": amount, "currency": "EUR"});
    let journal = vec![
        row(1, "t-1", "a-3", -250),
        row(2, "t-1", "a-1", 250),
        row(3, "t-2", "a-3", -250),
        row(4, "t-2", "a-1", 250),
    ];
    let gone = ProcessChange::Exited { status: "signal: 9 (SIGKILL)".into(), expected: true };
    let events = [
        (0, What::Phase { phase: Phase::Load }),
        (800_000, invoke(0, 0, 3, api(2), "k-0")),
        (801_000, invoke(1, 1, 4, api(1), "k-1")),
        (812_400, What::Fault { step: StepId(0), change: FaultChange::Injected("kill api-2".into()) }),
        (812_900, What::Process { name: "api-2".into(), change: gone }),
        (
            813_000,
            What::Return { attempt: AttemptId(0), outcome: Outcome::Unknown(Doubt::Reset("connection reset".into())) },
        ),
        (
            813_100,
            What::Fault { step: StepId(0), change: FaultChange::Bit("it ended by SIGKILL with 1 request open".into()) },
        ),
        (830_000, invoke(2, 0, 3, api(1), "k-0")),
        (842_000, What::Return { attempt: AttemptId(2), outcome: ok("t-2") }),
        (
            2_000_000,
            What::Rows { sent: Moment(1_990_000_000), source: "journal".into(), added: journal, removed: Vec::new() },
        ),
        (
            2_100_000,
            What::Record(Record {
                topic: "ledger.transfers".into(),
                partition: 2,
                offset: 17,
                key: Some("a-3".into()),
                headers: std::collections::BTreeMap::new(),
                fields: fields(&json!({"event": "e-1", "transfer": "t-1"})),
            }),
        ),
        (2_200_000, What::End { why: End::Completed }),
    ];
    History { events: events.into_iter().map(|(micros, what)| Event { at: Moment(micros * 1_000), what }).collect() }
}
