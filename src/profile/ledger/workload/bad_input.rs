//! Requests that have to be refused, between good ones.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::composer::{Composer, name};
use super::transfers::two;
use crate::history::{IntentId, RawBody};
use crate::profile::Script;
use crate::profile::callers::Callers;
use crate::profile::ledger::facts::ACCOUNTS;
use crate::profile::programme::Programme;

/// What each account has at first, in minor units: so little that the set-up goes well even where amounts are misread.
const FUNDS: i64 = 10_000_000;

/// See [`super::LedgerWorkload::BadInput`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BadInput {
    /// Who calls.
    pub callers: Callers,
    /// How many good transfers there are.
    pub good: u32,
    /// How many further good transfers, from the treasury, have amounts that do not fit into 32 bits, or not into the
    /// 53 of a float.
    pub large: u32,
    /// How many times every flaw is sent.
    pub times: u32,
}

impl Default for BadInput {
    fn default() -> Self {
        Self { callers: Callers::default(), good: 150, large: 24, times: 4 }
    }
}

impl BadInput {
    pub(super) fn script(&self, seed: u64, instances: usize) -> Script {
        let mut composer = Composer::new(seed);
        let euro = composer.treasury("EUR");
        let accounts: Vec<_> = (0..5).map(|_| composer.funded(euro, FUNDS)).collect();
        let dollar = composer.treasury("USD");
        let foreign = composer.funded(dollar, FUNDS);
        let mut programme = Programme::new(&self.callers);
        for _ in 0..self.good {
            let (from, to) = two(&mut composer, &accounts);
            let intent = composer.transfer(from, to, 100..=9_999);
            let client = programme.turn();
            programme.send(client, intent);
        }
        for number in 0..i64::from(self.large) {
            let (_, to) = two(&mut composer, &accounts);
            // Odd, so that rounding to 53 bits shows.
            let amount = if number % 2 == 0 { (1 << 33) + 5 + number } else { (1 << 53) + 2 * number - 1 };
            let intent = composer.exactly(euro, to, amount);
            programme.strew(&mut composer.random, intent);
        }
        for _ in 0..self.times {
            let pair = two(&mut composer, &accounts);
            for intent in flawed(&mut composer, pair, name(foreign)) {
                programme.strew(&mut composer.random, intent);
            }
        }
        composer.finish(programme, &self.callers, instances)
    }
}

/// One request of each kind that has to be refused.
fn flawed(
    composer: &mut Composer,
    pair: (super::composer::AccountNumber, super::composer::AccountNumber),
    foreign: String,
) -> Vec<IntentId> {
    let mut flawed = Vec::new();
    let amounts: [fn(i64) -> Value; 7] = [
        |_| json!(0),
        |amount| json!(-amount),
        |_| json!(i64::MIN),
        |_| json!(u64::MAX),
        |_| json!(1e19),
        |amount| Value::from(amount as f64 + 0.5),
        |amount| json!(amount.to_string()),
    ];
    for of in amounts {
        flawed.push(composer.spoiled(pair, None, |fields, amount| _ = fields.insert("amount".into(), of(amount))));
    }
    let same = name(pair.0);
    let unknown = ACCOUNTS.name(9_999);
    let changes =
        [("to", same), ("to", unknown.clone()), ("from", unknown), ("to", foreign), ("currency", "USD".into())];
    for (field, value) in changes {
        flawed.push(composer.spoiled(pair, None, |fields, _| _ = fields.insert(field.into(), value.into())));
    }
    for field in ["key", "amount", "from"] {
        flawed.push(composer.spoiled(pair, None, |fields, _| _ = fields.remove(field)));
    }
    for body in ["", "{", "[]", "null", "no json at all", r#"{"from":"a-0001","to":"#] {
        flawed.push(composer.spoiled(pair, Some(RawBody::Text(body.into())), |_, _| {}));
    }
    flawed.push(composer.spoiled(pair, Some(RawBody::Padded { bytes: 1 << 20 }), |_, _| {}));
    flawed
}
