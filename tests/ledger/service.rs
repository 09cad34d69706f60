//! A simulated ledger behind all instances: right, unless a defect is planted in it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use fireassay::history::{Call, Doubt, Outcome, RawBody, Record};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

/// How old a balance is that lags behind.
const LAG: u64 = 100_000_000;

/// A mistake in the simulated ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    ForgetsKeys,
    ForgetsKeysWithRedis,
    AcknowledgesTooMuch,
    AcknowledgesEarly,
    RefusesButMoves,
    MovesOnItsOwn,
    RoundsAmounts,
    LosesALeg,
    SplitsReadings,
    CreatesMoney,
    CachesBalances,
    TearsBalances,
    LagsBehind,
    DeclinesOnOldBalances,
    ShowsUncommitted,
    Overdraws,
    ForgetsDeclines,
    AcceptsOtherBodies,
    EditsEntries,
    DropsEntries,
    ReversesTwice,
    ReversesNothing,
    LosesEvents,
    InventsEvents,
    RenamesEvents,
    ReordersEvents,
    ScattersEvents,
    Deadlocks,
    AcceptsNegative,
    FailsOnText,
    StaysDown,
    StopsPublishing,
    CutsShort,
    IgnoresSigterm,
    KeysPerDay,
    RefusesOldKeys,
    OrdersByClock,
}

/// Nanoseconds. The simulated clocks start at noon.
const DAY: i64 = 86_400_000_000_000;
const WINDOW: i64 = 30_000_000_000;

#[derive(Debug)]
pub(crate) struct Service {
    random: ChaCha8Rng,
    defect: Option<Defect>,
    shows_keys: bool,
    /// Whether a defect may show now: only during the load.
    pub(crate) plants: bool,
    chances: u32,
    /// What the instance that acts now believes the time to be, in nanoseconds.
    pub(crate) clock: i64,
    /// When each key was claimed, by the clock of whoever did.
    claimed: HashMap<String, i64>,
    /// Whether Redis has forgotten everything.
    pub(crate) flushed: bool,
    forgotten: Vec<String>,
    /// Rows and when they become visible.
    rows: Vec<(u64, Value)>,
    sequence: i64,
    names: u32,
    keys: HashMap<String, (Call, Outcome)>,
    accounts: BTreeMap<String, Account>,
    posted: BTreeMap<String, Posted>,
    reversed: Vec<String>,
    outbox: VecDeque<String>,
    published: Vec<String>,
    /// How many of the last published events come again before the next one.
    unconfirmed: usize,
    commit: Duration,
    /// When everything that was carried out is in the journal.
    pub(crate) committed: u64,
    offsets: [i64; 4],
    cached: HashMap<String, i64>,
    silent: bool,
    readings: u32,
}

#[derive(Debug)]
struct Account {
    currency: String,
    limit: i64,
    balance: i64,
}

#[derive(Clone, Debug)]
struct Posted {
    from: String,
    to: String,
    amount: i64,
    currency: String,
}

impl Service {
    pub(crate) fn new(defect: Option<Defect>, shows_keys: bool, commit: Duration, seed: u64) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed ^ 0x5e41),
            defect,
            shows_keys,
            plants: false,
            clock: 0,
            claimed: HashMap::new(),
            chances: 0,
            flushed: false,
            forgotten: Vec::new(),
            rows: Vec::new(),
            sequence: 0,
            names: 0,
            keys: HashMap::new(),
            accounts: BTreeMap::new(),
            posted: BTreeMap::new(),
            reversed: Vec::new(),
            outbox: VecDeque::new(),
            published: Vec::new(),
            unconfirmed: 0,
            commit,
            committed: 0,
            offsets: [0; 4],
            cached: HashMap::new(),
            silent: false,
            readings: 0,
        }
    }

    /// Whether this defect shows this time.
    fn slips(&mut self, defect: Defect) -> bool {
        if self.defect != Some(defect) || !self.plants {
            return false;
        }
        self.chances += 1;
        self.chances % 5 == 3
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// Carries a call out: the outcome, and how many events are to be published for it.
    pub(crate) fn apply(&mut self, call: &Call, now: u64) -> (Outcome, usize) {
        let before = self.outbox.len();
        let outcome = match call.operation.as_str() {
            "open" => self.open(call),
            "transfer" => self.keyed(call, now, Self::transfer),
            "reverse" => self.keyed(call, now, Self::reverse),
            _ => self.view(call, now),
        };
        (outcome, self.outbox.len() - before)
    }

    fn open(&mut self, call: &Call) -> Outcome {
        let limit = call.fields["limit"].as_i64().unwrap();
        let account = Account { currency: text(call, "currency"), limit, balance: 0 };
        self.accounts.insert(text(call, "account"), account);
        ok(200, json!({ "account": call.fields["account"] }))
    }

    fn keyed(&mut self, call: &Call, now: u64, act: fn(&mut Self, &Call, u64) -> Outcome) -> Outcome {
        let Some(mut key) = call.fields.get("key").and_then(Value::as_str).map(str::to_owned) else {
            return refused(400, "no key", None);
        };
        if self.has(Defect::KeysPerDay) {
            key = format!("{}/{key}", (self.clock + DAY / 2).div_euclid(DAY));
        }
        match &call.raw {
            Some(RawBody::Padded { .. }) => return refused(413, "too large", None),
            Some(RawBody::Text(_)) => return refused(400, "no JSON", None),
            None => {}
        }
        if let Some((known, answer)) = self.keys.get(&key).cloned() {
            let same = known == *call;
            if self.has(Defect::RefusesOldKeys) && self.clock - self.claimed[&key] > WINDOW {
                return refused(409, "too old", None);
            }
            if !same && self.slips(Defect::AcceptsOtherBodies) {
                return act(self, call, now);
            }
            let lost = self.flushed && !self.forgotten.contains(&key) && self.has(Defect::ForgetsKeysWithRedis);
            if lost {
                self.forgotten.push(key.clone());
            } else if !same {
                return refused(422, "key_reuse", None);
            } else if !(matches!(answer, Outcome::Ok { .. }) && self.slips(Defect::ForgetsKeys)) {
                return answer;
            }
        }
        let outcome = act(self, call, now);
        let declined = matches!(outcome, Outcome::Refused { status: Some(402), .. });
        let kept = matches!(outcome, Outcome::Ok { .. }) || (declined && !self.has(Defect::ForgetsDeclines));
        if kept {
            self.claimed.insert(key.clone(), self.clock);
            self.keys.insert(key, (call.clone(), outcome.clone()));
        }
        outcome
    }

    fn transfer(&mut self, call: &Call, now: u64) -> Outcome {
        let amount = match &call.fields.get("amount") {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(_)) if self.has(Defect::FailsOnText) => {
                return Outcome::Unknown(Doubt::Status { status: 500, body: String::new() });
            }
            _ => None,
        };
        let Some(amount) = amount.filter(|n| *n > 0 || (*n > i64::MIN && *n < 0 && self.has(Defect::AcceptsNegative)))
        else {
            return refused(422, "amount", None);
        };
        let posted =
            Posted { from: text(call, "from"), to: text(call, "to"), amount, currency: text(call, "currency") };
        let (Some(from), Some(to)) = (self.accounts.get(&posted.from), self.accounts.get(&posted.to)) else {
            return refused(404, "no account", None);
        };
        if posted.from == posted.to || from.currency != posted.currency || to.currency != posted.currency {
            return refused(422, "accounts", None);
        }
        if self.slips(Defect::Deadlocks) {
            return Outcome::Unknown(Doubt::Status { status: 500, body: "deadlock".into() });
        }
        self.post(call, posted, None, now)
    }

    fn reverse(&mut self, call: &Call, now: u64) -> Outcome {
        let original = text(call, "transfer");
        let Some(posted) = self.posted.get(&original).cloned() else {
            return if self.has(Defect::ReversesNothing) {
                ok(201, json!({ "transfer": "r-nothing" }))
            } else {
                refused(404, "no transfer", None)
            };
        };
        if self.reversed.contains(&original) && !self.slips(Defect::ReversesTwice) {
            return refused(409, "already reversed", None);
        }
        let Posted { from, to, amount, currency } = posted;
        let outcome = self.post(call, Posted { from: to, to: from, amount, currency }, Some(&original), now);
        if matches!(outcome, Outcome::Ok { .. }) {
            self.reversed.push(original);
        }
        outcome
    }

    fn post(&mut self, call: &Call, posted: Posted, reverses: Option<&str>, now: u64) -> Outcome {
        self.names += 1;
        let id = format!("t{:05}", self.names);
        let Account { balance, limit, .. } = self.accounts[&posted.from];
        let short = balance.checked_sub(posted.amount).is_none_or(|left| left < limit);
        let was_short = || self.balance_at(&posted.from, now.saturating_sub(LAG)) - posted.amount < limit;
        let short = short || (self.plants && self.has(Defect::DeclinesOnOldBalances) && was_short());
        if short && !(balance >= limit && posted.amount < 1 << 30 && self.slips(Defect::Overdraws)) {
            if self.slips(Defect::RefusesButMoves) {
                self.book(call, &id, &posted, reverses, now);
            }
            return refused(402, "insufficient_funds", Some(&id));
        }
        if !self.slips(Defect::AcknowledgesTooMuch) {
            self.book(call, &id, &posted, reverses, now);
        }
        if self.slips(Defect::MovesOnItsOwn) {
            let own = Posted { amount: posted.amount + 1_000_003, ..posted };
            let unasked = Call { operation: "transfer".into(), ..Call::default() };
            self.names += 1;
            self.book(&unasked, &format!("t{:05}", self.names), &own, None, now);
        }
        ok(201, json!({ "transfer": id, "status": "posted" }))
    }

    fn book(&mut self, call: &Call, id: &str, posted: &Posted, reverses: Option<&str>, now: u64) {
        let Posted { from, to, currency, .. } = posted;
        let amount = posted.amount - i64::from(self.slips(Defect::RoundsAmounts));
        let slow = self.commit.as_nanos() as u64;
        // Commits become visible in the order of the journal.
        self.committed = self.committed.max(now + if slow > 0 { self.random.random_range(0..slow) } else { 0 });
        let visible = self.committed + if self.plants && self.has(Defect::AcknowledgesEarly) { 120_000_000 } else { 0 };
        let extra = i64::from(self.slips(Defect::CreatesMoney));
        let legs = [(from, -amount), (to, amount + extra)];
        let kept = if self.slips(Defect::LosesALeg) { 1 } else { 2 };
        if self.has(Defect::OrdersByClock) {
            self.sequence = DAY * 365 + self.clock + 2 * i64::from(self.names);
        }
        for (account, amount) in legs.into_iter().take(kept) {
            self.sequence += 1;
            let mut row = json!({
                "sequence": self.sequence, "transfer": id, "account": account, "amount": amount, "currency": currency,
            });
            if let Some(key) = call.fields.get("key").filter(|_| self.shows_keys) {
                row["key"] = key.clone();
            }
            if let Some(reverses) = reverses {
                row["reverses"] = reverses.into();
            }
            self.rows.push((visible, row));
            self.accounts.get_mut(account).unwrap().balance += amount;
        }
        self.posted.insert(id.to_owned(), Posted { amount, ..posted.clone() });
        if !self.slips(Defect::LosesEvents) {
            self.outbox.push_back(id.to_owned());
        }
    }

    /// What is not committed yet is seen by nobody.
    fn balance_at(&self, account: &str, at: u64) -> i64 {
        let to_come = self.rows.iter().filter(|(visible, row)| *visible > at && row["account"] == account);
        self.accounts[account].balance - to_come.map(|(_, row)| row["amount"].as_i64().unwrap()).sum::<i64>()
    }

    fn view(&mut self, call: &Call, now: u64) -> Outcome {
        let name = text(call, "account");
        if call.operation == "balance" {
            let seen_at = if self.plants && self.has(Defect::LagsBehind) { now.saturating_sub(LAG) } else { now };
            let uncommitted = if self.slips(Defect::ShowsUncommitted) { 333 } else { 0 };
            let balance = self.balance_at(&name, seen_at) + uncommitted;
            let caches = self.has(Defect::CachesBalances);
            let cached = *self.cached.entry(name.clone()).or_insert(balance);
            return ok(200, json!({ "account": name, "balance": if caches { cached } else { balance } }));
        }
        let balance = self.balance_at(&name, now);
        let of = |row: &&(u64, Value)| row.0 <= now && row.1["account"] == *name;
        let entries: Vec<_> = self.rows.iter().filter(of).map(|(_, row)| row.clone()).collect();
        let torn = i64::from(self.slips(Defect::TearsBalances));
        ok(200, json!({ "balance": balance + torn, "entries": entries }))
    }

    /// Publishes the next event, and sometimes one from before again.
    pub(crate) fn publish(&mut self) -> Vec<Record> {
        let reorders = self.outbox.len() > 3 && self.slips(Defect::ReordersEvents);
        let first = self.outbox.front().map(|id| self.posted[id].from.clone());
        let overtaking = self.outbox.iter().rposition(|id| Some(&self.posted[id].from) == first.as_ref());
        let next = self.outbox.remove(overtaking.filter(|_| reorders).unwrap_or(0));
        if self.chances > 20 && self.has(Defect::StopsPublishing) {
            self.silent = true;
        }
        if self.slips(Defect::StopsPublishing) || self.silent {
            return Vec::new();
        }
        let mut records = Vec::new();
        let again =
            self.published.iter().rev().take(std::mem::take(&mut self.unconfirmed)).cloned().collect::<Vec<_>>();
        for id in again.iter().rev() {
            records.push(self.event(id, "e"));
        }
        if let Some(id) = next {
            records.push(self.event(&id, "e"));
            self.published.push(id.clone());
            if self.random.random_range(0..10) == 0 {
                let name = if self.has(Defect::RenamesEvents) { "again" } else { "e" };
                records.push(self.event(&id, name));
            }
        }
        if self.slips(Defect::InventsEvents) {
            let made_up = json!({ "event": "e-made-up", "transfer": "t-made-up" });
            records.push(self.append(0, "a-0001", object(made_up)));
        }
        records
    }

    /// The relay ends before it could note what it had published last.
    pub(crate) fn redeliver(&mut self) {
        self.unconfirmed = 3;
    }

    fn event(&mut self, id: &str, prefix: &str) -> Record {
        let account = self.posted[id].from.clone();
        let of_account = account.bytes().map(usize::from).sum::<usize>() % 4;
        let scatters = self.slips(Defect::ScattersEvents);
        let partition = if scatters { (of_account + 1) % 4 } else { of_account };
        let fields = json!({ "event": format!("{prefix}-{id}"), "transfer": id, "account": account });
        self.append(partition, &account, object(fields))
    }

    fn append(&mut self, partition: usize, key: &str, fields: Map<String, Value>) -> Record {
        let offset = self.offsets[partition];
        self.offsets[partition] += 1;
        let topic = "ledger.transfers".to_owned();
        Record {
            topic,
            partition: partition as i32,
            offset,
            key: Some(key.to_owned()),
            headers: BTreeMap::new(),
            fields,
        }
    }

    /// The journal in one snapshot.
    pub(crate) fn journal(&mut self, now: u64) -> Vec<Value> {
        // What is spoiled here has been read before.
        if self.plants && self.rows.len() > 60 {
            self.readings += 1;
            if self.readings == 2 && self.has(Defect::EditsEntries) {
                self.rows[50].1["key"] = Value::Null;
            }
            if self.readings == 2 && self.has(Defect::DropsEntries) {
                let dropped = self.rows[50].1["transfer"].clone();
                self.rows.retain(|(_, row)| row["transfer"] != dropped);
            }
        }
        let mut rows: Vec<_> = self.rows.iter().filter(|(at, _)| *at <= now).map(|(_, row)| row.clone()).collect();
        if self.plants && self.has(Defect::SplitsReadings) && rows.len() > 60 {
            rows.pop();
        }
        rows
    }
}

fn text(call: &Call, field: &str) -> String {
    call.fields.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
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

fn refused(status: u16, why: &str, transfer: Option<&str>) -> Outcome {
    let mut reply = object(json!({ "error": why }));
    if let Some(transfer) = transfer {
        reply.insert("transfer".into(), transfer.into());
    }
    Outcome::Refused { status: Some(status), why: why.into(), reply }
}
