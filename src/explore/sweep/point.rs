//! Points: what is done at which site. What cannot differ is done once.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::site::{Found, Site};
use crate::fault::{Act, AtExchange, Edge, Fault, Heal, Node, Pattern, Pick, Plan, Repeat, Step, Trigger};
use crate::history::{InstanceName, Truth};

/// How long a killed instance stays away.
const AWAY: Duration = Duration::from_millis(50);

/// What is done at sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The instance is killed before, or after.
    Crash,
    /// The connection is cut before.
    CutBefore,
    /// The connection is cut after.
    CutAfter,
    /// The instance is stopped before, for longer than callers wait, and goes on.
    Stall,
    /// The request is delivered twice. HTTP only.
    Repeat,
    /// The request is not done, and an error is the answer.
    AnswerError,
}

impl Action {
    /// Those that are taken unless told.
    pub const USUAL: [Self; 5] = [Self::Crash, Self::CutBefore, Self::CutAfter, Self::Stall, Self::Repeat];
}

/// One fault at one site.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Where.
    pub site: Site,
    /// What.
    pub act: Act,
}

impl Point {
    /// The fault as a step of a plan. `patience` is how long callers wait for an answer.
    #[must_use]
    pub fn step(&self, patience: Duration) -> Step {
        let Site { edge, label, nth } = self.site.clone();
        let on = Some(Pattern::exact(&label));
        let fault = Fault::Exchange(AtExchange { edge, on, pick: Pick::Nth(nth), act: self.act.clone() });
        let heal = match &self.act {
            Act::Stall => Heal::After(patience * 2),
            act if act.is_on_process() => Heal::After(AWAY),
            _ => Heal::AtEnd,
        };
        Step { trigger: Trigger::At(Duration::ZERO), fault, heal }
    }
}

/// The plan with these faults.
#[must_use]
pub(super) fn plan(points: &[Point], patience: Duration) -> Plan {
    Plan::of(points.iter().map(|point| point.step(patience)).collect())
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, act } = self;
        let who = site.edge.actor().map_or_else(|| "the caller".to_owned(), ToString::to_string);
        let asked = &site.edge.to;
        match act {
            Act::CrashBefore => write!(f, "{who} is killed before {site}"),
            Act::CrashAfter => write!(f, "{who} is killed after {asked} answered {site}, before the answer arrived"),
            Act::CutBefore => write!(f, "the connection is cut before {site}"),
            Act::CutAfter => write!(f, "the connection is cut after {asked} answered {site}"),
            Act::Stall => write!(f, "{who} is stopped just before {site}, and goes on with it later"),
            Act::Repeat(_) => write!(f, "{site} is delivered twice"),
            Act::LoseReply => write!(f, "the answer to {site} never arrives"),
            Act::Delay(_) => write!(f, "{site} is held up"),
            Act::AnswerError(_) => write!(f, "{site} is not done, and answered with an error"),
            Act::Swallow => write!(f, "{site} is not done, and answered as if it were"),
            Act::FailReply(_) => write!(f, "{site} is done, and answered with an error"),
        }
    }
}

/// Whether something of an exchange may be left when whoever asked dies: not of one that failed, and not of one within a
/// transaction that ends with its connection. What was prepared, or lies open on the broker, does not.
fn leaves_something(found: &Found) -> bool {
    let ends_with_connection = matches!(found.site.edge.to, Node::Postgres | Node::Redis);
    let is_prepared = found.site.label.to_ascii_lowercase().starts_with("prepare transaction");
    match found.truth {
        Truth::Applied | Truth::Sent => true,
        Truth::Pending => !ends_with_connection || is_prepared,
        Truth::NotSent | Truth::Refused => false,
    }
}

/// How soon a point is tried; what is likely to tell most comes first. Money is lost next to what took effect for good:
/// once the peer has acted and whoever asked does not know, or when all before it was done and it was not. Of these come
/// last what is done for a request that was refused in the end, what a cache is told, and what callers hear, whose retries
/// every service is tested for. Within that it is the order of the sites.
fn turn(found: &Found, place: usize, act: &Act, is_for_refused: bool) -> impl Ord + use<> {
    let is_telling = leaves_something(found) && !matches!(act, Act::Stall | Act::Repeat(_));
    let Edge { from, to } = &found.site.edge;
    let is_of_less_weight = is_for_refused || *to == Node::Redis || *from == Node::Client;
    let is_before = matches!(act, Act::CrashBefore | Act::CutBefore);
    (!is_telling, is_of_less_weight, place, is_before)
}

/// Whether there is an answer to it that says it failed, for a link to give in the upstream's place.
fn can_fail(site: &Site) -> bool {
    let calls = ["Produce", "OffsetCommit", "TxnOffsetCommit", "EndTxn"];
    site.edge.to != Node::Kafka || calls.iter().any(|call| site.label.split(' ').next() == Some(*call))
}

/// Whether what its instance did before it, and left something, was with somebody else. An instance need not wait for one
/// before it asks the other, so killing it after the first is not always killing it before the second.
fn may_overlap(found: &Found, before: &[Found]) -> bool {
    let Edge { from, to } = &found.site.edge;
    let last = before.iter().rev().find(|other| other.site.edge.from == *from);
    *from != Node::Client && last.is_some_and(|last| last.site.edge.to != *to && leaves_something(last))
}

/// Every action at every site: the most telling first, and in the order of the sites otherwise.
///
/// Crashes of one instance between two of its exchanges are all the same, and so are those around an exchange that left
/// nothing behind: an instance is killed before its first exchange, after each one that may have had an effect, and before
/// one with somebody else that follows such a one.
#[must_use]
pub fn points(sites: &[Found], actions: &[Action]) -> Vec<Point> {
    let mut seen: BTreeSet<&InstanceName> = BTreeSet::new();
    let mut points = Vec::new();
    // Instances whose last request was refused.
    let mut refusing: BTreeSet<&InstanceName> = BTreeSet::new();
    for (place, found) in sites.iter().enumerate() {
        let site = &found.site;
        if let (Node::Client, Some(asked)) = (&site.edge.from, site.edge.actor()) {
            if found.truth == Truth::Refused {
                refusing.insert(asked)
            } else {
                refusing.remove(asked)
            };
        }
        let is_for_refused = site.edge.actor().is_some_and(|actor| refusing.contains(actor));
        let mut add = |act| points.push((turn(found, place, &act, is_for_refused), Point { site: site.clone(), act }));
        let is_first = site.edge.actor().is_some_and(|actor| seen.insert(actor));
        for action in actions {
            match action {
                Action::Crash => {
                    if is_first || may_overlap(found, &sites[..place]) {
                        add(Act::CrashBefore);
                    }
                    if leaves_something(found) {
                        add(Act::CrashAfter);
                    }
                }
                Action::CutBefore => add(Act::CutBefore),
                Action::CutAfter => add(Act::CutAfter),
                Action::Stall => add(Act::Stall),
                Action::Repeat if matches!(site.edge.to, Node::Instance(_)) => add(Act::Repeat(Repeat::InARow)),
                Action::Repeat => {}
                Action::AnswerError if can_fail(site) => add(Act::AnswerError(None)),
                Action::AnswerError => {}
            }
        }
    }
    points.sort_by(|(one, _), (other, _)| one.cmp(other));
    points.into_iter().map(|(_, point)| point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::sweep::site::scenery;
    use crate::explore::sweep::site::tests::{exchange, mark};
    use crate::history::{History, Phase, What};

    #[test]
    fn crashes_that_cannot_differ_are_tried_once() {
        let history = History {
            events: vec![
                mark(0, What::Phase { phase: Phase::Load }),
                exchange(1, "client->api-1", "POST /transfers", Truth::Applied),
                exchange(2, "api-1->postgres", "insert into keys", Truth::Pending),
                exchange(3, "api-1->postgres", "COMMIT", Truth::Applied),
                exchange(4, "relay-1->kafka", "Produce events", Truth::Sent),
            ],
        };
        let told: Vec<String> =
            points(&scenery(&history).sites, &[Action::Crash]).iter().map(ToString::to_string).collect();
        let after = "answered";
        assert_eq!(
            told,
            [
                format!(
                    "api-1 is killed after postgres {after} `COMMIT` on api-1->postgres, before the answer arrived"
                ),
                format!(
                    "relay-1 is killed after kafka {after} `Produce events` on relay-1->kafka, before the answer arrived"
                ),
                "relay-1 is killed before `Produce events` on relay-1->kafka".to_owned(),
                format!(
                    "api-1 is killed after api-1 {after} `POST /transfers` on client->api-1, before the answer arrived"
                ),
                "api-1 is killed before `POST /transfers` on client->api-1".to_owned(),
            ]
        );
    }

    #[test]
    fn what_is_next_to_lasting_effects_is_tried_first() {
        let history = History {
            events: vec![
                mark(0, What::Phase { phase: Phase::Load }),
                exchange(1, "client->api-1", "POST /transfers", Truth::Applied),
                exchange(2, "api-1->postgres", "insert into keys", Truth::Pending),
                exchange(3, "api-1->postgres", "COMMIT", Truth::Applied),
            ],
        };
        let points = points(&scenery(&history).sites, &[Action::CutBefore, Action::CutAfter, Action::Stall]);
        let told: Vec<_> = points.iter().map(|point| (point.act.clone(), point.site.label.as_str())).collect();
        let (commit, post, insert) = ("COMMIT", "POST /transfers", "insert into keys");
        assert_eq!(
            told,
            [
                (Act::CutAfter, commit),
                (Act::CutBefore, commit),
                (Act::CutAfter, post),
                (Act::CutBefore, post),
                (Act::CutAfter, insert),
                (Act::Stall, insert),
                (Act::CutBefore, insert),
                (Act::Stall, commit),
                (Act::Stall, post),
            ]
        );
    }

    #[test]
    fn an_instance_is_killed_before_what_it_asks_of_somebody_else_after_an_effect() {
        let is_killed_before_the_last = |edge: &str, truth| {
            let mark_sent = exchange(2, "relay-1->postgres", "update outbox", truth);
            let last = exchange(5, edge, "last", Truth::Applied);
            let events = vec![mark(0, What::Phase { phase: Phase::Load }), mark_sent, last];
            let points = points(&scenery(&History { events }).sites, &[Action::Crash]);
            points.iter().any(|point| point.act == Act::CrashBefore && point.site.label == "last")
        };
        assert!(is_killed_before_the_last("relay-1->kafka", Truth::Applied));
        assert!(!is_killed_before_the_last("relay-1->kafka", Truth::Refused), "nothing was left");
        assert!(!is_killed_before_the_last("relay-1->postgres", Truth::Applied), "as after the one before");
    }

    #[test]
    fn only_what_callers_of_ours_ask_is_delivered_twice() {
        let history = History {
            events: vec![
                mark(0, What::Phase { phase: Phase::Load }),
                exchange(1, "client->api-1", "POST /transfers", Truth::Applied),
                exchange(2, "api-1->postgres", "COMMIT", Truth::Applied),
            ],
        };
        assert_eq!(points(&scenery(&history).sites, &[Action::Repeat]).len(), 1);
        assert_eq!(points(&scenery(&history).sites, &Action::USUAL).len(), 2 * 3 + 1 + 3);
    }

    #[test]
    fn a_stall_outlasts_the_patience_of_callers() {
        let site =
            Site { edge: "api-1->postgres".to_owned().try_into().expect("an edge"), label: "COMMIT".into(), nth: 2 };
        let step = Point { site, act: Act::Stall }.step(Duration::from_millis(300));
        assert_eq!(step.heal, Heal::After(Duration::from_millis(600)));
        assert_eq!(
            step.fault.to_string(),
            "stop api-1 with `COMMIT` number 2 from here on api-1->postgres in its hands"
        );
    }
}
