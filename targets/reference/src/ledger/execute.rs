//! One request under its key, from the look into the cache to the answer.

use super::idempotency::{self, Claim};
use super::posting::Posting;
use super::transfers::Decision;
use super::{Ledger, LedgerError, by_clock, piecemeal, transfers};
use crate::cache::KnownAnswer;
use crate::defects::Defect;
use crate::domain::{Answer, Key, Request, new_id};
use reference_common::store::{StoreError, Transaction};

/// How often a transaction is tried that the server rolled back for the sake of another.
const ATTEMPTS_MAX: u32 = 4;

/// A request and the key it is done under.
pub(super) struct Work<'a> {
    pub(super) key: Key,
    pub(super) request: &'a Request,
    pub(super) canonical: String,
    /// Whether the key is to be claimed; always, when all is well.
    pub(super) claims: bool,
}

/// What the transaction came to, before its end.
struct Outcome {
    answer: Answer,
    /// What has been posted, if it has been now.
    posting: Option<Posting>,
}

impl Ledger {
    /// Carries a request out at most once per key, however often and wherever it is asked for, and answers it in the same
    /// way each time.
    ///
    /// # Errors
    /// When the request cannot be carried out (nothing happened), or the outcome is open ([`LedgerError::Store`]).
    pub(crate) async fn execute(&self, key: &Key, request: &Request) -> Result<Answer, LedgerError> {
        let key = self.scope(key, request);
        let mut work = Work { key, request, canonical: request.canonical(), claims: true };
        if let Some(known) = self.remembered(&work.key).await {
            return idempotency::matching(known, &work.canonical, &self.defects);
        }
        self.admit()?;
        let mut attempt = 1;
        let answer = loop {
            match self.attempt(&work).await {
                Err(LedgerError::Store(error)) if attempt < ATTEMPTS_MAX && self.may_try_again(&error, &mut work) => {
                    tracing::info!(%error, attempt, "trying again");
                    attempt += 1;
                }
                outcome => break outcome.inspect_err(|error| self.take_note(error))?,
            }
        };
        let forgets = answer.status != 201 && self.defects.has(Defect::DeclineNotStored);
        if work.claims && !forgets {
            self.remember(&work.key, KnownAnswer::new(work.canonical, answer.clone())).await;
        }
        Ok(answer)
    }

    /// One transaction: all of it happens, or nothing.
    async fn attempt(&self, work: &Work<'_>) -> Result<Answer, LedgerError> {
        let id = new_id();
        if self.defects.has(Defect::KeyBeforeTransfer) {
            // Made to keep the transaction short, or to turn duplicates away early. Between the two commits the key
            // says "done" of something that is not.
            if let Some(answer) = self.promise(work, &id).await? {
                return Ok(answer);
            }
        }
        let mut transaction = self.database.begin().await?;
        match self.carry_out(&mut transaction, work, &id).await {
            Ok(outcome) => self.conclude(transaction, work, outcome).await,
            Err(error) => {
                transaction.rollback().await;
                self.break_promise(work, &error).await;
                Err(error)
            }
        }
    }

    /// What is done inside the transaction. The key comes first, so that a second request under it waits here.
    async fn carry_out(
        &self,
        transaction: &mut Transaction,
        work: &Work<'_>,
        id: &str,
    ) -> Result<Outcome, LedgerError> {
        let numbers = piecemeal::numbers_at_start(transaction, &self.defects).await?;
        if work.claims {
            let claim = idempotency::claim(transaction, &work.key, &work.canonical, &self.defects).await?;
            if let Claim::Answered(known) = claim {
                let answer = idempotency::matching(known, &work.canonical, &self.defects)?;
                return Ok(Outcome { answer, posting: None });
            }
        }
        let known = match work.request {
            Request::Transfer(order) => self.known_shortage(order, id).await.map(|answer| (order, answer)),
            Request::Reverse(_) => None,
        };
        let decision = match known {
            Some((order, answer)) => Decision { id: id.to_owned(), order: order.clone(), answer, posting: None },
            None => {
                let decision = transfers::decide(transaction, work, id, numbers, &self.defects).await?;
                self.learn_shortage(&decision.order, &decision.answer).await;
                decision
            }
        };
        transfers::write(transaction, work, &decision, &self.defects).await?;
        if work.claims && self.defects.has(Defect::CheckThenInsert) {
            idempotency::upsert(transaction, &work.key, &work.canonical, &decision.answer).await?;
        }
        Ok(Outcome { answer: decision.answer, posting: decision.posting })
    }

    /// Commits, then answers: the only order in which an answer is true.
    async fn conclude(
        &self,
        transaction: Transaction,
        work: &Work<'_>,
        outcome: Outcome,
    ) -> Result<Answer, LedgerError> {
        let Outcome { answer, posting } = outcome;
        if answer.status != 201 && self.defects.has(Defect::DeclineNotStored) {
            // Made by throwing an error for the decline, which rolls everything back, the key included.
            transaction.rollback().await;
            return Ok(answer);
        }
        if self.defects.has(Defect::AcknowledgeBeforeCommit) {
            // Made for speed: the answer is ready, so let the commit run in the background.
            tokio::spawn(transaction.commit());
            return Ok(answer);
        }
        if self.defects.has(Defect::PublishBeforeCommit)
            && let Some(posting) = &posting
        {
            // Made by publishing where the event is at hand. The commit may still fail, and then others know of
            // something that never was.
            self.publisher.publish(&posting.event()).await;
        }
        transaction.commit().await?;
        if let Some(posting) = &posting {
            self.forget(posting).await;
        }
        if self.defects.has(Defect::PublishAfterCommit)
            && let Some(posting) = &posting
        {
            // Made to avoid the above. A process that dies here leaves a transfer that nobody hears of.
            self.publisher.publish(&posting.event()).await;
        }
        if self.defects.has(Defect::AnswerOutsideTransaction) {
            // Made in a middleware that knows the response, but not the transaction behind it.
            let mut second = self.database.begin().await?;
            idempotency::write(&mut second, &work.key, &answer).await?;
            second.commit().await?;
        }
        Ok(answer)
    }

    fn scope(&self, key: &Key, request: &Request) -> Key {
        match request {
            // Made by partitioning the table of keys by account: a unique index then has to contain the account.
            Request::Transfer(order) if self.defects.has(Defect::KeyPerAccount) => key.within(&order.from),
            _ => by_clock::scope(key, &self.defects),
        }
    }

    fn may_try_again(&self, error: &StoreError, work: &mut Work<'_>) -> bool {
        if self.defects.has(Defect::BlindRetry) && error.is_connection_lost() {
            // Made by a retry helper around the statement that failed. A connection lost at COMMIT may well have
            // committed; with the key the second attempt would find out, without it moves the money again.
            work.claims = false;
            return true;
        }
        // Made by not knowing that the server picks a victim.
        !self.defects.has(Defect::LockOrder) && error.is_conflict()
    }
}
