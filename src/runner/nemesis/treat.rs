//! What is done to a process while one of its exchanges waits in the link.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::{Bite, Nemesis, lock};
use crate::fault::{Act, AtExchange, Fault};
use crate::history::{FaultChange, InstanceName, What};
use crate::link::{Held, Release};
use crate::runner::inject::{self, InForce};

/// How long no exchange has begun when all is done that goes on beside one that is held.
const OTHERS_REST: Duration = Duration::from_millis(30);

/// How long is waited for that at most: where there are other callers, something always begins.
const OTHERS_DEADLINE: Duration = Duration::from_millis(150);

/// The pause between two looks.
const OTHERS_POLL: Duration = Duration::from_millis(2);

impl Nemesis<'_> {
    /// Kills or stops the process at each exchange that is held for it, and undoes that in time.
    pub(super) async fn treat(&self, index: usize, at: &AtExchange, victim: &InstanceName) {
        let injection = match &*lock(&self.steps[index].in_force) {
            Some(InForce::Link(injection)) => Arc::clone(injection),
            _ => return,
        };
        loop {
            let held = tokio::select! {
                biased;
                () = self.load_ended.cancelled() => return,
                held = injection.held() => held,
            };
            let Some(held) = held else { return };
            let Some(turn) = self.turns.get(&victim.to_string()) else { return };
            let _turn = tokio::select! {
                biased;
                () = self.load_ended.cancelled() => return,
                turn = turn.lock() => turn,
            };
            self.steps[index].treating.store(true, Ordering::Release);
            self.treat_once(index, &at.act, victim, held).await;
            self.steps[index].treating.store(false, Ordering::Release);
        }
    }

    async fn treat_once(&self, index: usize, act: &Act, victim: &InstanceName, held: Held) {
        let deed = match act {
            Act::Stall => Fault::Pause(victim.clone()),
            _ => Fault::Kill(victim.clone()),
        };
        if *act == Act::CrashBefore {
            self.others_done().await;
        }
        match inject::inject(&self.sandbox, &self.recorder, &deed, &self.load_ended).await {
            Ok(_) => {}
            Err(inject::NotInjected::Pointless(why)) => return self.decide(index, Bite::Missed(why)),
            Err(inject::NotInjected::Failed(why)) => return self.fail(why),
        }
        let sent = *self.sent.borrow();
        let over = async {
            tokio::select! {
                biased;
                () = self.load_ended.cancelled() => {}
                () = self.heal_due(self.steps[index].step.heal, sent) => {}
            }
        };
        let stalled = *act == Act::Stall;
        if stalled {
            over.await;
            held.release(&format!("{victim} was stopped"), Release::GoOn);
        } else {
            held.release(&format!("{victim} was killed"), Release::Lost);
            over.await;
        }
        match inject::undo(&self.sandbox, &self.recorder, &deed).await {
            Ok(text) => self.say(index, FaultChange::Healed(text)),
            Err(inject::NotHealed::Target(why)) => {
                self.recorder.record(What::Note { text: why });
            }
            Err(inject::NotHealed::Stack(why)) => self.fail(why),
        }
    }

    /// Waits until nothing else begins while an exchange is held: what its instance does at the same time is then done, and
    /// what is lost with it is just this one, however fast the machine is.
    async fn others_done(&self) {
        let end = Instant::now() + OTHERS_DEADLINE;
        let (mut seen, mut since) = (self.sandbox.changes(), Instant::now());
        while since.elapsed() < OTHERS_REST && Instant::now() < end {
            tokio::time::sleep(OTHERS_POLL).await;
            let now = self.sandbox.changes();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
    }
}
