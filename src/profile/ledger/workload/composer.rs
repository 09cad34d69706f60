//! Composing a script: accounts, intents and their keys, probes and the audit.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use foldhash::fast::RandomState;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use crate::history::{Call, IntentId, RawBody};
use crate::profile::Script;
use crate::profile::callers::Callers;
use crate::profile::ledger::facts::{ACCOUNTS, KEYS};
use crate::profile::programme::Programme;
use crate::profile::script::{Bind, Intent};

/// The stream of random numbers that workloads draw from, apart from the fault plan's.
const WORKLOAD_STREAM: u64 = 2;

/// The limit of a treasury: it funds all others and may owe this much, in minor units.
const TREASURY_LIMIT: i64 = -(1 << 62);

/// An account of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct AccountNumber(pub(super) u32);

/// A script in the making.
#[derive(Debug)]
pub(super) struct Composer {
    pub(super) random: ChaCha8Rng,
    intents: Vec<Intent>,
    setup: Vec<IntentId>,
    /// Currency by account number.
    accounts: Vec<&'static str>,
    bodies: HashSet<(AccountNumber, AccountNumber, i64), RandomState>,
}

impl Composer {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(WORKLOAD_STREAM);
        let (intents, setup, accounts) = (Vec::new(), Vec::new(), Vec::new());
        Self { random, intents, setup, accounts, bodies: HashSet::default() }
    }

    /// An account from which the others are funded.
    pub(super) fn treasury(&mut self, currency: &'static str) -> AccountNumber {
        self.account(currency, TREASURY_LIMIT)
    }

    /// An account with this much on it, in minor units.
    pub(super) fn funded(&mut self, treasury: AccountNumber, funds: i64) -> AccountNumber {
        let account = self.account(self.currency(treasury), 0);
        if funds > 0 {
            let intent = self.exactly(treasury, account, funds);
            self.setup.push(intent);
        }
        account
    }

    fn account(&mut self, currency: &'static str, limit: i64) -> AccountNumber {
        let number = AccountNumber(index(self.accounts.len()));
        self.accounts.push(currency);
        let fields = object(json!({ "account": name(number), "currency": currency, "limit": limit }));
        let intent = self.intent(Call { operation: "open".into(), fields, raw: None });
        self.setup.push(intent);
        number
    }

    /// A transfer of about this amount that no other intent of the script asks for.
    pub(super) fn transfer(&mut self, from: AccountNumber, to: AccountNumber, about: RangeInclusive<i64>) -> IntentId {
        let amount = self.random.random_range(about);
        self.exactly(from, to, amount)
    }

    /// A transfer of this amount, or of the next one that no other intent of the script asks for.
    pub(super) fn exactly(&mut self, from: AccountNumber, to: AccountNumber, amount: i64) -> IntentId {
        let amount = self.unused(from, to, amount);
        let key = self.next_key();
        self.intent(transfer(self.transfer_fields(&key, from, to, json!(amount))))
    }

    /// A transfer with the key of another one, and another amount.
    pub(super) fn other_body(&mut self, of: IntentId, from: AccountNumber, to: AccountNumber, amount: i64) -> IntentId {
        let amount = self.unused(from, to, amount);
        let key = KEYS.name(of.0);
        self.intent(transfer(self.transfer_fields(&key, from, to, json!(amount))))
    }

    /// The reversal, with a key of its own, of the transfer that another intent's reply names.
    pub(super) fn reversal(&mut self, of: IntentId) -> IntentId {
        let fields = object(json!({ "key": self.next_key() }));
        let bind = Bind { field: "transfer".into(), intent: of, reply: "transfer".into() };
        let call = Call { operation: "reverse".into(), fields, raw: None };
        self.intents.push(Intent { call, binds: vec![bind] });
        IntentId(index(self.intents.len() - 1))
    }

    /// The reversal of a transfer that nobody made.
    pub(super) fn reversal_of_nothing(&mut self) -> IntentId {
        // Looks like a real id, so that it is looked up and not only turned away by its form.
        let made_up = format!("00000000-0000-4000-8000-{:012}", self.intents.len());
        let fields = object(json!({ "key": self.next_key(), "transfer": made_up }));
        self.intent(Call { operation: "reverse".into(), fields, raw: None })
    }

    /// A transfer that has to be refused. `change` spoils the fields of a good one, whose amount it is told: what a
    /// careless service could make of the spoiled one has to be an amount that no good transfer asks for.
    pub(super) fn spoiled(
        &mut self,
        (from, to): (AccountNumber, AccountNumber),
        raw: Option<RawBody>,
        change: impl FnOnce(&mut Map<String, Value>, i64),
    ) -> IntentId {
        let amount = self.random.random_range(100..=900);
        let amount = self.unused(from, to, amount);
        let key = self.next_key();
        let mut fields = self.transfer_fields(&key, from, to, json!(amount));
        change(&mut fields, amount);
        self.intent(Call { operation: "transfer".into(), fields, raw })
    }

    /// A balance read.
    pub(super) fn balance(&mut self, account: AccountNumber) -> IntentId {
        self.read("balance", account)
    }

    /// A read of an account's entries.
    pub(super) fn entries(&mut self, account: AccountNumber) -> IntentId {
        self.read("entries", account)
    }

    fn read(&mut self, operation: &str, account: AccountNumber) -> IntentId {
        let fields = object(json!({ "account": name(account) }));
        self.intent(Call { operation: operation.into(), fields, raw: None })
    }

    /// The script: what was composed, a probe for each instance, and the audit: the balance of every account as each
    /// instance sees it, then every account's entries.
    pub(super) fn finish(mut self, programme: Programme, callers: &Callers, instances: usize) -> Script {
        let accounts: Vec<_> = (0..index(self.accounts.len())).map(AccountNumber).collect();
        let customer = accounts.iter().copied().find(|other| other.0 > 0 && self.currency(*other) == self.accounts[0]);
        let probes = match customer {
            Some(customer) => {
                (0..instances).map(|_| self.transfer(AccountNumber(0), customer, 1_000..=999_999)).collect()
            }
            None => Vec::new(),
        };
        let mut audit = Vec::new();
        for &account in &accounts {
            audit.extend((0..instances).map(|_| self.balance(account)));
        }
        for &account in &accounts {
            audit.push(self.entries(account));
        }
        let clients = programme.finish(&mut self.random, callers);
        let (arrival, patience) = (callers.arrival(), callers.patience());
        Script {
            intents: self.intents,
            setup: self.setup,
            clients,
            arrival,
            patience,
            probes,
            audit,
            watch: Vec::new(),
        }
    }

    fn currency(&self, account: AccountNumber) -> &'static str {
        self.accounts.get(account.0 as usize).copied().unwrap_or("EUR")
    }

    fn unused(&mut self, from: AccountNumber, to: AccountNumber, amount: i64) -> i64 {
        let mut amount = amount;
        // The opposite is what a reversal moves. Ends: every step leaves the finitely many bodies that are taken further
        // behind.
        while self.bodies.contains(&(to, from, amount)) || !self.bodies.insert((from, to, amount)) {
            amount += 1;
        }
        amount
    }

    fn next_key(&self) -> String {
        KEYS.name(index(self.intents.len()))
    }

    fn transfer_fields(&self, key: &str, from: AccountNumber, to: AccountNumber, amount: Value) -> Map<String, Value> {
        let currency = self.currency(from);
        let mut fields = object(json!({ "key": key, "from": name(from), "to": name(to), "currency": currency }));
        fields.insert("amount".into(), amount);
        fields
    }

    fn intent(&mut self, call: Call) -> IntentId {
        self.intents.push(Intent { call, binds: Vec::new() });
        IntentId(index(self.intents.len() - 1))
    }
}

fn transfer(fields: Map<String, Value>) -> Call {
    Call { operation: "transfer".into(), fields, raw: None }
}

/// The name of an account.
pub(super) fn name(account: AccountNumber) -> String {
    ACCOUNTS.name(account.0)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
