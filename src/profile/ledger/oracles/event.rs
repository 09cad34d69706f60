//! `ledger.event`: every posted transfer has an event, all its events have one id, and no event is invented.
//!
//! A missing event is lost, rather than late, when work that came after it has gone through to its own events: all
//! probes have, and the transfer was acknowledged or read before the first of them was sent. What is younger than
//! that may still be under way. An invented event is one whose transfer no reading ever had, though the final one was
//! asked for after the event had come. Neither is said unless the topic was read to its end in the audit.

use super::{Found, Seen, probes};
use crate::history::Moment;
use crate::judgement::Witness;
use crate::profile::ledger::books::NONE;
use crate::profile::ledger::facts::{EventId, Transfer};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let facts = seen.facts;
    let mut found = Found::default();
    let mut ids = vec![NONE; facts.transfers.len()];
    let mut owners = vec![NONE; facts.event_ids.len()];
    for delivery in &facts.deliveries {
        let (transfer, id) = (delivery.transfer, delivery.id);
        let first = std::mem::replace(&mut ids[transfer.0 as usize], id.0);
        if first == NONE {
            invented(&mut found, seen, transfer, delivery.at);
        } else if first != id.0 {
            // The first id stays the one to compare with.
            ids[transfer.0 as usize] = first;
            found.blame("renamed", || {
                let name = |id: EventId| facts.event_ids.name(id.0);
                let expected = format!("every event of {} has the id {}", seen.posted(transfer), name(EventId(first)));
                let mut witnesses = story(seen, transfer);
                witnesses.extend(seen.deliveries(transfer));
                (expected, format!("one has the id {}", name(id)), witnesses)
            });
        }
        let owner = &mut owners[id.0 as usize];
        if *owner == NONE {
            *owner = transfer.0;
        } else if *owner != transfer.0 {
            let other = Transfer(*owner);
            found.blame("shared", || {
                let expected =
                    format!("the event id {} stands for {} alone", facts.event_ids.name(id.0), seen.posted(other));
                let mut witnesses: Vec<_> = seen.deliveries(other).collect();
                witnesses.push(Witness::Event(delivery.event));
                (expected, format!("it also stands for {}", seen.posted(transfer)), witnesses)
            });
        }
    }
    let told = missing(&mut found, seen, &ids);
    found.saw("posted transfers with an event", told, seen.share_of_load(5, 50));
    found.needs_audit(seen);
    found.needs_readable_events(seen);
    found.needs("event topics read to their end in the audit", facts.events_read);
    found.needs("audits after all new transfers had gone through to their events", overtaken(seen).is_some());
    found
}

/// Blames transfers without an event; the number of those that have one.
fn missing(found: &mut Found, seen: &Seen<'_>, ids: &[u32]) -> u64 {
    let overtaken = overtaken(seen).filter(|_| seen.facts.unreadable_records == 0 && seen.facts.events_read);
    let mut told = 0;
    for (number, posted) in (0..).zip(&seen.books.posted).filter(|(_, posted)| posted.legs > 0) {
        if ids[number as usize] != NONE {
            told += 1;
            continue;
        }
        let acknowledged = posted.intent.and_then(|intent| seen.facts.intents[intent.0 as usize].first_ok);
        let read = seen.facts.readings.get(posted.first_seen as usize).map(|reading| reading.at);
        let known = [acknowledged, read].into_iter().flatten().min();
        if overtaken.zip(known).is_some_and(|(overtaken, known)| known < overtaken) {
            let transfer = Transfer(number);
            found.blame("lost", || {
                let expected = format!("{} has an event", seen.posted(transfer));
                let text = "none came, though transfers made later have theirs".to_owned();
                (expected, text, story(seen, transfer))
            });
        }
    }
    told
}

/// When the first probe was sent, if all of them have gone through to their events.
fn overtaken(seen: &Seen<'_>) -> Option<Moment> {
    let probes = probes::read(seen.facts);
    let through = probes.len() >= seen.probes && probes.iter().all(|probe| probe.told.is_some());
    probes.iter().map(|probe| probe.sent).min().filter(|_| through)
}

fn invented(found: &mut Found, seen: &Seen<'_>, transfer: Transfer, came: Moment) {
    let audited = seen.facts.audited().is_some_and(|audit| came < audit.sent);
    if audited && seen.facts.events_read && seen.books.posted(transfer).first_seen == NONE {
        found.blame("invented", || {
            let name = seen.transfer(transfer);
            let expected = format!("{name}, of which an event tells, is in the journal");
            (expected, "no reading ever had it".into(), seen.deliveries(transfer).collect())
        });
    }
}

/// How the transfer came about.
fn story(seen: &Seen<'_>, transfer: Transfer) -> Vec<Witness> {
    let intent = seen.books.posted(transfer).intent;
    let mut witnesses = intent.map_or_else(Vec::new, |intent| seen.course(intent));
    witnesses.extend(seen.rows(transfer));
    witnesses
}
