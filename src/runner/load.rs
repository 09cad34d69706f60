//! The callers: they follow the script, send attempts, and write down what they hear.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::history::{AttemptId, Call, ClientId, Doubt, InstanceName, IntentId, Outcome, Recorder, What};
use crate::profile::Script;
use crate::profile::script::{Arrival, Step};
use crate::target::Driver;

/// How long one intent of the set-up may go without a definite answer: the target is ready by then, and at rest.
const SETUP_PATIENCE: Duration = Duration::from_secs(10);

/// How long one instance may leave a question of the audit open. It has had all the time of the settling before.
const AUDIT_PATIENCE: Duration = Duration::from_secs(5);

/// Tells which instances have ended and will not be started again.
pub(super) type Ended<'a> = &'a (dyn Fn(&InstanceName) -> bool + Sync);

/// Everything that callers share in a run.
#[derive(Debug)]
pub(super) struct Callers {
    script: Arc<Script>,
    driver: Driver,
    recorder: Arc<Recorder>,
    fronts: Vec<InstanceName>,
    cancel: CancellationToken,
    /// Attempts of the load phase that have been sent: what triggers count.
    sent: watch::Sender<u32>,
    book: Mutex<Book>,
}

/// What callers remember.
#[derive(Debug, Default)]
struct Book {
    /// How many attempts have been sent: the number of the next.
    attempts: u32,
    /// How often each intent was sent: decides the instance of the next attempt.
    sendings: HashMap<IntentId, u32>,
    /// The fields of the first definite reply.
    replies: HashMap<IntentId, Map<String, Value>>,
}

/// Whose turn it is to take an attempt.
#[derive(Clone, Copy, Debug)]
enum Route {
    /// The caller's own instance first, then the next for every further sending.
    Rotate(ClientId),
    /// Always this one, counted from 0 in the order of the instances.
    Fixed(usize),
}

impl Callers {
    /// Callers of a run. `fronts` are the instances that take requests.
    #[must_use]
    pub(super) fn new(
        script: Arc<Script>,
        driver: Driver,
        recorder: Arc<Recorder>,
        fronts: Vec<InstanceName>,
        cancel: CancellationToken,
    ) -> Self {
        let (sent, _) = watch::channel(0);
        Self { script, driver, recorder, fronts, cancel, sent, book: Mutex::default() }
    }

    /// The driver that the callers use.
    #[must_use]
    pub(super) fn driver(&self) -> &Driver {
        &self.driver
    }

    /// A view of the number of attempts sent in the load phase.
    #[must_use]
    pub(super) fn sent(&self) -> watch::Receiver<u32> {
        self.sent.subscribe()
    }

    /// Sends every intent of the set-up in turn, each until it has a definite answer or nobody can wait any longer.
    ///
    /// # Errors
    /// The first intent without an `Ok`, with its outcome.
    pub(super) async fn set_up(&self, deadline: Instant) -> Result<(), String> {
        for intent in &self.script.setup {
            let deadline = deadline.min(Instant::now() + SETUP_PATIENCE);
            let outcome = self.insist(*intent, Route::Rotate(ClientId(0)), deadline, &|_| false).await;
            if !matches!(outcome, Some(Outcome::Ok { .. })) {
                let call = &self.script.intents[intent.0 as usize].call;
                let found = outcome.map_or_else(|| "it was never sent".to_owned(), |outcome| describe(&outcome));
                return Err(format!(
                    "the target did not get through the set-up of the run: {} {} was not answered with a yes: {found}",
                    call.operation,
                    Value::Object(call.fields.clone()),
                ));
            }
        }
        Ok(())
    }

    /// Carries out every caller's programme; returns when all are through, at `deadline` at the latest.
    /// Says whether all got through.
    pub(super) async fn load(self: &Arc<Self>, deadline: Instant) -> bool {
        let mut callers = tokio::task::JoinSet::new();
        for (index, steps) in self.script.clients.iter().enumerate() {
            let client = ClientId(u16::try_from(index).unwrap_or(u16::MAX));
            let (this, steps) = (Arc::clone(self), steps.clone());
            callers.spawn(async move { this.follow(client, steps, deadline).await });
        }
        let mut through = true;
        while let Some(ended) = callers.join_next().await {
            through &= ended.unwrap_or(false);
        }
        through
    }

    /// Sends the `n`th probe through the `n`th instance until it has a definite answer or the instance has ended.
    /// Says whether all got an `Ok`.
    pub(super) async fn probe(&self, deadline: Instant, ended: Ended<'_>) -> bool {
        let probes = self.script.probes.iter().enumerate();
        let outcomes = probes.map(|(turn, intent)| self.insist(*intent, Route::Fixed(turn), deadline, ended));
        futures::future::join_all(outcomes).await.iter().all(|outcome| matches!(outcome, Some(Outcome::Ok { .. })))
    }

    /// Sends the intents of the audit, one after the other, each until it has a definite answer. Instances take turns;
    /// one that has left a question open is not asked again, and the audit ends when there is none left to ask.
    pub(super) async fn audit(&self, deadline: Instant, ended: Ended<'_>) {
        let mut answering: Vec<usize> = (0..self.fronts.len()).filter(|turn| !ended(&self.fronts[*turn])).collect();
        for (number, intent) in self.script.audit.iter().enumerate() {
            while !answering.is_empty() && Instant::now() < deadline && !self.cancel.is_cancelled() {
                let place = number % answering.len();
                let patience = deadline.min(Instant::now() + AUDIT_PATIENCE);
                let outcome = self.insist(*intent, Route::Fixed(answering[place]), patience, ended).await;
                if outcome.as_ref().is_none_or(is_definite) {
                    break;
                }
                answering.remove(place);
            }
        }
    }

    /// The instances that take requests.
    pub(super) fn fronts(&self) -> &[InstanceName] {
        &self.fronts
    }

    async fn follow(self: Arc<Self>, client: ClientId, steps: Vec<Step>, deadline: Instant) -> bool {
        let start = Instant::now();
        let mut open = tokio::task::JoinSet::new();
        let mut through = true;
        for step in steps {
            let due = match self.script.arrival {
                Arrival::Closed => Instant::now() + step.after,
                Arrival::Open => start + step.after,
            };
            tokio::select! {
                () = tokio::time::sleep_until(due.min(deadline)) => {}
                () = self.cancel.cancelled() => {}
            }
            if Instant::now() >= deadline || self.cancel.is_cancelled() {
                through = false;
                break;
            }
            match self.script.arrival {
                Arrival::Closed => self.step(client, step, deadline).await,
                Arrival::Open => {
                    let this = Arc::clone(&self);
                    open.spawn(async move { this.step(client, step, deadline).await });
                }
            }
        }
        while open.join_next().await.is_some() {}
        through
    }

    /// One step: its copies at the same moment, then, while nobody knows the outcome, further attempts.
    async fn step(&self, client: ClientId, step: Step, deadline: Instant) {
        let Some(call) = self.bound_call(step.intent) else { return };
        let route = Route::Rotate(client);
        let copies = (0..step.copies.max(1)).map(|_| self.attempt(step.intent, client, route, &call, true));
        let mut definite = futures::future::join_all(copies).await.iter().any(is_definite);
        for _ in 1..self.script.patience.attempts {
            if definite || !self.pause(deadline).await {
                return;
            }
            definite = is_definite(&self.attempt(step.intent, client, route, &call, true).await);
        }
    }

    /// Sends an intent again and again until it has a definite answer, or its fixed instance has ended for good.
    /// `None`: it could not be sent at all.
    async fn insist(&self, intent: IntentId, route: Route, deadline: Instant, ended: Ended<'_>) -> Option<Outcome> {
        let call = self.bound_call(intent)?;
        let is_over = || matches!(route, Route::Fixed(turn) if ended(&self.fronts[turn % self.fronts.len()]));
        loop {
            let outcome = self.attempt(intent, ClientId(0), route, &call, false).await;
            if is_definite(&outcome) || is_over() || !self.pause(deadline).await {
                return Some(outcome);
            }
        }
    }

    /// Waits between two attempts; `false` when there is no time for another.
    async fn pause(&self, deadline: Instant) -> bool {
        let pause = self.script.patience.pause.max(Duration::from_millis(1));
        tokio::select! {
            () = tokio::time::sleep_until((Instant::now() + pause).min(deadline)) => Instant::now() < deadline,
            () = self.cancel.cancelled() => false,
        }
    }

    async fn attempt(&self, intent: IntentId, client: ClientId, route: Route, call: &Call, counted: bool) -> Outcome {
        let (attempt, to) = self.announce(intent, client, route, call);
        if counted {
            self.sent.send_modify(|sent| *sent += 1);
        }
        let outcome = tokio::select! {
            outcome = self.driver.call(&to, call, self.script.patience.timeout) => outcome,
            () = self.cancel.cancelled() => Outcome::Unknown(Doubt::Abandoned),
        };
        self.recorder.record(What::Return { attempt, outcome: outcome.clone() });
        self.remember(intent, &outcome);
        outcome
    }

    /// Numbers an attempt, chooses its instance and records it, all at once: numbers follow the order of the history.
    fn announce(&self, intent: IntentId, client: ClientId, route: Route, call: &Call) -> (AttemptId, InstanceName) {
        let mut book = self.book();
        let attempt = AttemptId(book.attempts);
        book.attempts += 1;
        let turn = match route {
            Route::Fixed(turn) => turn,
            Route::Rotate(client) => {
                let sendings = book.sendings.entry(intent).or_default();
                *sendings += 1;
                usize::from(client.0) + *sendings as usize - 1
            }
        };
        let to = self.fronts[turn % self.fronts.len()].clone();
        self.recorder.record(What::Invoke { attempt, intent, client, to: to.clone(), call: call.clone() });
        (attempt, to)
    }

    fn remember(&self, intent: IntentId, outcome: &Outcome) {
        if let Outcome::Ok { reply, .. } | Outcome::Refused { status: Some(_), reply, .. } = outcome {
            self.book().replies.entry(intent).or_insert_with(|| reply.clone());
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call with its bound fields filled in; `None` when a reply that it needs is missing.
    fn bound_call(&self, intent: IntentId) -> Option<Call> {
        let intent = &self.script.intents[intent.0 as usize];
        let mut call = intent.call.clone();
        let book = self.book();
        for bind in &intent.binds {
            let value = book.replies.get(&bind.intent)?.get(&bind.reply)?;
            call.fields.insert(bind.field.clone(), value.clone());
        }
        Some(call)
    }
}

/// Whether the answer settles what became of the intent: sending it again could teach nothing.
fn is_definite(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Ok { .. } | Outcome::Refused { status: Some(_), .. })
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ok { status, .. } => format!("answered {status}"),
        Outcome::Refused { status: Some(status), why, .. } => format!("refused with {status}: {why}"),
        Outcome::Refused { status: None, why, .. } => why.clone(),
        Outcome::Unknown(Doubt::Timeout) => "no answer in time".to_owned(),
        Outcome::Unknown(Doubt::Reset(why)) => format!("connection lost: {why}"),
        Outcome::Unknown(Doubt::Status { status, body }) => format!("answered {status}: {body}"),
        Outcome::Unknown(Doubt::Unreadable(why)) => format!("unreadable answer: {why}"),
        Outcome::Unknown(Doubt::Abandoned) => "the run ended".to_owned(),
    }
}
