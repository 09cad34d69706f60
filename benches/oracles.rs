//! How many operations a second the ledger's oracles judge, and how much memory they take for each.
//!
//! One operation is an intent with 1.2 attempts, two journal rows and one event. Run with
//! `cargo bench --bench oracles`.

mod memory;

use std::hint::black_box;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use fireassay::fault::Plan;
use fireassay::history::{
    AttemptId, Call, ClientId, Event, InstanceName, IntentId, Moment, Outcome, Phase, Record, What,
};
use fireassay::profile::ledger::facts::{Facts, Reader};
use fireassay::profile::ledger::{judge, requirements};
use fireassay::profile::script::{Arrival, Patience};
use fireassay::profile::{JudgedCase, Script};
use memory::{Counting, IN_USE, PEAK};
use serde_json::{Map, Value, json};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many accounts the transfers go over.
const ACCOUNTS: u32 = 64;

/// How many transfers go by between two readings of the journal.
const READ_EVERY: u32 = 10_000;

/// Makes the events of `operations` transfers and hands them over one by one, so that they need not be kept.
fn generate(operations: u32, mut see: impl FnMut(Event)) {
    let mut at = 0;
    let mut event = |mut what| {
        at += 1_000;
        if let What::Rows { sent, .. } = &mut what {
            *sent = Moment(at);
        }
        see(Event { at: Moment(at), what });
    };
    let instances = [1, 2].map(|number| InstanceName { role: "api".into(), number });
    let account = |number: u32| format!("a-{number:04}");
    let mut attempts = 0;
    let mut send =
        |event: &mut dyn FnMut(What), intent: u32, operation: &str, fields: Value, transfer: Option<&str>| {
            let attempt = AttemptId(attempts);
            attempts += 1;
            let call = Call { operation: operation.into(), fields: object(fields), raw: None };
            let client = ClientId(u16::try_from(intent % 16).unwrap_or(0));
            let to = instances[attempts as usize % 2].clone();
            event(What::Invoke { attempt, intent: IntentId(intent), client, to, call });
            let reply = object(json!({ "transfer": transfer }));
            event(What::Return { attempt, outcome: Outcome::Ok { status: 201, reply } });
        };
    event(What::Phase { phase: Phase::Setup });
    for number in 0..ACCOUNTS {
        let fields = json!({ "account": account(number), "currency": "EUR", "limit": i64::MIN / 2 });
        send(&mut event, number, "open", fields, None);
    }
    event(What::Phase { phase: Phase::Load });
    let mut rows = Vec::new();
    for number in 0..operations {
        let intent = ACCOUNTS + number;
        let (from, to) = (number % ACCOUNTS, (number * 7 + 1 + number % ACCOUNTS) % ACCOUNTS);
        let to = if to == from { (to + 1) % ACCOUNTS } else { to };
        let (from, to) = (account(from), account(to));
        let (amount, key, transfer) = (100 + number, format!("k-{intent}"), format!("018f-{number:012x}"));
        let fields = || json!({ "key": key, "from": from, "to": to, "amount": amount, "currency": "EUR" });
        for _ in 0..if number % 5 == 0 { 2 } else { 1 } {
            send(&mut event, intent, "transfer", fields(), Some(&transfer));
        }
        for (leg, (account, sign)) in [(&from, -1), (&to, 1)].into_iter().enumerate() {
            rows.push(json!({
                "sequence": 2 * u64::from(number) + leg as u64, "transfer": transfer, "account": account,
                "amount": sign * i64::from(amount), "currency": "EUR", "key": key,
            }));
        }
        let fields = object(json!({ "event": format!("e-{number:012x}"), "transfer": transfer, "account": from }));
        let partition = i32::try_from(number % ACCOUNTS % 4).unwrap_or(0);
        let (topic, key) = ("ledger.transfers".to_owned(), Some(from.clone()));
        event(What::Record(Record {
            topic,
            partition,
            offset: i64::from(number),
            key,
            headers: std::collections::BTreeMap::new(),
            fields,
        }));
        if number % READ_EVERY == READ_EVERY - 1 || number + 1 == operations {
            if number + 1 == operations {
                event(What::Phase { phase: Phase::Audit });
            }
            let added = std::mem::take(&mut rows);
            event(What::Rows { sent: Moment::default(), source: "journal".into(), added, removed: Vec::new() });
        }
    }
    event(What::EventsRead);
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn facts(operations: u32) -> Facts {
    let mut reader = Reader::default();
    generate(operations, |event| reader.see(&event));
    reader.finish()
}

fn script() -> Script {
    let patience = Patience { timeout: Duration::from_secs(1), attempts: 1, pause: Duration::ZERO };
    Script {
        intents: Vec::new(),
        setup: Vec::new(),
        clients: Vec::new(),
        arrival: Arrival::Closed,
        patience,
        probes: Vec::new(),
        audit: Vec::new(),
        watch: Vec::new(),
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let requirements: Vec<_> = requirements().map(str::to_owned).collect();
    let (script, plan) = (script(), Plan::default());
    let case = JudgedCase { requirements: &requirements, script: &script, plan: &plan };

    let mut group = criterion.benchmark_group("oracles");
    for operations in [100_000, 1_000_000] {
        let before = IN_USE.load(Ordering::Relaxed);
        let facts = facts(operations);
        let held = IN_USE.load(Ordering::Relaxed).saturating_sub(before);
        PEAK.store(IN_USE.load(Ordering::Relaxed), Ordering::Relaxed);
        let base = IN_USE.load(Ordering::Relaxed);
        let start = Instant::now();
        let findings = judge(&facts, &case);
        let took = start.elapsed();
        let working = PEAK.load(Ordering::Relaxed).saturating_sub(base);
        let blamed: u64 = findings.iter().map(|finding| finding.anomalies_total).sum();
        println!(
            "{operations} operations, all {} oracles together: {:.2} million operations a second, \
             {} bytes per operation held and {} more while judging, {blamed} anomalies",
            requirements.len(),
            f64::from(operations) / took.as_secs_f64() / 1e6,
            held / operations as usize,
            working / operations as usize,
        );
        group.throughput(Throughput::Elements(u64::from(operations)));
        group.bench_function(BenchmarkId::new("judge", operations), |bench| {
            bench.iter(|| judge(black_box(&facts), &case));
        });
    }

    // Apart: from generic events to the typed form.
    let operations = 100_000;
    let mut events = Vec::new();
    generate(operations, |event| events.push(event));
    group.throughput(Throughput::Elements(u64::from(operations)));
    group.bench_function(BenchmarkId::new("read", operations), |bench| {
        let read = |mut reader: Reader| {
            events.iter().for_each(|event| reader.see(event));
            reader.finish()
        };
        bench.iter_batched(Reader::default, read, BatchSize::LargeInput);
    });
    group.finish();
    criterion.final_summary();
}
