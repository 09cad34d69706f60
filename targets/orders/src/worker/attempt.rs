//! One payment in hand: what is known of it, one attempt, and what is written of that.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::sleep;

use super::Shop;
use super::incoming::{Happened, Incoming};
use super::record::Recorded;
use crate::defects::Defect;
use crate::domain::{Card, Correlation, State, new_id};
use crate::gateway::{Answer, Charge, Effect, LookError};
use crate::orders::payments::{LEASE, Pause, Payment};
use reference_common::store::StoreError;

/// How often an event's charge is tried at most.
const ATTEMPTS_MAX: i32 = 3;
/// How long to wait after the first failed attempt, and after the second.
const BACKOFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];
/// How long to wait when there is no way to the gateway. It is not counted, so it is not hurried.
const UNREACHABLE_WAIT: Duration = Duration::from_millis(500);
/// How many charges in a row have to come to nothing for the defect `breaker-stays-open`.
const FAILURES_MAX: u32 = 5;
/// How long to wait before writing again what the database could not write.
const WRITE_RETRY: Duration = Duration::from_millis(200);
/// When to look for late effects of a payment that was given up: each time after so long.
const LATE_LOOKS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];

/// What has become of a payment.
enum End {
    /// The gateway did this, perhaps long ago.
    Done(Effect),
    /// To be gone on with later.
    Later(Pause),
    /// Not to be gone on with.
    Over(String, Pause),
    /// Nothing is to be written: the claim is no longer ours.
    Lost,
}

impl Shop {
    /// Does what there is to be done for a payment that was claimed. If the database is away meanwhile the claim runs out, and
    /// whoever claims the payment next begins with a look at the gateway.
    pub(super) async fn work_on(&self, payment: Payment) {
        let outcome = if payment.state.is_terminal() {
            self.orders.remove(&payment).await
        } else if payment.parked {
            self.look_late(&payment).await
        } else {
            let end = self.attempt(&payment).await;
            self.write(&payment, end).await
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, order = %payment.order, correlation_id = id(&payment), "left to the next worker");
        }
    }

    /// One attempt, after a look at what has become of the one before.
    async fn attempt(&self, payment: &Payment) -> End {
        let defects = &self.orders.defects;
        let before = payment.attempts;
        let looks = !defects.has(Defect::LateSuccessIgnored) && !defects.has(Defect::KeyPerAttempt);
        if payment.doubt && looks {
            match self.gateway.look(&payment.order, payment.correlation.as_ref()).await {
                Ok(Some(effect)) => return End::Done(effect),
                Ok(None) => {}
                Err(LookError::Unreachable) => {
                    return End::Later(Pause { attempts: before, doubt: true, wait: UNREACHABLE_WAIT });
                }
                // Without an answer it is not safe to charge. It counts, or this would go on for ever.
                Err(LookError::Failed(why)) => return self.failed(before + 1, true, why),
            }
        }
        if before >= ATTEMPTS_MAX && !defects.has(Defect::NoAttemptLimit) {
            return self.failed(before, false, "the last attempt was cut short, and had no effect".to_owned());
        }
        let Some(card) = &payment.card else {
            return End::Over(
                "the card is gone".to_owned(),
                Pause { attempts: before, doubt: false, wait: LATE_LOOKS[0] },
            );
        };
        let attempts = before + 1;
        if !self.begin(payment, attempts).await {
            return End::Lost;
        }
        // A worker that was frozen on the way here may have a successor. What has not been sent is better not sent.
        if payment.claimed.elapsed() > LEASE / 2 && !defects.has(Defect::WritesAfterLoss) {
            return End::Later(Pause { attempts: before, doubt: false, wait: Duration::ZERO });
        }
        let answer = self.charge(payment, card).await;
        tracing::info!(order = %payment.order, correlation_id = id(payment), attempts, ?answer, "charge");
        self.judge(payment, attempts, answer, looks).await
    }

    async fn charge(&self, payment: &Payment, card: &Card) -> Answer {
        // Made by "every request has its own key", which makes none of them a repetition.
        let own = self.orders.defects.has(Defect::KeyPerAttempt).then(new_id);
        let charge = Charge {
            order: &payment.order,
            amount: payment.amount,
            currency: &payment.currency,
            card,
            key: Some(own.as_deref().unwrap_or(payment.order.as_str())),
            correlation: payment.correlation.as_ref(),
        };
        if !self.orders.defects.has(Defect::BreakerStaysOpen) {
            return self.gateway.charge(&charge).await;
        }
        // Made by a circuit breaker that opens, and that only a success closes. Nothing is tried, so nothing succeeds.
        if self.failures.load(Relaxed) >= FAILURES_MAX {
            return Answer::Unreachable;
        }
        let answer = self.gateway.charge(&charge).await;
        if let Answer::Done(_) = answer {
            self.failures.store(0, Relaxed);
        } else {
            self.failures.fetch_add(1, Relaxed);
        }
        answer
    }

    async fn judge(&self, payment: &Payment, attempts: i32, answer: Answer, looks: bool) -> End {
        let defects = &self.orders.defects;
        let before = attempts - 1;
        match answer {
            Answer::Done(Effect::Declined) if defects.has(Defect::RetriesDecline) && attempts < ATTEMPTS_MAX => {
                // Made by one branch for all that is not 2xx. The issuer sees three attempts on a card it has refused.
                self.failed(attempts, false, "declined".to_owned())
            }
            Answer::Done(effect) => End::Done(effect),
            Answer::Throttled(wait) => {
                // Made by a retry helper that looks at the status and not at the headers.
                let wait = if defects.has(Defect::IgnoresRetryAfter) { BACKOFF[0] } else { wait };
                End::Later(Pause { attempts: before, doubt: false, wait })
            }
            Answer::Unreachable => End::Later(Pause { attempts: before, doubt: false, wait: UNREACHABLE_WAIT }),
            Answer::Refused(status) => {
                let pause = Pause { attempts, doubt: false, wait: LATE_LOOKS[0] };
                End::Over(format!("the gateway refuses the charge with {status}"), pause)
            }
            // Made by "no answer means no". The answer was lost, not the charge.
            Answer::Open(_) if defects.has(Defect::TimeoutAsDecline) => End::Done(Effect::Declined),
            // Made by taking an error for the end of the story. The gateway may have charged, or may yet.
            Answer::Open(why) if !looks => self.failed(attempts, false, why),
            Answer::Open(why) => match self.gateway.look(&payment.order, payment.correlation.as_ref()).await {
                Ok(Some(effect)) => End::Done(effect),
                Ok(None) => self.failed(attempts, false, why),
                Err(_) => self.failed(attempts, true, why),
            },
        }
    }

    /// After so many attempts that came to nothing.
    fn failed(&self, attempts: i32, doubt: bool, why: String) -> End {
        if attempts < ATTEMPTS_MAX || self.orders.defects.has(Defect::NoAttemptLimit) {
            let index = usize::try_from(attempts - 1).unwrap_or_default().min(BACKOFF.len() - 1);
            return End::Later(Pause { attempts, doubt, wait: BACKOFF[index] });
        }
        End::Over(why, Pause { attempts, doubt, wait: LATE_LOOKS[0] })
    }

    /// Notes that an attempt begins. What gets lost is said again, because it is safe to and because an attempt that was
    /// noted and never made is one fewer. Returns whether the attempt may be made.
    async fn begin(&self, payment: &Payment, attempts: i32) -> bool {
        loop {
            match self.orders.begin_attempt(payment, attempts).await {
                Ok(held) => return held,
                Err(error) if payment.claimed.elapsed() > LEASE / 2 => {
                    tracing::warn!(%error, order = %payment.order, "left to the next worker");
                    return false;
                }
                Err(_) => sleep(WRITE_RETRY).await,
            }
        }
    }

    /// Writes down what has become of a payment, as long as the claim lasts.
    async fn write(&self, payment: &Payment, end: End) -> Result<(), StoreError> {
        loop {
            match self.try_to_write(payment, &end).await {
                Err(_) if payment.claimed.elapsed() < LEASE => sleep(WRITE_RETRY).await,
                outcome => return outcome,
            }
        }
    }

    async fn try_to_write(&self, payment: &Payment, end: &End) -> Result<(), StoreError> {
        let (order, correlation_id) = (&payment.order, id(payment));
        match end {
            End::Done(effect) => self.settle(payment, *effect).await?,
            End::Later(pause) => self.orders.pause(payment, *pause).await?,
            End::Over(reason, pause) => {
                if self.orders.give_up(payment, reason, *pause).await? {
                    tracing::warn!(%order, correlation_id, reason, "dead-lettered");
                }
            }
            End::Lost => tracing::info!(%order, correlation_id, "the claim has run out"),
        }
        Ok(())
    }

    async fn settle(&self, payment: &Payment, effect: Effect) -> Result<(), StoreError> {
        let to = match effect {
            Effect::Charged => State::Paid,
            Effect::Declined => State::Failed,
        };
        let correlation = payment.correlation.as_ref();
        let first = self.orders.settle(&payment.order, payment.version, to, correlation).await?;
        tracing::info!(order = %payment.order, correlation_id = id(payment), state = ?to, first, "settled");
        Ok(())
    }

    /// Looks whether a payment that was given up has come about after all. A look is no attempt.
    async fn look_late(&self, payment: &Payment) -> Result<(), StoreError> {
        if !self.orders.defects.has(Defect::LateSuccessIgnored)
            && let Ok(Some(effect)) = self.gateway.look(&payment.order, payment.correlation.as_ref()).await
        {
            return self.settle(payment, effect).await;
        }
        let next = usize::try_from(payment.looks + 1).unwrap_or(usize::MAX);
        self.orders.looked(payment, LATE_LOOKS.get(next).copied()).await
    }

    /// For the defect `charge-before-record`: charges as soon as an event is there, and writes everything down after it.
    /// Made by a handler that reads like the story: "when an order comes in, charge it; then save". If the process dies in
    /// between, the event comes again and nothing tells that it was charged.
    pub(super) async fn charge_first(&self, incoming: &Incoming, happened: &Happened) -> Result<Recorded, StoreError> {
        let correlation = incoming.correlation.as_ref();
        let Some((card, amount, currency)) = self.orders.bill(&happened.order).await? else {
            return self.record(incoming, happened, Duration::ZERO).await;
        };
        let charge =
            Charge { order: &happened.order, amount, currency: &currency, card: &card, key: None, correlation };
        let answer = self.gateway.charge(&charge).await;
        let Answer::Done(effect) = answer else { return self.record(incoming, happened, Duration::ZERO).await };
        let recorded = self.record(incoming, happened, LEASE).await?;
        let to = if effect == Effect::Charged { State::Paid } else { State::Failed };
        self.orders.settle(&happened.order, 2, to, correlation).await?;
        Ok(recorded)
    }
}

fn id(payment: &Payment) -> Option<&str> {
    payment.correlation.as_ref().map(Correlation::as_str)
}
