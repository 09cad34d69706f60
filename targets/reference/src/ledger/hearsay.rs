//! The defects that answer or decide by a balance that somebody saw before. The correct service reads the account's row
//! each time and never comes here.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::posting::Posting;
use super::reads::Page;
use super::{Ledger, LedgerError};
use crate::defects::Defect;
use crate::domain::{AccountId, Answer, Decline, MinorUnits, Order};

/// How long a balance is believed.
const BALANCE_BELIEVED: Duration = Duration::from_millis(500);
/// How long it is believed that an account cannot pay.
const SHORTAGE_BELIEVED: Duration = Duration::from_secs(5);

/// What this process remembers.
#[derive(Default)]
pub(super) struct Hearsay {
    /// For the defect `balance-in-memory`.
    pages: Mutex<HashMap<AccountId, (Instant, Page)>>,
    /// For the defect `remembered-decline`: what an account could not pay.
    shortages: Mutex<HashMap<AccountId, (Instant, MinorUnits)>>,
}

impl Ledger {
    /// What is remembered of an account.
    pub(super) async fn heard(&self, id: &AccountId) -> Option<Page> {
        if self.defects.has(Defect::StaleCache) || self.defects.has(Defect::CacheFillRace) {
            return self.cache.get(&name(id)).await;
        }
        if self.defects.has(Defect::BalanceInMemory) {
            let pages = self.hearsay.pages.lock().await;
            return pages.get(id).filter(|(since, _)| since.elapsed() < BALANCE_BELIEVED).map(|(_, page)| page.clone());
        }
        None
    }

    /// Remembers what has been read of an account.
    pub(super) async fn hear(&self, id: &AccountId, page: &Page) {
        if self.defects.has(Defect::StaleCache) || self.defects.has(Defect::CacheFillRace) {
            self.cache.set(&name(id), page).await;
        }
        if self.defects.has(Defect::BalanceInMemory) {
            self.hearsay.pages.lock().await.insert(id.clone(), (Instant::now(), page.clone()));
        }
    }

    /// Forgets the accounts whose balances have just changed.
    pub(super) async fn forget(&self, posting: &Posting) {
        for side in posting.sides() {
            if self.defects.has(Defect::CacheFillRace) {
                // Made by whoever knows that a cache has to be invalidated. A reader that has read the old balance, and
                // not yet put it into the cache, does so just afterwards.
                self.cache.forget(&name(&side.account)).await;
            }
            if self.defects.has(Defect::BalanceInMemory) {
                // Made while there was one process. The others have memories of their own.
                self.hearsay.pages.lock().await.remove(&side.account);
            }
        }
    }

    /// For the defect `lagging-copy`: the account as it is by the events that have been published so far.
    pub(super) async fn copy(&self, id: &AccountId) -> Result<Option<Page>, LedgerError> {
        // Made by separating reads from writes: a read model follows the events, and reads scale by themselves.
        const COPY: &str = "select json_build_object('id', a.id, 'currency', a.currency, 'limit', a.floor,
                'balance', coalesce((select sum(e.amount) from outbox o join entries e on e.transfer = o.payload->>'transfer'
                    where e.account = a.id and o.sent_at is not null), 0)
            )::text
            from accounts a where a.id = $1";
        let mut transaction = self.database.begin().await?;
        let page = sqlx::query_scalar(COPY).bind(id.as_str()).fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(page)
    }

    /// For the defect `remembered-decline`: the decline of somebody who has been told before that there is not so much.
    pub(super) async fn known_shortage(&self, order: &Order, id: &str) -> Option<Answer> {
        if !self.defects.has(Defect::RememberedDecline) {
            return None;
        }
        // Made to spare a busy account's lock from callers that ask again and again for what is not there.
        let shortages = self.hearsay.shortages.lock().await;
        let (since, amount) = shortages.get(&order.from)?;
        let believed = since.elapsed() < SHORTAGE_BELIEVED && order.amount >= *amount;
        believed.then(|| Answer::declined(id, Decline::InsufficientFunds))
    }

    /// For the defect `remembered-decline`: remembers a decline that was decided by the account's row.
    pub(super) async fn learn_shortage(&self, order: &Order, answer: &Answer) {
        if self.defects.has(Defect::RememberedDecline) && answer.status == Decline::InsufficientFunds.status() {
            self.hearsay.shortages.lock().await.insert(order.from.clone(), (Instant::now(), order.amount));
        }
    }
}

fn name(id: &AccountId) -> String {
    format!("account:{}", id.as_str())
}
