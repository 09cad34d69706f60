//! A simulated order service with its relay, its workers and its gateway: right, unless a defect is planted in it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use fireassay::history::{Call, Doubt, InstanceName, Moment, Outcome, Planted, Played, Record, What};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

pub(crate) const MS: u64 = 1_000_000;

/// A mistake in the simulated service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    NewGatewayKeys,
    NewKeysOnRedelivery,
    ForgetsEvents,
    PaysForNothing,
    ShowsPaidEarly,
    TakesSilenceForNo,
    BuriesCharged,
    ChargesOtherAmounts,
    SkipsEvents,
    AcknowledgesTooMuch,
    LosesEvents,
    InventsEvents,
    RenamesEvents,
    ReordersEvents,
    ScattersEvents,
    SkipsVersions,
    RevivesOrders,
    StopsAtPoison,
    DropsPoison,
    BuriesNothing,
    GivesNoReason,
    NeverGivesUp,
    RetriesDeclines,
    RetriesAtOnce,
    ForgetsReplays,
    RefusesReplays,
    ReplaysTwice,
    IgnoresRetryAfter,
    FailsWhenThrottled,
    BuriesWhenThrottled,
    NeedsTheBroker,
    DropsWithoutBroker,
    MisjudgesDatabase,
    RefusesButMakes,
    MakesTwo,
    NamesAnother,
    DropsCorrelation,
    ChargesUncorrelated,
    LogsUncorrelated,
    LogsCards,
    PublishesTokens,
    BuriesCards,
    StaysDown,
    StopsWorking,
}

/// How the gateway behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Gateway {
    #[default]
    Fine,
    /// The first charges are put off by a second.
    Throttles(u32),
    /// Every charge fails.
    Down,
    /// Every seventh charge is made, and not answered.
    Silent,
}

/// Something that is to be done later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Job {
    Publish,
    Work(usize),
    Charge(Task),
    Settle(Task, bool),
    /// A late writer puts an order back to what it was.
    Revive(usize),
}

/// A piece of a worker's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Task {
    order: usize,
    partition: usize,
    tries: u8,
    /// Made of a dead letter, or of an event.
    replay: bool,
    redelivered: bool,
}

#[derive(Clone, Debug)]
struct Order {
    call: Call,
    state: &'static str,
    version: i64,
}

#[derive(Clone, Debug)]
enum Rec {
    Event { order: usize, version: i64 },
    Poison(String),
}

#[derive(Clone, Debug)]
struct Letter {
    order: Option<usize>,
    payload: String,
    replayed: bool,
}

#[derive(Debug)]
pub(crate) struct Service {
    random: ChaCha8Rng,
    defect: Option<Defect>,
    pub(crate) gateway: Gateway,
    /// Whether a defect may show now: only during the load.
    pub(crate) plants: bool,
    chances: u32,
    pub(crate) broker_away: bool,
    pub(crate) database_away: bool,
    /// How many steps of workers are still to be cut short.
    pub(crate) disturbed: u32,
    orders: Vec<Order>,
    outbox: VecDeque<(usize, i64, &'static str)>,
    topic: [Vec<Rec>; 4],
    cursor: [usize; 4],
    busy: [bool; 4],
    blocked: [bool; 4],
    done: HashSet<(usize, i64)>,
    letters: Vec<Letter>,
    charged: HashMap<String, (String, bool)>,
    charges: u32,
    calls: u32,
    published: u32,
    /// How many of the last published events come again.
    pub(crate) unconfirmed: usize,
    history: Vec<(usize, i64, &'static str)>,
    pub(crate) out: Vec<What>,
    pub(crate) later: Vec<(u64, Job)>,
}

impl Service {
    pub(crate) fn new(defect: Option<Defect>, seed: u64) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed ^ 0x5e41),
            defect,
            gateway: Gateway::Fine,
            plants: false,
            chances: 0,
            broker_away: false,
            database_away: false,
            disturbed: 0,
            orders: Vec::new(),
            outbox: VecDeque::new(),
            topic: Default::default(),
            cursor: [0; 4],
            busy: [false; 4],
            blocked: [false; 4],
            done: HashSet::new(),
            letters: Vec::new(),
            charged: HashMap::new(),
            charges: 0,
            calls: 0,
            published: 0,
            unconfirmed: 0,
            history: Vec::new(),
            out: Vec::new(),
            later: Vec::new(),
        }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// Whether this defect shows this time.
    fn slips(&mut self, defect: Defect) -> bool {
        if self.defect != Some(defect) || !self.plants {
            return false;
        }
        self.chances += 1;
        self.chances % 3 == 1
    }

    fn soon(&mut self, pause: u64, job: Job) {
        self.later.push((pause, job));
    }

    // ------------------------------------------------------------------------------------------------ the API

    pub(crate) fn apply(&mut self, call: &Call) -> Outcome {
        if self.broker_away && self.has(Defect::NeedsTheBroker) {
            return doubtful(500);
        }
        if self.database_away {
            let known = self.orders.iter().any(|order| Some(&order.call.fields["key"]) == call.fields.get("key"));
            if call.operation == "create" && !known && self.slips(Defect::RefusesButMakes) {
                self.make(call);
                return refused(400);
            }
            return if self.has(Defect::MisjudgesDatabase) { refused(400) } else { doubtful(503) };
        }
        match call.operation.as_str() {
            "create" => self.create(call),
            "order" => {
                let Some(order) = number(call) else { return refused(404) };
                self.shown(order, 200)
            }
            _ => self.replay(call),
        }
    }

    fn create(&mut self, call: &Call) -> Outcome {
        let known = self.orders.iter().position(|order| order.call.fields["key"] == call.fields["key"]);
        match known {
            Some(known) if known > 0 && self.slips(Defect::NamesAnother) => self.shown(known - 1, 201),
            Some(_) if self.slips(Defect::MakesTwo) => self.taken(call),
            Some(known) => self.shown(known, 201),
            None if self.slips(Defect::AcknowledgesTooMuch) => {
                let id = format!("lost-{}", self.orders.len());
                ok(201, json!({ "order": id, "state": "CREATED", "version": 1 }))
            }
            None => self.taken(call),
        }
    }

    fn taken(&mut self, call: &Call) -> Outcome {
        let order = self.make(call);
        self.shown(order, 201)
    }

    fn make(&mut self, call: &Call) -> usize {
        self.orders.push(Order { call: call.clone(), state: "CREATED", version: 1 });
        let order = self.orders.len() - 1;
        if self.slips(Defect::InventsEvents) {
            self.outbox.push_back((order + 10_000, 1, "CREATED"));
        }
        if !(self.broker_away && self.has(Defect::DropsWithoutBroker)) {
            self.outbox.push_back((order, 1, "CREATED"));
        }
        self.soon(MS, Job::Publish);
        order
    }

    fn shown(&self, order: usize, status: u16) -> Outcome {
        let Order { state, version, .. } = self.orders[order];
        ok(status, json!({ "order": name(order), "state": state, "version": version }))
    }

    fn replay(&mut self, call: &Call) -> Outcome {
        let Some(order) = number(call) else { return refused(404) };
        if self.has(Defect::RefusesReplays) {
            return refused(404);
        }
        let dead = self.letters.iter_mut().find(|letter| letter.order == Some(order) && !letter.replayed);
        let Some(letter) = dead else { return refused(404) };
        letter.replayed = true;
        let task = Task { order, partition: order % 4, tries: 0, replay: true, redelivered: false };
        let twice = self.has(Defect::ReplaysTwice);
        if !self.has(Defect::ForgetsReplays) {
            self.soon(2 * MS, Job::Charge(task));
        }
        if twice {
            self.charge(Task { redelivered: true, ..task }, 0, Some("again"));
        }
        ok(202, json!({ "replayed": 1 }))
    }

    // ---------------------------------------------------------------------------------------------- the relay

    /// Does a job that is due.
    pub(crate) fn perform(&mut self, job: Job, now: u64) {
        match job {
            Job::Publish => self.publish(),
            Job::Work(partition) => self.work(partition),
            Job::Charge(task) => self.attempt(task, now),
            Job::Settle(task, paid) => self.settle(task, paid),
            Job::Revive(order) => (self.orders[order].state, self.orders[order].version) = ("PAYMENT_PENDING", 2),
        }
    }

    fn publish(&mut self) {
        if self.broker_away {
            return;
        }
        let again = std::mem::take(&mut self.unconfirmed).min(self.history.len());
        for number in self.history.len() - again..self.history.len() {
            self.tell(self.history[number], false);
        }
        let Some(mut told) = self.outbox.pop_front() else { return };
        // The event of the payment overtakes the one before it.
        if told.1 == 2 && self.slips(Defect::ReordersEvents) {
            let later = if self.orders[told.0].call.fields["card"].as_str().unwrap().starts_with("4000") {
                "FAILED"
            } else {
                "PAID"
            };
            self.tell((told.0, 3, later), true);
        }
        if told.1 == 3 && self.slips(Defect::LosesEvents) {
            self.soon(MS, Job::Publish);
            return;
        }
        if told.0 >= 10_000 {
            told.2 = "CREATED";
        }
        self.tell(told, true);
        self.history.push(told);
        if self.random.random_range(0..10) == 0 {
            let renamed = self.has(Defect::RenamesEvents);
            self.tell(told, !renamed);
        }
        self.soon(MS, Job::Publish);
    }

    /// Appends an event to the topic; with its right id or another one.
    fn tell(&mut self, (order, version, state): (usize, i64, &'static str), right: bool) {
        self.published += 1;
        let right = right || !self.has(Defect::RenamesEvents);
        let id = if right { format!("e-{order}-{version}") } else { format!("again-{}", self.published) };
        let scatters = self.slips(Defect::ScattersEvents);
        let partition = (order + usize::from(scatters && version == 2)) % 4;
        let fields = json!({ "event": id, "order": name(order), "version": version, "state": state });
        let rec = Rec::Event { order, version };
        let mut record = self.append(partition, rec, object(fields));
        record.key = Some(name(order));
        if let Some(order) = self.orders.get(order).cloned() {
            if !self.slips(Defect::DropsCorrelation) {
                let id = order.call.fields["correlation"].as_str().unwrap().to_owned();
                record.headers.insert("correlation-id".into(), id);
            }
            if self.slips(Defect::PublishesTokens) {
                let token = order.call.fields["token"].as_str().unwrap();
                record.headers.insert("authorization".into(), format!("Bearer {token}"));
            }
        }
        self.out.push(What::Record(record));
        self.soon(MS, Job::Work(partition));
    }

    fn append(&mut self, partition: usize, rec: Rec, fields: Map<String, Value>) -> Record {
        let offset = self.topic[partition].len() as i64;
        self.topic[partition].push(rec);
        let (topic, headers) = ("orders.events".to_owned(), Default::default());
        Record { topic, partition: partition as i32, offset, key: None, headers, fields }
    }

    /// The harness puts something on the topic that nobody can act on: broken, or of an order that does not exist.
    pub(crate) fn poison(&mut self, number: usize) {
        let (partition, order) = (number % 4, format!("nowhere-{number}"));
        let (payload, fields) = if number.is_multiple_of(2) {
            (format!("{{\"id\": \"poison-{number}\""), json!({ "unreadable": "EOF" }))
        } else {
            let fields = json!({ "event": format!("p-{number}"), "order": order, "version": 1, "state": "CREATED" });
            (fields.to_string(), fields)
        };
        let record = self.append(partition, Rec::Poison(payload.clone()), object(fields));
        self.planted(record, payload, false);
    }

    /// The harness copies an event.
    pub(crate) fn copy(&mut self, partition: usize) {
        let copied = self.topic[partition].iter().rev().find_map(|rec| match rec {
            Rec::Event { order, version: 1 } if *order < 10_000 => Some(*order),
            _ => None,
        });
        let Some(order) = copied else { return };
        let id = format!("e-{order}-1");
        let fields = json!({ "event": id, "order": name(order), "version": 1, "state": "CREATED" });
        let mut record = self.append(partition, Rec::Event { order, version: 1 }, object(fields));
        let correlation = self.orders[order].call.fields["correlation"].as_str().unwrap().to_owned();
        record.headers.insert("correlation-id".into(), correlation);
        self.planted(record, "a copy".to_owned(), true);
    }

    fn planted(&mut self, record: Record, payload: String, readable: bool) {
        let Record { ref topic, partition, offset, .. } = record;
        let planted = Planted { topic: topic.clone(), partition, offset, key: None, payload, readable };
        // The consumer may be faster than the one who wrote.
        self.out.extend([What::Record(record), What::Planted(planted)]);
        self.soon(MS, Job::Work(partition as usize));
    }

    // -------------------------------------------------------------------------------------------- the workers

    fn work(&mut self, partition: usize) {
        if self.busy[partition] || self.blocked[partition] || self.broker_away || self.database_away {
            return;
        }
        if self.has(Defect::StopsWorking) && !self.plants {
            return;
        }
        let Some(rec) = self.topic[partition].get(self.cursor[partition]).cloned() else { return };
        match rec {
            Rec::Poison(payload) => {
                if self.has(Defect::StopsAtPoison) {
                    self.blocked[partition] = true;
                    return;
                }
                if !self.has(Defect::DropsPoison) {
                    self.letters.push(Letter { order: None, payload, replayed: false });
                }
            }
            Rec::Event { order, version: 1 } if order < self.orders.len() => {
                let known = self.done.contains(&(order, 1));
                let task = Task { order, partition, tries: 0, replay: false, redelivered: known };
                let again = known && self.has(Defect::ForgetsEvents) && self.orders[order].state == "PAID";
                if again {
                    self.charge(task, 0, Some("again"));
                }
                if !known && !self.slips(Defect::SkipsEvents) {
                    return self.begin(task);
                }
                if known && self.slips(Defect::RevivesOrders) {
                    self.soon(400 * MS, Job::Revive(order));
                }
            }
            Rec::Event { .. } => {}
        }
        self.cursor[partition] += 1;
        self.soon(MS, Job::Work(partition));
    }

    fn begin(&mut self, task: Task) {
        self.busy[task.partition] = true;
        let redelivered = self.orders[task.order].state != "CREATED";
        if !redelivered {
            self.change(task.order, "PAYMENT_PENDING", 2);
        }
        if self.slips(Defect::PaysForNothing) {
            return self.settle(task, true);
        }
        if self.slips(Defect::ShowsPaidEarly) {
            self.change(task.order, "PAID", 3);
            return self.soon(300 * MS, Job::Charge(Task { redelivered, ..task }));
        }
        self.soon(2 * MS, Job::Charge(Task { redelivered, ..task }));
    }

    fn change(&mut self, order: usize, state: &'static str, version: i64) {
        let skips = version == 3 && self.slips(Defect::SkipsVersions);
        let version = version - i64::from(skips);
        (self.orders[order].state, self.orders[order].version) = (state, version);
        self.outbox.push_back((order, version, state));
        self.soon(MS, Job::Publish);
    }

    /// Whether the worker dies here, so that somebody has to do all of it again.
    fn dies(&mut self, task: Task) -> bool {
        let away = self.database_away;
        if !away && (self.disturbed == 0 || task.replay || self.random.random::<bool>()) {
            return false;
        }
        self.disturbed = self.disturbed.saturating_sub(1);
        self.busy[task.partition] = false;
        self.soon(150 * MS, Job::Work(task.partition));
        true
    }

    fn attempt(&mut self, task: Task, now: u64) {
        if self.dies(task) {
            return;
        }
        let key = if self.slips(Defect::NewGatewayKeys) || (task.redelivered && self.has(Defect::NewKeysOnRedelivery)) {
            Some("again")
        } else {
            None
        };
        let declined = self.card(task.order).starts_with("4000");
        let status = self.charge(task, now, None);
        if key.is_some() && status == Some(201) {
            self.charge(task, now, key);
        }
        if self.dies(task) {
            return;
        }
        match status {
            Some(402) if self.slips(Defect::RetriesDeclines) && task.tries < 2 => {
                self.soon(100 * MS, Job::Charge(Task { tries: task.tries + 1, ..task }));
            }
            Some(201 | 402) => self.soon(MS, Job::Settle(task, !declined)),
            Some(429) if self.has(Defect::FailsWhenThrottled) => self.settle(task, false),
            Some(429) if self.has(Defect::BuriesWhenThrottled) => self.bury(task),
            Some(429) => {
                let wait = if self.slips(Defect::IgnoresRetryAfter) { 60 } else { 1_001 };
                self.soon(wait * MS, Job::Charge(task));
            }
            None if self.has(Defect::TakesSilenceForNo) => self.settle(task, false),
            None if self.has(Defect::BuriesCharged) => self.bury(task),
            None => self.soon(MS, Job::Settle(task, !declined)),
            _ => {
                let most = if self.has(Defect::NeverGivesUp) { 7 } else { 3 };
                if task.tries + 1 >= most {
                    return self.bury(task);
                }
                let pause = if self.has(Defect::RetriesAtOnce) { MS } else { 50 * MS * u64::from(task.tries + 1) };
                self.soon(pause, Job::Charge(Task { tries: task.tries + 1, ..task }));
            }
        }
    }

    /// Charges at the gateway; what it answered.
    fn charge(&mut self, task: Task, now: u64, key: Option<&str>) -> Option<u16> {
        self.calls += 1;
        let fields = self.orders[task.order].call.fields.clone();
        let mut amount = fields["amount"].as_i64().unwrap();
        if self.slips(Defect::ChargesOtherAmounts) {
            amount += 1;
        }
        let declined = self.card(task.order).starts_with("4000");
        let key = key.map_or_else(|| name(task.order), |more| format!("{}-{more}-{}", name(task.order), self.calls));
        let (mut effect, mut same_as) = (None, None);
        let status = match self.gateway {
            Gateway::Throttles(first) if self.plants && first > 0 => {
                self.gateway = Gateway::Throttles(first - 1);
                Some(429)
            }
            Gateway::Down if self.plants => Some(503),
            gateway => {
                if let Some((charge, _)) = self.charged.get(&key) {
                    same_as = Some(charge.clone());
                } else {
                    self.charges += 1;
                    let charge = format!("ch-{}", self.charges);
                    self.charged.insert(key.clone(), (charge.clone(), declined));
                    effect = Some(charge);
                }
                let silent = gateway == Gateway::Silent && self.plants && self.calls.is_multiple_of(7);
                if silent { None } else { Some(if declined { 402 } else { 201 }) }
            }
        };
        let correlation = fields["correlation"].as_str().map(str::to_owned);
        let correlation = correlation.filter(|_| !self.slips(Defect::ChargesUncorrelated));
        self.out.push(What::Played(Played {
            of: "gateway".into(),
            from: InstanceName { role: "worker".into(), number: (task.partition % 2 + 1) as u16 },
            received: Moment(now),
            operation: "charge".into(),
            key: Some(key),
            correlation,
            fields: object(json!({ "order": name(task.order), "amount": amount, "currency": fields["currency"] })),
            effect,
            same_as,
            status,
            retry_after: (status == Some(429)).then_some(Duration::from_secs(1)),
        }));
        status
    }

    fn card(&self, order: usize) -> &str {
        self.orders[order].call.fields["card"].as_str().unwrap()
    }

    fn bury(&mut self, task: Task) {
        let card = if self.has(Defect::BuriesCards) { self.card(task.order) } else { "" };
        let payload = format!("{{\"order\":\"{}\"}}{card}", name(task.order));
        self.letters.push(Letter { order: Some(task.order), payload, replayed: false });
        self.finish(task);
    }

    fn settle(&mut self, task: Task, paid: bool) {
        if self.dies(task) {
            return;
        }
        if !matches!(self.orders[task.order].state, "PAID" | "FAILED") {
            self.change(task.order, if paid { "PAID" } else { "FAILED" }, 3);
        }
        self.finish(task);
    }

    fn finish(&mut self, task: Task) {
        self.done.insert((task.order, 1));
        if !task.replay {
            self.cursor[task.partition] += 1;
            self.busy[task.partition] = false;
            self.soon(MS, Job::Work(task.partition));
        }
    }

    /// The broker or the database is back.
    pub(crate) fn back(&mut self) {
        self.soon(MS, Job::Publish);
        for partition in 0..4 {
            self.soon(2 * MS, Job::Work(partition));
        }
    }

    // ------------------------------------------------------------------------------------------- what it shows

    pub(crate) fn rows(&self) -> Vec<Value> {
        let row = |(number, order): (usize, &Order)| {
            let fields = &order.call.fields;
            json!({
                "id": name(number), "key": fields["key"], "state": order.state, "version": order.version,
                "amount": fields["amount"], "currency": fields["currency"],
            })
        };
        self.orders.iter().enumerate().map(row).collect()
    }

    pub(crate) fn letters(&self) -> Vec<Value> {
        let row = |(number, letter): (usize, &Letter)| {
            let payload = if self.has(Defect::BuriesNothing) { Value::Null } else { json!(letter.payload) };
            let reason = if self.has(Defect::GivesNoReason) { Value::Null } else { json!("cannot be done") };
            let order = letter.order.map(name);
            json!({ "id": number, "order": order, "reason": reason, "payload": payload, "replayed": letter.replayed })
        };
        self.letters.iter().enumerate().map(row).collect()
    }

    /// Which of these texts are in the logs of the role.
    pub(crate) fn printed(&self, watch: &[String]) -> Vec<String> {
        let said = |word: &&String| {
            let fields = |field: &'static str| self.orders.iter().map(move |order| &order.call.fields[field]);
            let correlated = fields("correlation").any(|id| id == word.as_str()) && !self.has(Defect::LogsUncorrelated);
            correlated || (self.has(Defect::LogsCards) && fields("card").any(|card| card == word.as_str()))
        };
        watch.iter().filter(said).cloned().collect()
    }

    pub(crate) fn is_down(&self) -> bool {
        self.has(Defect::StaysDown)
    }
}

fn name(order: usize) -> String {
    format!("o-{order:05}")
}

fn number(call: &Call) -> Option<usize> {
    call.fields.get("order")?.as_str()?.strip_prefix("o-")?.parse().ok()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn ok(status: u16, reply: Value) -> Outcome {
    Outcome::Ok { status, reply: object(reply) }
}

fn refused(status: u16) -> Outcome {
    Outcome::Refused { status: Some(status), why: "no".into(), reply: Map::new() }
}

fn doubtful(status: u16) -> Outcome {
    Outcome::Unknown(Doubt::Status { status, body: String::new() })
}
