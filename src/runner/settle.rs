//! After the last heal: wait until the target works again and owes nothing, within the case's deadline.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::load::{Callers, Ended};
use super::readings::Readings;
use crate::history::{Recorder, What};
use crate::profile::{Pending, Profile};
use crate::target::EventReader;

/// The pause between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(40);

/// How long links carry no change before their target counts as resting. Long against the steps of a request or of a relay,
/// which follow each other within a millisecond or a poll.
const REST: Duration = Duration::from_millis(60);

/// The pause between two looks at the links.
const REST_PAUSE: Duration = Duration::from_millis(5);

/// What settling looks at.
#[derive(Clone, Copy)]
pub(super) struct Settling<'a> {
    pub(super) profile: &'static dyn Profile,
    pub(super) callers: &'a Callers,
    pub(super) readings: &'a Readings,
    pub(super) events: Option<&'a EventReader>,
    pub(super) recorder: &'a Recorder,
    pub(super) ended: Ended<'a>,
    pub(super) cancel: &'a CancellationToken,
}

impl Settling<'_> {
    /// Probes the target until it answers, then waits until nothing is pending. What `shown` is called with is for people.
    pub(super) async fn settle(&self, deadline: Instant, shown: &(dyn Fn(String) + Sync)) {
        shown("the target to answer".to_owned());
        if !self.callers.probe(deadline, self.ended).await && Instant::now() >= deadline {
            return self.missed("new work: its probes were not answered with a yes");
        }
        let fronts = self.callers.fronts();
        let ended: Vec<String> = fronts.iter().filter(|name| (self.ended)(name)).map(ToString::to_string).collect();
        if ended.len() == fronts.len() {
            return self.missed(&format!("an answer: {} ended and nothing starts them again", ended.join(", ")));
        }
        loop {
            let Some(owed) = self.owed(deadline).await else { return };
            if self.cancel.is_cancelled() {
                return;
            }
            // Only the deadline says that what is missing is lost: a correct service may be slow to try again.
            if Instant::now() >= deadline {
                return self.missed(&owed);
            }
            shown(owed);
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// Waits until what was asked for so far has been done to its end: nothing is owed and no link carries a change
    /// any more; or until `done`.
    ///
    /// # Errors
    /// What was going on when the deadline came first.
    pub(super) async fn rest(
        &self,
        deadline: Instant,
        changes: &(dyn Fn() -> u64 + Sync),
        done: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), String> {
        let (mut seen, mut since) = (changes(), Instant::now());
        let mut busy = "one change after the other".to_owned();
        while !done() && !self.cancel.is_cancelled() {
            if Instant::now() >= deadline {
                return Err(busy);
            }
            tokio::time::sleep(REST_PAUSE).await;
            let now = changes();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            if since.elapsed() >= REST {
                match self.owed(deadline).await {
                    None => return Ok(()),
                    Some(owed) => (busy, since) = (owed, Instant::now()),
                }
            }
        }
        Ok(())
    }

    /// What the target owes by a new look at it; `None`: nothing.
    async fn owed(&self, deadline: Instant) -> Option<String> {
        if let Err(why) = self.readings.take(self.callers.driver()).await {
            return Some(format!("a reading ({why})"));
        }
        let caught_up = self.caught_up(deadline).await;
        match self.pending() {
            Pending::Waiting { what } => Some(what),
            Pending::Nothing if !caught_up => Some("a look at the event topic to its end".to_owned()),
            Pending::Nothing => None,
        }
    }

    fn pending(&self) -> Pending {
        self.recorder.with_events(|events| self.profile.pending(events))
    }

    async fn caught_up(&self, deadline: Instant) -> bool {
        let Some(events) = self.events else { return true };
        events.caught_up(deadline.saturating_duration_since(Instant::now())).await.is_ok()
    }

    fn missed(&self, owed: &str) {
        self.recorder.record(What::Unsettled { owed: owed.to_owned() });
    }
}
