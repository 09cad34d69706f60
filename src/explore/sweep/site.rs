//! Sites: the exchanges of a scenario at which something can be done.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use crate::fault::{Edge, Node};
use crate::history::{Exchange, History, Moment, Phase, Truth, What};

/// An exchange, by where it is and what it is called: another run of the same scenario has it, too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// The link.
    pub edge: Edge,
    /// What it is called.
    pub label: String,
    /// Which of the exchanges with this label on this link, counted from 1 at the beginning of the load.
    pub nth: u32,
}

/// A site and what became of it in the run in which it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub site: Site,
    /// When its request reached the link.
    pub sent: Moment,
    /// What became of it.
    pub truth: Truth,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { edge, label, nth } = self;
        write!(f, "`{label}` on {edge}")?;
        if *nth > 1 { write!(f, ", number {nth}") } else { Ok(()) }
    }
}

/// The sites of a run, in the order in which their requests were sent: exchanges of the load phase that may change something,
/// except those that the target makes at rest as well.
#[must_use]
pub fn sites(history: &History) -> Vec<Found> {
    let idle = idle(history);
    let mut found: Vec<Found> = Vec::new();
    for (edge, exchange) in during(history, Part::Load) {
        if exchange.changes && !idle.contains(&(kind(&edge), exchange.label.as_str())) {
            let site = Site { edge, label: exchange.label.clone(), nth: 0 };
            found.push(Found { site, sent: exchange.sent, truth: exchange.truth });
        }
    }
    found.sort_by_key(|found| found.sent);
    let mut counts: BTreeMap<(Edge, String), u32> = BTreeMap::new();
    for found in &mut found {
        let count = counts.entry((found.site.edge.clone(), found.site.label.clone())).or_default();
        *count += 1;
        found.site.nth = *count;
    }
    found
}

/// The sites of a run that an earlier one did not have, for example the repetitions that a fault caused.
#[must_use]
pub fn new_sites(history: &History, earlier: &[Found]) -> Vec<Found> {
    let known: HashSet<&Site> = earlier.iter().map(|found| &found.site).collect();
    sites(history).into_iter().filter(|found| !known.contains(&found.site)).collect()
}

/// The parts of a run that are told apart here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Before the set-up has been done to its end, and after the load.
    Other,
    /// Nothing is asked of the target.
    Rest,
    Load,
}

fn during(history: &History, wanted: Part) -> impl Iterator<Item = (Edge, &Exchange)> {
    let mut spans: Vec<(Moment, Part)> = vec![(Moment(0), Part::Other)];
    for event in &history.events {
        match event.what {
            What::Rested => spans.push((event.at, Part::Rest)),
            What::Phase { phase: Phase::Load } => spans.push((event.at, Part::Load)),
            What::Phase { phase: Phase::Settle } => spans.push((event.at, Part::Other)),
            _ => {}
        }
    }
    let part = move |at: Moment| spans.iter().rev().find(|(from, _)| *from <= at).map(|(_, part)| *part);
    history.events.iter().filter_map(move |event| match &event.what {
        // By when it was sent: an exchange is recorded when it is over.
        What::Exchange(exchange) if part(exchange.sent) == Some(wanted) => {
            Some((Edge::try_from(exchange.edge.clone()).ok()?, exchange))
        }
        _ => None,
    })
}

/// What the target does when nothing is asked of it, by kind of edge and label.
fn idle(history: &History) -> HashSet<((String, String), &str)> {
    during(history, Part::Rest).map(|(edge, exchange)| (kind(&edge), exchange.label.as_str())).collect()
}

/// An edge by roles: the instances of a role do the same.
fn kind(edge: &Edge) -> (String, String) {
    let name = |node: &Node| match node {
        Node::Instance(instance) => instance.role.clone(),
        other => other.to_string(),
    };
    (name(&edge.from), name(&edge.to))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::history::Event;

    pub(crate) fn exchange(at: u64, edge: &str, label: &str, truth: Truth) -> Event {
        let (sent, edge, label) = (Moment(at), edge.to_owned(), label.to_owned());
        let changes = !label.starts_with("select");
        let what = What::Exchange(Exchange {
            sent,
            edge,
            connection: 1,
            label,
            changes,
            truth,
            answered: true,
            lost: false,
            code: None,
        });
        Event { at: Moment(at + 1), what }
    }

    pub(crate) fn mark(at: u64, what: What) -> Event {
        Event { at: Moment(at), what }
    }

    #[test]
    fn what_changes_something_during_the_load_is_a_site_and_counted_by_link() {
        let history = History {
            events: vec![
                exchange(1, "api-1->postgres", "COMMIT", Truth::Applied),
                mark(5, What::Rested),
                exchange(6, "relay-1->postgres", "update lease", Truth::Applied),
                mark(10, What::Phase { phase: Phase::Load }),
                exchange(13, "api-1->postgres", "COMMIT", Truth::Applied),
                exchange(12, "api-1->postgres", "insert into keys", Truth::Pending),
                exchange(14, "relay-2->postgres", "update lease", Truth::Applied),
                exchange(15, "api-2->postgres", "COMMIT", Truth::Applied),
                exchange(16, "api-1->postgres", "select 1", Truth::Applied),
                exchange(17, "api-1->postgres", "COMMIT", Truth::Refused),
                mark(20, What::Phase { phase: Phase::Settle }),
                exchange(21, "api-1->postgres", "COMMIT", Truth::Applied),
            ],
        };
        let found: Vec<String> = sites(&history).iter().map(|found| found.site.to_string()).collect();
        assert_eq!(
            found,
            [
                "`insert into keys` on api-1->postgres",
                "`COMMIT` on api-1->postgres",
                "`COMMIT` on api-2->postgres",
                "`COMMIT` on api-1->postgres, number 2"
            ]
        );
    }

    #[test]
    fn only_what_an_earlier_run_did_not_have_is_new() {
        let load = mark(0, What::Phase { phase: Phase::Load });
        let once = exchange(1, "client->api-1", "POST /transfers", Truth::Applied);
        let again = exchange(5, "client->api-2", "POST /transfers", Truth::Applied);
        let earlier = sites(&History { events: vec![load.clone(), once.clone()] });
        let new = new_sites(&History { events: vec![load, once, again] }, &earlier);
        assert_eq!(
            new.iter().map(|found| found.site.to_string()).collect::<Vec<_>>(),
            ["`POST /transfers` on client->api-2"]
        );
    }
}
