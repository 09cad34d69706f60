//! What is done to a process while one of its exchanges waits in the link.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Bite, Nemesis, lock};
use crate::fault::{Act, AtExchange, Fault};
use crate::history::{FaultChange, InstanceName, What};
use crate::link::{Held, Release};
use crate::runner::inject::{self, InForce};

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
}
