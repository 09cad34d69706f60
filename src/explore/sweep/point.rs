//! Points: what is done at which site. What cannot differ is done once.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::site::{Found, Site};
use crate::fault::{Act, AtExchange, Fault, Heal, Node, Pattern, Pick, Plan, Repeat, Step, Trigger};
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
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Crash, Self::CutBefore, Self::CutAfter, Self::Stall, Self::Repeat];
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
        let fault = Fault::Exchange(AtExchange { edge, on, pick: Pick::Nth(nth), act: self.act });
        let heal = match self.act {
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
    Plan { steps: points.iter().map(|point| point.step(patience)).collect() }
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

/// Every action at every site, in the order of the sites.
///
/// Crashes of one instance between two of its exchanges are all the same, and so are those around an exchange that left
/// nothing behind: an instance is killed before its first exchange, and after each one that may have had an effect.
#[must_use]
pub fn points(sites: &[Found], actions: &[Action]) -> Vec<Point> {
    let mut seen: BTreeSet<&InstanceName> = BTreeSet::new();
    let mut points = Vec::new();
    for found in sites {
        let site = &found.site;
        let mut add = |act| points.push(Point { site: site.clone(), act });
        let is_first = site.edge.actor().is_some_and(|actor| seen.insert(actor));
        for action in actions {
            match action {
                Action::Crash => {
                    if is_first {
                        add(Act::CrashBefore);
                    }
                    if leaves_something(found) {
                        add(Act::CrashAfter);
                    }
                }
                Action::CutBefore => add(Act::CutBefore),
                Action::CutAfter => add(Act::CutAfter),
                Action::Stall => add(Act::Stall),
                Action::Repeat if matches!(site.edge.to, Node::Instance(_) | Node::Gateway) => {
                    add(Act::Repeat(Repeat::InARow))
                }
                Action::Repeat => {}
            }
        }
    }
    points
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
                "api-1 is killed before `POST /transfers` on client->api-1".to_owned(),
                format!(
                    "api-1 is killed after api-1 {after} `POST /transfers` on client->api-1, before the answer arrived"
                ),
                format!(
                    "api-1 is killed after postgres {after} `COMMIT` on api-1->postgres, before the answer arrived"
                ),
                "relay-1 is killed before `Produce events` on relay-1->kafka".to_owned(),
                format!(
                    "relay-1 is killed after kafka {after} `Produce events` on relay-1->kafka, before the answer arrived"
                ),
            ]
        );
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
        assert_eq!(points(&scenery(&history).sites, &Action::ALL).len(), 2 * 3 + 1 + 3);
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
