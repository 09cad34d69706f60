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
    /// When it was over.
    pub over: Moment,
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

/// What a scenario consists of, as its run without faults shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenery {
    /// Exchanges of the load phase that may change something, in the order in which their requests were sent; without
    /// those that the target makes at rest as well.
    pub sites: Vec<Found>,
    /// What the target changes without being asked, and so is no site.
    pub left_out: Vec<LeftOut>,
}

/// An exchange that the target makes at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Between which roles.
    pub edge: (String, String),
    /// What it is called.
    pub label: String,
    /// How often it came while nothing was asked.
    pub at_rest: usize,
    /// How often it came during the load.
    pub in_load: usize,
    /// Whether it came so much more often during the load that some of these belong to the load: then sites are missing.
    pub hides_sites: bool,
}

/// Reads a run without faults.
#[must_use]
pub fn scenery(history: &History) -> Scenery {
    let mut left_out: Vec<LeftOut> = Vec::new();
    for (edge, exchange, _) in during(history, Part::Rest).filter(|(_, exchange, _)| exchange.changes) {
        match left_out.iter_mut().find(|of| of.is(&edge, &exchange.label)) {
            Some(known) => known.at_rest += 1,
            None => left_out.push(LeftOut {
                edge: kind(&edge),
                label: exchange.label.clone(),
                at_rest: 1,
                in_load: 0,
                hides_sites: false,
            }),
        }
    }
    let times_longer = length(history, Part::Load).div_ceil(length(history, Part::Rest).max(1)).max(1);
    for known in &mut left_out {
        known.in_load =
            during(history, Part::Load).filter(|(edge, exchange, _)| known.is(edge, &exchange.label)).count();
        // Twice as often as at rest, and one more, is still chance.
        let most = known.at_rest.saturating_mul(2).saturating_mul(usize::try_from(times_longer).unwrap_or(usize::MAX));
        known.hides_sites = known.in_load > most.saturating_add(1);
    }
    Scenery { sites: sites(history, &left_out), left_out }
}

/// The sites of a later run that the scenario did not have, for example the repetitions that a fault caused.
#[must_use]
pub fn new_sites(history: &History, scenery: &Scenery) -> Vec<Found> {
    let known: HashSet<&Site> = scenery.sites.iter().map(|found| &found.site).collect();
    sites(history, &scenery.left_out).into_iter().filter(|found| !known.contains(&found.site)).collect()
}

fn sites(history: &History, left_out: &[LeftOut]) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut exchanges: Vec<_> = during(history, Part::Load).collect();
    exchanges.sort_by_key(|(_, exchange, _)| exchange.sent);
    let mut counts: BTreeMap<(Edge, String), u32> = BTreeMap::new();
    let mut reading: HashSet<(Edge, u64)> = HashSet::new();
    for (edge, exchange, over) in exchanges {
        let only_read = has_only_read(&mut reading, &edge, exchange);
        if !exchange.changes || left_out.iter().any(|of| of.is(&edge, &exchange.label)) {
            continue;
        }
        // Counted as the link counts them, those among them that are no sites as well.
        let count = counts.entry((edge.clone(), exchange.label.clone())).or_default();
        *count += 1;
        if !only_read {
            let site = Site { edge, label: exchange.label.clone(), nth: *count };
            found.push(Found { site, sent: exchange.sent, over, truth: exchange.truth });
        }
    }
    found
}

/// Whether an exchange ends a transaction that has changed nothing. `reading` are the connections with a transaction that
/// was seen to begin and has changed nothing so far.
fn has_only_read(reading: &mut HashSet<(Edge, u64)>, edge: &Edge, exchange: &Exchange) -> bool {
    let connection = (edge.clone(), exchange.connection);
    if exchange.label == "BEGIN" {
        reading.insert(connection);
        return false;
    }
    exchange.changes && reading.remove(&connection) && exchange.label == "COMMIT"
}

impl LeftOut {
    fn is(&self, edge: &Edge, label: &str) -> bool {
        self.label == label && self.edge == kind(edge)
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { edge: (from, to), label, at_rest, in_load, .. } = self;
        write!(f, "`{label}` on {from}->{to} ({at_rest} at rest, {in_load} during the load)")
    }
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

/// With the moment when each was over.
fn during(history: &History, wanted: Part) -> impl Iterator<Item = (Edge, &Exchange, Moment)> {
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
            Some((Edge::try_from(exchange.edge.clone()).ok()?, exchange, event.at))
        }
        _ => None,
    })
}

/// How long a part lasted, in nanoseconds.
fn length(history: &History, wanted: Part) -> u64 {
    let mut length = 0;
    let mut since = None;
    for event in &history.events {
        let part = match event.what {
            What::Rested => Part::Rest,
            What::Phase { phase: Phase::Load } => Part::Load,
            What::Phase { phase: Phase::Settle } => Part::Other,
            _ => continue,
        };
        if let Some(since) = since.take() {
            length += event.at.0.saturating_sub(since);
        }
        since = (part == wanted).then_some(event.at.0);
    }
    length
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
        let found: Vec<String> = scenery(&history).sites.iter().map(|found| found.site.to_string()).collect();
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
    fn the_end_of_a_transaction_that_has_only_read_is_no_site_and_counts() {
        let on = |at, label| exchange(at, "api-1->postgres", label, Truth::Applied);
        let labels = ["BEGIN", "select 1", "COMMIT", "BEGIN", "insert into keys", "COMMIT", "COMMIT"];
        let mut events: Vec<Event> = (1..).zip(labels).map(|(at, label)| on(at, label)).collect();
        for event in &mut events {
            if let What::Exchange(exchange) = &mut event.what {
                exchange.changes &= exchange.label != "BEGIN";
            }
        }
        events.insert(0, mark(0, What::Phase { phase: Phase::Load }));
        let found: Vec<String> =
            scenery(&History { events }).sites.iter().map(|found| found.site.to_string()).collect();
        assert_eq!(
            found,
            [
                "`insert into keys` on api-1->postgres",
                "`COMMIT` on api-1->postgres, number 2",
                "`COMMIT` on api-1->postgres, number 3"
            ]
        );
    }

    #[test]
    fn only_what_an_earlier_run_did_not_have_is_new() {
        let load = mark(0, What::Phase { phase: Phase::Load });
        let once = exchange(1, "client->api-1", "POST /transfers", Truth::Applied);
        let again = exchange(5, "client->api-2", "POST /transfers", Truth::Applied);
        let earlier = scenery(&History { events: vec![load.clone(), once.clone()] });
        let new = new_sites(&History { events: vec![load, once, again] }, &earlier);
        assert_eq!(
            new.iter().map(|found| found.site.to_string()).collect::<Vec<_>>(),
            ["`POST /transfers` on client->api-2"]
        );
    }

    #[test]
    fn what_comes_much_more_often_under_load_than_at_rest_hides_sites() {
        let mut events = vec![
            mark(0, What::Rested),
            exchange(1, "api-1->postgres", "COMMIT", Truth::Applied),
            exchange(2, "relay-1->postgres", "update lease", Truth::Applied),
            mark(100, What::Phase { phase: Phase::Load }),
            exchange(110, "relay-1->postgres", "update lease", Truth::Applied),
        ];
        events.extend((120..124).map(|at| exchange(at, "api-2->postgres", "COMMIT", Truth::Applied)));
        events.push(mark(200, What::Phase { phase: Phase::Settle }));
        let scenery = scenery(&History { events });
        assert!(scenery.sites.is_empty());
        let told: Vec<_> = scenery.left_out.iter().map(|of| (of.to_string(), of.hides_sites)).collect();
        assert_eq!(
            told,
            [
                ("`COMMIT` on api->postgres (1 at rest, 4 during the load)".to_owned(), true),
                ("`update lease` on relay->postgres (1 at rest, 1 during the load)".to_owned(), false),
            ]
        );
    }
}
