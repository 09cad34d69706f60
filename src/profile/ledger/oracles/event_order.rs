//! `ledger.event-order`: per debited account, first deliveries come in one partition and in journal order.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{Found, Seen};
use crate::judgement::Witness;
use crate::oracle::order::{Delivery, Disorder, first_deliveries};
use crate::profile::ledger::facts::{Account, Transfer};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let deliveries = in_partition_order(seen);
    let disorders = first_deliveries(&deliveries, seen.facts.transfers.len(), seen.facts.accounts.len());
    for disorder in disorders {
        match disorder {
            Disorder::Split { earlier, later } => found.blame("split", || {
                let (one, other) = (&deliveries[earlier], &deliveries[later]);
                let expected = format!("the events of {} are all in partition {}", account(seen, one), one.partition);
                let text = format!("that of {} is in partition {}", posted(seen, other), other.partition);
                (expected, text, witnesses(seen, one, other))
            }),
            Disorder::Reordered { earlier, later } => found.blame("reordered", || {
                let (one, other) = (&deliveries[earlier], &deliveries[later]);
                let (low, high) = (other.rank, one.rank);
                let expected = format!(
                    "the first events of {} come in journal order: entry {low} of {} before entry {high} of {}",
                    account(seen, one),
                    posted(seen, other),
                    posted(seen, one)
                );
                (expected, format!("that of entry {high} came first"), witnesses(seen, one, other))
            }),
        }
    }
    found.saw("first deliveries that have one before them", followers(seen, &deliveries), seen.share_of_load(8, 30));
    found.needs_readable_events(seen);
    found
}

/// Deliveries of whole transfers, in the order of offsets within each partition.
fn in_partition_order(seen: &Seen<'_>) -> Vec<Delivery> {
    let facts = seen.facts;
    let mut offsets: HashMap<i32, i64, RandomState> = HashMap::default();
    let mut in_order = true;
    let mut deliveries = Vec::with_capacity(facts.deliveries.len());
    for delivery in &facts.deliveries {
        let last = offsets.entry(delivery.partition).or_insert(i64::MIN);
        in_order &= *last <= delivery.offset;
        *last = delivery.offset;
        // Half a transfer, or one that is not in the journal, has no place in its order.
        let posted = seen.books.posted(delivery.transfer);
        let (2, Some(debit)) = (posted.legs, facts.rows.get(posted.debit as usize)) else { continue };
        let (item, group) = (delivery.transfer.0, debit.account.0);
        let item = Delivery { item, group, rank: debit.sequence, partition: delivery.partition };
        deliveries.push((delivery.offset, item));
    }
    if !in_order {
        deliveries.sort_by_key(|(offset, delivery)| (delivery.partition, *offset));
    }
    deliveries.into_iter().map(|(_, delivery)| delivery).collect()
}

/// How many transfers were delivered after another one of the same account.
fn followers(seen: &Seen<'_>, deliveries: &[Delivery]) -> u64 {
    let mut items = vec![false; seen.facts.transfers.len()];
    let mut groups = vec![false; seen.facts.accounts.len()];
    let mut followers = 0;
    for delivery in deliveries {
        if !std::mem::replace(&mut items[delivery.item as usize], true) {
            followers += u64::from(std::mem::replace(&mut groups[delivery.group as usize], true));
        }
    }
    followers
}

fn account<'a>(seen: &'a Seen<'_>, delivery: &Delivery) -> &'a str {
    seen.account(Account(delivery.group))
}

fn posted(seen: &Seen<'_>, delivery: &Delivery) -> String {
    seen.posted(Transfer(delivery.item))
}

fn witnesses(seen: &Seen<'_>, earlier: &Delivery, later: &Delivery) -> Vec<Witness> {
    let transfers = [Transfer(later.item), Transfer(earlier.item)];
    let mut witnesses: Vec<_> = transfers.into_iter().flat_map(|transfer| seen.rows(transfer)).collect();
    witnesses.extend(seen.deliveries(transfers[1]));
    witnesses.extend(seen.deliveries(transfers[0]));
    witnesses
}
