//! Transfers over a few hot accounts.

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::composer::{AccountNumber, Composer};
use crate::profile::Script;
use crate::profile::callers::Callers;
use crate::profile::programme::{Programme, pick};

/// More than any account ever has, in minor units.
const IMPOSSIBLE: i64 = 1 << 40;

/// See [`super::LedgerWorkload::Transfers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transfers {
    /// Who calls.
    pub callers: Callers,
    /// Over how many accounts; the fewer, the hotter.
    pub accounts: u16,
    /// What each account has at first, in minor units.
    pub funds: i64,
    /// How many transfers.
    pub intents: u32,
    /// How many times one of them is sent again later.
    pub again: u32,
    /// How many of them are first sent several times at once.
    pub concurrent: u32,
    /// How many times at once.
    pub copies: u8,
    /// Every other transfer goes the opposite way over the same two accounts, by another caller at the same time.
    pub opposite: bool,
    /// How many further transfers ask for more than there is.
    pub impossible: u32,
    /// How many transfers are reversed later.
    pub reversed: u32,
    /// How many balances and as many lists of entries are read meanwhile.
    pub reads: u32,
}

impl Default for Transfers {
    fn default() -> Self {
        Self {
            callers: Callers::default(),
            accounts: 8,
            funds: 10_000_000,
            intents: 240,
            again: 60,
            concurrent: 0,
            copies: 3,
            opposite: false,
            impossible: 12,
            reversed: 0,
            reads: 12,
        }
    }
}

impl Transfers {
    pub(super) fn script(&self, seed: u64, instances: usize) -> Script {
        let mut composer = Composer::new(seed);
        let treasury = composer.treasury("EUR");
        let accounts: Vec<_> = (0..self.accounts.max(2)).map(|_| composer.funded(treasury, self.funds)).collect();
        let mut programme = Programme::new(&self.callers);

        let mut transfers = Vec::new();
        let mut deck = Deck { accounts: accounts.clone(), left: 0 };
        let mut pair = deck.deal(&mut composer);
        for number in 0..self.intents {
            pair = match pair {
                (from, to) if self.opposite && number % 2 == 1 => (to, from),
                _ => deck.deal(&mut composer),
            };
            let intent = composer.transfer(pair.0, pair.1, 100..=9_999);
            let copies = if number < self.concurrent { self.copies.max(1) } else { 1 };
            let client = programme.turn();
            programme.send_copies(client, intent, copies);
            transfers.push(intent);
        }
        for _ in 0..self.reversed {
            if let Some(&original) = pick(&mut composer.random, &transfers) {
                let reversal = composer.reversal(original);
                programme.send_after(&mut composer.random, original, reversal);
            }
        }
        for _ in 0..self.impossible {
            let (from, to) = two(&mut composer, &accounts);
            let intent = composer.transfer(from, to, IMPOSSIBLE..=IMPOSSIBLE << 1);
            programme.strew(&mut composer.random, intent);
            transfers.push(intent);
        }
        for _ in 0..self.again {
            programme.send_again(&mut composer.random, &transfers);
        }
        for _ in 0..self.reads {
            let (one, other) = two(&mut composer, &accounts);
            let (balance, entries) = (composer.balance(one), composer.entries(other));
            programme.strew(&mut composer.random, balance);
            programme.strew(&mut composer.random, entries);
        }
        composer.finish(programme, &self.callers, instances)
    }
}

/// Deals accounts in pairs, all of them before any comes again. So neighbours in the programme share no account as long
/// as there are enough, and what is meant to be under way at the same time does not wait for the same lock.
struct Deck {
    accounts: Vec<AccountNumber>,
    /// How many have not been dealt yet; they come first.
    left: usize,
}

impl Deck {
    fn deal(&mut self, composer: &mut Composer) -> (AccountNumber, AccountNumber) {
        if self.left < 2 {
            self.left = self.accounts.len();
        }
        (self.draw(composer), self.draw(composer))
    }

    fn draw(&mut self, composer: &mut Composer) -> AccountNumber {
        let drawn = composer.random.random_range(0..self.left);
        self.left -= 1;
        self.accounts.swap(drawn, self.left);
        self.accounts[self.left]
    }
}

/// Two different accounts.
pub(super) fn two(composer: &mut Composer, accounts: &[AccountNumber]) -> (AccountNumber, AccountNumber) {
    let from = composer.random.random_range(0..accounts.len());
    let to = (from + composer.random.random_range(1..accounts.len())) % accounts.len();
    (accounts[from], accounts[to])
}
