//! Carries a plan out: waits for each step's trigger, injects, heals, and says whether it bit.

mod treat;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, SetOnce, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Step as Shows;
use super::case::Shown;
use super::inject::{self, Held, InForce, Over};
use crate::fault::{AtExchange, Fault, Heal, Node, Pick, Plan, ServerFault, Step, Trigger};
use crate::history::{FaultChange, InstanceName, Recorder, StepId, What};
use crate::report::text::count;
use crate::sandbox::Sandbox;

/// How often a fault in force is asked whether it has bitten.
const BITE_POLL: Duration = Duration::from_millis(5);

/// How often a link without connections is looked at by a fault that needs one.
const CONNECTION_POLL: Duration = Duration::from_millis(1);

/// How often a database without sessions is looked at by a fault that needs one.
const SESSION_POLL: Duration = Duration::from_millis(5);

/// How long a changed clock is left as it is for somebody to read it, before another change of it.
const READ_PATIENCE: Duration = Duration::from_secs(1);

/// Whether a step made a difference.
enum Bite {
    /// It did; the evidence.
    Bit(String),
    /// It did not; the reason.
    Missed(String),
}

/// Carries out the plan of one run.
pub(super) struct Nemesis<'a> {
    sandbox: Arc<Sandbox>,
    recorder: Arc<Recorder>,
    steps: Vec<Progress>,
    /// Cancelled when the load phase ends: nothing is injected any more, and what is in force is healed.
    load_ended: CancellationToken,
    sent: watch::Receiver<u32>,
    load_started: Instant,
    /// Steps that treat the same process are carried out one after the other.
    turns: BTreeMap<String, AsyncMutex<()>>,
    /// The first reason why the stack could not be mended.
    failure: Mutex<Option<String>>,
    shown: Shown<'a>,
}

/// How far a step has come.
struct Progress {
    step: Step,
    injected: SetOnce<Instant>,
    in_force: Mutex<Option<InForce>>,
    /// A process is being treated at an exchange, and it is not undone yet.
    treating: AtomicBool,
    bite: Mutex<Option<Bite>>,
}

impl<'a> Nemesis<'a> {
    /// A nemesis for a load phase that starts now.
    pub(super) fn new(
        sandbox: Arc<Sandbox>,
        recorder: Arc<Recorder>,
        plan: &Plan,
        sent: watch::Receiver<u32>,
        load_ended: CancellationToken,
        shown: Shown<'a>,
    ) -> Self {
        let at_exchange = |step: &Step| match &step.fault {
            Fault::Exchange(at) => at.victim().map(ToString::to_string),
            _ => None,
        };
        let turns = plan.steps.iter().filter_map(|step| turn_of(&step.fault).or_else(|| at_exchange(step)));
        let turns = turns.map(|key| (key, AsyncMutex::default())).collect();
        let steps = plan.steps.iter().map(|step| Progress {
            step: step.clone(),
            injected: SetOnce::new(),
            in_force: Mutex::default(),
            treating: AtomicBool::new(false),
            bite: Mutex::default(),
        });
        let steps = steps.collect();
        let load_started = Instant::now();
        Self { sandbox, recorder, steps, load_ended, sent, load_started, turns, failure: Mutex::default(), shown }
    }

    /// Carries out every step; returns once the load has ended and everything is healed.
    pub(super) async fn carry_out(&self) {
        futures::future::join_all((0..self.steps.len()).map(|index| self.carry_out_step(index))).await;
    }

    /// Waits until the links' faults that are due at the very start are in force.
    pub(super) async fn armed(&self) {
        for progress in &self.steps {
            // Faults on processes may wait for each other's healing, and cuts for a connection: both come with the load.
            let waits = turn_of(&progress.step.fault).is_some() || matches!(progress.step.fault, Fault::Cut { .. });
            if progress.step.trigger == Trigger::At(Duration::ZERO) && !waits {
                progress.injected.wait().await;
            }
        }
    }

    /// Waits until every second delivery has been answered, so that the last readings see what it did.
    pub(super) async fn delivered(&self, deadline: Instant) {
        let is_delivering = |progress: &Progress| match &*lock(&progress.in_force) {
            Some(InForce::Link(injection)) => injection.is_delivering(),
            _ => false,
        };
        while self.steps.iter().any(is_delivering) && Instant::now() < deadline {
            tokio::time::sleep(BITE_POLL).await;
        }
    }

    /// The last word on every step. To be called when the target has settled: a late repeat bites late.
    pub(super) fn conclude(&self) {
        for (index, progress) in self.steps.iter().enumerate() {
            self.look_for_bite(index);
            let why = match (progress.injected.get(), &*lock(&progress.in_force)) {
                (None, _) => "the load ended before it was due".to_owned(),
                (Some(_), Some(InForce::Clock(skew))) => skew.why_not(),
                (Some(_), _) => "nothing that it could act on came its way".to_owned(),
            };
            // Ignored where there is a bite already.
            self.decide(index, Bite::Missed(why));
        }
    }

    /// Why the stack could not be mended, if so.
    pub(super) fn failure(&self) -> Option<String> {
        lock(&self.failure).clone()
    }

    async fn carry_out_step(&self, index: usize) {
        let progress = &self.steps[index];
        let turn = turn_of(&progress.step.fault).and_then(|key| self.turns.get(&key));
        let _turn = tokio::select! {
            biased;
            () = self.load_ended.cancelled() => return,
            turn = async {
                self.due(progress.step.trigger).await;
                let turn = match turn {
                    Some(turn) => Some(turn.lock().await),
                    None => None,
                };
                // Not before its turn: the step before it may have taken what it can act on.
                self.can_bite(&progress.step.fault).await;
                turn
            } => turn,
        };
        self.inject(index).await;
        // A clock that is right again has still to be seen by somebody.
        let has_bite_to_come = matches!(&*lock(&progress.in_force), Some(InForce::Clock(_)));
        if progress.step.fault.is_momentary() && !has_bite_to_come {
            return;
        }
        if let Fault::Exchange(at) = &progress.step.fault
            && let Some(victim) = at.victim()
        {
            tokio::select! {
                () = self.treat(index, at, victim) => {}
                () = self.watch_for_bite(index) => {}
            }
            return self.heal(index).await;
        }
        let sent_at_injection = *self.sent.borrow();
        tokio::select! {
            biased;
            () = self.load_ended.cancelled() => {}
            () = self.heal_due(progress.step.heal, sent_at_injection) => {}
            () = self.watch_for_bite(index) => {}
        }
        self.heal(index).await;
    }

    /// Whether a fault is still to come that waits for an exchange which the callers do not cause directly: what they
    /// asked for may go on after they have been answered.
    pub(super) fn waits_for_exchange(&self) -> bool {
        self.steps.iter().any(|progress| {
            if progress.treating.load(Ordering::Acquire) {
                return true;
            }
            let waits = match &progress.step.fault {
                Fault::Exchange(AtExchange { edge, pick: Pick::Nth(_), .. }) => edge.from != Node::Client,
                _ => false,
            };
            waits && lock(&progress.bite).is_none()
        })
    }

    async fn inject(&self, index: usize) {
        let progress = &self.steps[index];
        let under_way = under_way(&self.recorder, &progress.step.fault);
        self.say(index, FaultChange::Injected(progress.step.fault.to_string()));
        (self.shown)(Shows::Fault(progress.step.fault.to_string()));
        let fault = &progress.step.fault;
        match inject::inject(&self.sandbox, &self.recorder, fault, &self.load_ended).await {
            Ok(in_force) => *lock(&progress.in_force) = Some(in_force),
            Err(inject::NotInjected::Pointless(why)) => self.decide(index, Bite::Missed(why)),
            Err(inject::NotInjected::Failed(why)) => self.fail(why),
        }
        if let Some(InForce::Done(evidence)) = &mut *lock(&progress.in_force)
            && let Some(number) = under_way
        {
            evidence.push_str(&format!(", with {} under way", count(number as u64, "attempt")));
        }
        self.look_for_bite(index);
        // Set after the fact, so that what waits for it finds the fault in force.
        let _ = progress.injected.set(Instant::now());
    }

    async fn heal(&self, index: usize) {
        let progress = &self.steps[index];
        self.look_for_bite(index);
        let held = lock(&progress.in_force).take_if(|in_force| matches!(in_force, InForce::Server(_)));
        if let Some(InForce::Server(held)) = held {
            return self.heal_server(index, held).await;
        }
        let healing = match &*lock(&progress.in_force) {
            Some(InForce::Link(injection)) => Some(injection.heal()),
            Some(InForce::Clock(skew)) => Some(skew.heal()),
            Some(InForce::Gateway(wrong)) => Some(wrong.heal()),
            Some(InForce::Done(_)) => None,
            Some(InForce::Server(_)) | None => return,
        };
        let healed = match healing {
            Some(released) => Ok(released),
            None => inject::undo(&self.sandbox, &self.recorder, &progress.step.fault).await,
        };
        match healed {
            Ok(text) if text.is_empty() => {}
            Ok(text) => self.say(index, FaultChange::Healed(text)),
            Err(inject::NotHealed::Target(why)) => {
                self.recorder.record(What::Note { text: why });
            }
            Err(inject::NotHealed::Stack(why)) => self.fail(why),
        }
        self.look_for_bite(index);
    }

    /// A server often says only afterwards what it refused meanwhile.
    async fn heal_server(&self, index: usize, held: Held) {
        match held.heal(&self.sandbox).await {
            Ok(Over { healed, bite }) => {
                self.decide(index, bite.map_or_else(Bite::Missed, Bite::Bit));
                self.say(index, FaultChange::Healed(healed));
            }
            Err(error) => self.fail(error.to_string()),
        }
    }

    async fn due(&self, trigger: Trigger) {
        match trigger {
            Trigger::At(after) => tokio::time::sleep_until(self.load_started + after).await,
            Trigger::Operations(count) => self.sent_reaches(count).await,
            Trigger::OperationsThen { count, pause } => {
                self.sent_reaches(count).await;
                tokio::time::sleep(pause).await;
            }
            Trigger::After { step, pause } => {
                let injected = *self.steps[usize::from(step.0)].injected.wait().await;
                tokio::time::sleep_until(injected + pause).await;
            }
        }
    }

    /// What ends connections or sessions waits for one: just after another time there may be none. A clock that has just been changed is
    /// left like that until somebody has read it.
    async fn can_bite(&self, fault: &Fault) {
        if let Fault::Clock { of, .. } = fault {
            let end = Instant::now() + READ_PATIENCE;
            while self.is_unread(of) && Instant::now() < end {
                tokio::time::sleep(CONNECTION_POLL).await;
            }
        }
        if matches!(fault, Fault::Server(ServerFault::TerminateBackends)) {
            let (postgres, database) = (self.sandbox.stack().postgres(), self.sandbox.database());
            while postgres.sessions(database).await.is_ok_and(|count| count == 0) {
                tokio::time::sleep(SESSION_POLL).await;
            }
        }
        let Fault::Cut { edge } = fault else { return };
        let Some(link) = self.sandbox.link(edge) else { return };
        while link.counters().open == 0 {
            tokio::time::sleep(CONNECTION_POLL).await;
        }
    }

    /// Whether the clock of an instance has been changed and nobody has been told its time since.
    fn is_unread(&self, of: &InstanceName) -> bool {
        self.steps.iter().any(|progress| {
            let is_same = matches!(&progress.step.fault, Fault::Clock { of: other, .. } if other == of);
            let in_force = matches!(&*lock(&progress.in_force), Some(InForce::Clock(skew)) if skew.is_in_force());
            is_same && in_force && lock(&progress.bite).is_none()
        })
    }

    async fn heal_due(&self, heal: Heal, sent_at_injection: u32) {
        match heal {
            Heal::After(pause) => tokio::time::sleep(pause).await,
            Heal::Operations(count) => self.sent_reaches(sent_at_injection.saturating_add(count)).await,
            Heal::AtEnd => std::future::pending().await,
        }
    }

    async fn sent_reaches(&self, count: u32) {
        if self.sent.clone().wait_for(|sent| *sent >= count).await.is_err() {
            // The callers are gone, so the count will never be reached; the end of the load decides.
            std::future::pending::<()>().await;
        }
    }

    /// Notes the bite when it comes; never returns.
    async fn watch_for_bite(&self, index: usize) {
        while lock(&self.steps[index].bite).is_none() {
            self.look_for_bite(index);
            tokio::time::sleep(BITE_POLL).await;
        }
        std::future::pending::<()>().await;
    }

    fn look_for_bite(&self, index: usize) {
        let evidence = match &*lock(&self.steps[index].in_force) {
            Some(InForce::Link(injection)) => injection.bite(),
            Some(InForce::Clock(skew)) => skew.bite(),
            Some(InForce::Gateway(wrong)) => wrong.bite(),
            Some(InForce::Server(held)) => held.bite(),
            Some(InForce::Done(evidence)) => Some(evidence.clone()),
            None => None,
        };
        if let Some(evidence) = evidence {
            self.decide(index, Bite::Bit(evidence));
        }
    }

    /// The first word counts.
    fn decide(&self, index: usize, bite: Bite) {
        let mut known = lock(&self.steps[index].bite);
        if known.is_none() {
            let change = match &bite {
                Bite::Bit(evidence) => FaultChange::Bit(evidence.clone()),
                Bite::Missed(why) => FaultChange::Missed(why.clone()),
            };
            self.say(index, change);
            *known = Some(bite);
        }
    }

    fn fail(&self, why: String) {
        lock(&self.failure).get_or_insert(why);
        self.load_ended.cancel();
    }

    fn say(&self, index: usize, change: FaultChange) {
        let step = StepId(u16::try_from(index).unwrap_or(u16::MAX));
        self.recorder.record(What::Fault { step, change });
    }
}

/// The process that a fault treats, if any.
fn turn_of(fault: &Fault) -> Option<String> {
    match fault {
        Fault::Kill(name) | Fault::Stop(name) | Fault::Pause(name) | Fault::Restart(name) | Fault::Disconnect(name) => {
            Some(name.to_string())
        }
        Fault::KillPostgres => Some("postgres".to_owned()),
        Fault::KillRedis(_) | Fault::FlushRedis => Some("redis".to_owned()),
        Fault::KillKafka => Some("kafka".to_owned()),
        Fault::Server(fault) => Some(fault.turn()),
        _ => None,
    }
}

/// How many attempts have been sent to the instance that a fault treats and are not answered yet.
fn under_way(recorder: &Recorder, fault: &Fault) -> Option<usize> {
    let (Fault::Kill(name) | Fault::Stop(name) | Fault::Pause(name) | Fault::Restart(name) | Fault::Disconnect(name)) =
        fault
    else {
        return None;
    };
    recorder.with_events(|events| {
        let mut open = std::collections::BTreeSet::new();
        for event in events {
            match &event.what {
                What::Invoke { attempt, to, .. } if to == name => {
                    open.insert(*attempt);
                }
                What::Return { attempt, .. } => {
                    open.remove(attempt);
                }
                _ => {}
            }
        }
        Some(open.len())
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
