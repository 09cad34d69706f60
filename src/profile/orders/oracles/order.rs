//! `orders.order`: per order, first deliveries come in one partition and in the order of the versions.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{Found, Seen};
use crate::judgement::Witness;
use crate::oracle::order::{Delivery, Disorder, first_deliveries};
use crate::profile::orders::facts::{Delivery as Told, Order};

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let told = in_partition_order(seen);
    let mut items: HashMap<(Order, i64), u32, RandomState> = HashMap::default();
    let mut item = |told: &Told| {
        let next = items.len() as u32;
        *items.entry((told.order, told.version)).or_insert(next)
    };
    let of = |told: &&Told| Delivery {
        item: item(told),
        group: told.order.0,
        rank: told.version,
        partition: told.partition,
    };
    let deliveries: Vec<_> = told.iter().map(of).collect();
    let items = items.len();
    for disorder in first_deliveries(&deliveries, items, seen.facts.orders.len()) {
        let (Disorder::Split { earlier, later } | Disorder::Reordered { earlier, later }) = disorder;
        let (one, other) = (told[earlier], told[later]);
        let name = seen.order(one.order);
        let kind = if matches!(disorder, Disorder::Split { .. }) { "split" } else { "reordered" };
        found.blame(kind, || {
            let (expected, text) = match disorder {
                Disorder::Split { .. } => (
                    format!("the events of {name} are all in partition {}", one.partition),
                    format!("that of version {} is in partition {}", other.version, other.partition),
                ),
                Disorder::Reordered { .. } => (
                    format!(
                        "the event of version {} of {name} comes before that of version {}",
                        other.version, one.version
                    ),
                    format!("that of version {} came first", one.version),
                ),
            };
            let mut witnesses = seen.course(one.order);
            witnesses.extend([one, other].map(|told| Witness::Event(told.event)));
            (expected, text, witnesses)
        });
    }
    let groups = deliveries.iter().map(|delivery| delivery.group).collect::<std::collections::HashSet<_>>().len();
    // The first of an order has none before it.
    found.saw("first deliveries that have one before them", (items - groups) as u64, seen.share_of_load(4, 60));
    found.needs_readable_records(seen);
    found
}

/// The target's own events, each partition in the order of its offsets.
fn in_partition_order<'a>(seen: &Seen<'a>) -> Vec<&'a Told> {
    let mut told: Vec<_> = seen.facts.deliveries.iter().collect();
    told.sort_by_key(|told| (told.partition, told.offset));
    told
}
