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
            let read = self.readings.take(self.callers.driver()).await;
            let caught_up = self.caught_up(deadline).await;
            let owed = match (read, self.profile.pending(&self.recorder.snapshot())) {
                (Err(why), _) => format!("a reading ({why})"),
                (Ok(()), Pending::Waiting { what, .. }) => what,
                (Ok(()), Pending::Nothing) if !caught_up => "a look at the event topic to its end".to_owned(),
                (Ok(()), Pending::Nothing) => return,
            };
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

    async fn caught_up(&self, deadline: Instant) -> bool {
        let Some(events) = self.events else { return true };
        events.caught_up(deadline.saturating_duration_since(Instant::now())).await.is_ok()
    }

    fn missed(&self, owed: &str) {
        self.recorder.record(What::Unsettled { owed: owed.to_owned() });
    }
}
