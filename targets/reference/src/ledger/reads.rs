//! Reading accounts and the journal. Each answer comes from one statement, and so from one snapshot.

use sqlx::Row;

use super::{Ledger, LedgerError};
use crate::defects::Defect;
use crate::domain::AccountId;

/// A page of JSON, made by the database.
pub(crate) type Page = String;

const ACCOUNT: &str =
    "select json_build_object('id', id, 'balance', balance, 'currency', currency, 'limit', floor)::text
    from accounts where id = $1";

const ENTRIES: &str = "select a.version, json_strip_nulls(json_build_object(
        'id', a.id, 'balance', a.balance, 'currency', a.currency, 'limit', a.floor,
        'entries', coalesce((select json_agg(e order by e.sequence) from entries e where e.account = a.id), '[]')
    ))::text as page
    from accounts a where a.id = $1";

const JOURNAL: &str =
    "select json_strip_nulls(json_build_object('entries', coalesce(json_agg(e order by e.sequence), '[]')))::text
    from entries e";

impl Ledger {
    /// An account with its balance, straight from its row: reading one row is all that a cache could save, and asking
    /// whether the cache is fresh would read the same row.
    ///
    /// # Errors
    /// When it does not exist, or the database fails.
    pub(crate) async fn account(&self, id: &AccountId) -> Result<Page, LedgerError> {
        // Made because balances are read often.
        if let Some(page) = self.heard(id).await {
            return Ok(page);
        }
        if self.defects.has(Defect::LaggingCopy) {
            return self.copy(id).await?.ok_or(LedgerError::UnknownAccount);
        }
        let mut transaction = self.database.begin().await?;
        let page: Option<Page> =
            sqlx::query_scalar(ACCOUNT).bind(id.as_str()).fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        let page = page.ok_or(LedgerError::UnknownAccount)?;
        self.hear(id, &page).await;
        Ok(page)
    }

    /// An account with its balance and all its entries. The page of one version never changes, so it is cached under the
    /// version; what must be read each time is one row that says which version it is.
    ///
    /// # Errors
    /// When the account does not exist, or the database fails.
    pub(crate) async fn entries(&self, id: &AccountId) -> Result<Page, LedgerError> {
        let mut transaction = self.database.begin().await?;
        let version: Option<i64> = sqlx::query_scalar("select version from accounts where id = $1")
            .bind(id.as_str())
            .fetch_optional(&mut *transaction)
            .await?;
        let version = version.ok_or(LedgerError::UnknownAccount)?;
        if let Some(page) = self.cache.get(&entries_name(id, version)).await {
            transaction.commit().await?;
            return Ok(page);
        }
        let row = sqlx::query(ENTRIES).bind(id.as_str()).fetch_one(&mut *transaction).await?;
        let (version, page): (i64, Page) = (row.try_get("version")?, row.try_get("page")?);
        transaction.commit().await?;
        self.cache.set(&entries_name(id, version), &page).await;
        Ok(page)
    }

    /// The whole journal, in its order.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn journal(&self) -> Result<Page, LedgerError> {
        let mut transaction = self.database.begin().await?;
        let page: Page = sqlx::query_scalar(JOURNAL).fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(page)
    }

    /// Whether requests can be served: the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) async fn check(&self) -> Result<(), LedgerError> {
        Ok(self.database.begin().await?.commit().await?)
    }
}

fn entries_name(id: &AccountId, version: i64) -> String {
    format!("entries:{}:{version}", id.as_str())
}
