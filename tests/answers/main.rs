//! Answers in the upstream's place: `AnswerError`, `Swallow` and `FailReply`, byte by byte and with real servers.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod kafka;
mod servers;
mod wire;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fireassay::fault::{Edge, Pick};
use fireassay::history::{Exchange, Moment};
use fireassay::link::{Injection, Link, LinkAct, LinkFault, Observer, Protocol};

/// Far above what anything here takes: reaching it is a failure.
const DEADLINE: Duration = Duration::from_secs(20);

/// What became of the exchanges of a link.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn now(&self) -> Moment {
        Moment(0)
    }

    fn over(&self, exchange: Exchange) {
        let Exchange { label, truth, code, answered, lost, .. } = exchange;
        assert!(answered && !lost, "{label}");
        self.0.lock().unwrap().push(format!("{label}: {truth:?} {}", code.unwrap_or_default()).trim_end().to_owned());
    }
}

impl Notes {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// The last one that begins so, once there is one.
    async fn last(&self, beginning: &str) -> String {
        let start = Instant::now();
        loop {
            let found = self.0.lock().unwrap().iter().rev().find(|note| note.starts_with(beginning)).cloned();
            if let Some(found) = found {
                return found;
            }
            assert!(start.elapsed() < DEADLINE, "no {beginning} among {:?}", self.0.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn link(upstream: SocketAddr, protocol: Protocol) -> (Link, Arc<Notes>) {
    let notes = Arc::new(Notes::default());
    let edge = Edge::try_from("api-1->upstream-1".to_owned()).unwrap();
    let observer: Arc<dyn Observer> = notes.clone();
    let link = Link::open_observed(edge, upstream, protocol, 7, Some(observer)).await.unwrap();
    link.accept();
    (link, notes)
}

/// The first exchange with such a label.
fn on(label: &str, act: LinkAct) -> LinkFault {
    LinkFault::Exchange { on: Some(label.into()), pick: Pick::Nth(1), act }
}

/// What an injection has done, and what it could not do.
fn done(injection: &Injection) -> String {
    let undone = injection.heal();
    let missed = undone.strip_prefix("no further exchange is picked").unwrap().trim_start_matches("; ");
    [injection.bite().as_deref().unwrap_or_default(), missed].join(" ").trim().to_owned()
}
