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

/// How long nothing may change before what is missing, though later work has gone through, is given up as lost.
const QUIET: Duration = Duration::from_millis(1_500);

/// The same for a target of which an instance has ended for good: the rest may be slow, but nothing will mend it.
const QUIET_LAME: Duration = Duration::from_secs(4);

/// What settling looks at.
#[derive(Clone, Copy)]
pub(super) struct Settling<'a> {
    pub(super) profile: &'static dyn Profile,
    pub(super) callers: &'a Callers,
    pub(super) readings: &'a Readings,
    pub(super) events: &'a EventReader,
    pub(super) recorder: &'a Recorder,
    pub(super) ended: Ended<'a>,
    pub(super) cancel: &'a CancellationToken,
}

impl Settling<'_> {
    /// Probes the target until it answers, then waits until nothing is pending. What `shown` is called with is for people.
    pub(super) async fn settle(&self, deadline: Instant, shown: &(dyn Fn(String) + Sync)) {
        shown("the target to answer".to_owned());
        if !self.callers.probe(deadline, self.ended).await && Instant::now() >= deadline {
            return self.missed("the target did not do new work");
        }
        let fronts = self.callers.fronts();
        let ended: Vec<String> = fronts.iter().filter(|name| (self.ended)(name)).map(ToString::to_string).collect();
        let lame = format!("ended and not started again: {}", ended.join(", "));
        if ended.len() == fronts.len() {
            return self.missed(&lame);
        }
        let mut last_change = Instant::now();
        let mut last_seen = None;
        loop {
            let read = self.readings.take(self.callers.driver()).await;
            let caught_up = self.events.caught_up(deadline.saturating_duration_since(Instant::now())).await.is_ok();
            let pending = self.profile.pending(&self.recorder.snapshot());
            let changed = match &read {
                Ok(changed) => *changed,
                Err(_) => true,
            };
            if changed || last_seen.as_ref() != Some(&pending) {
                last_change = Instant::now();
            }
            match (&read, &pending) {
                (Ok(_), Pending::Nothing) if caught_up => return,
                (Ok(_), Pending::Waiting { overtaken: true, .. }) if caught_up && last_change.elapsed() >= QUIET => {
                    return;
                }
                (Ok(_), _) if !ended.is_empty() && caught_up && last_change.elapsed() >= QUIET_LAME => {
                    return self.missed(&lame);
                }
                _ => {}
            }
            let what = match (read, &pending) {
                (Err(why), _) => format!("a reading ({why})"),
                (Ok(_), Pending::Waiting { what, .. }) => what.clone(),
                (Ok(_), Pending::Nothing) => "the broker".to_owned(),
            };
            shown(what.clone());
            last_seen = Some(pending);
            if self.cancel.is_cancelled() {
                return;
            }
            if Instant::now() >= deadline {
                return self.missed(&what);
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    fn missed(&self, what: &str) {
        self.recorder.record(What::Note {
            text: format!("the target had not settled when it was read for the last time: {what}"),
        });
    }
}
