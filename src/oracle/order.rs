//! Order of first deliveries: items of a group, delivered at least once over the partitions of a log, have to come
//! in one partition and, counting each item's first delivery only, in the order of their ranks.
//!
//! A redelivery of an item that was delivered before says nothing about order: at-least-once delivery repeats.
//! Linear in the number of deliveries, with one pass over dense tables.

/// A delivery of an item. Dense numbers, given by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What was delivered.
    pub item: u32,
    /// What it has to be in order with.
    pub group: u32,
    /// Its place in the order that is demanded.
    pub rank: i64,
    /// The partition it came in.
    pub partition: i32,
}

/// Two deliveries that contradict the demanded order; indices into what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disorder {
    /// The two are of one group but came in different partitions.
    Split {
        /// The delivery that fixed the group's partition.
        earlier: usize,
        /// The one that came elsewhere.
        later: usize,
    },
    /// The earlier one has the higher rank.
    Reordered {
        /// Came first.
        earlier: usize,
        /// Should have come before it.
        later: usize,
    },
}

/// Checks deliveries that are given in the order of each partition's offsets; partitions may be interleaved.
/// `items` and `groups` are the numbers of each.
#[must_use]
pub fn first_deliveries(deliveries: &[Delivery], items: usize, groups: usize) -> Vec<Disorder> {
    const NONE: u32 = u32::MAX;
    let mut seen = vec![false; items];
    let mut highest = vec![NONE; groups];
    let mut disorders = Vec::new();
    for (later, delivery) in deliveries.iter().enumerate() {
        if std::mem::replace(&mut seen[delivery.item as usize], true) {
            continue;
        }
        let slot = &mut highest[delivery.group as usize];
        let here = u32::try_from(later).unwrap_or(NONE);
        if *slot == NONE {
            *slot = here;
            continue;
        }
        let earlier = *slot as usize;
        let before = &deliveries[earlier];
        if before.partition != delivery.partition {
            disorders.push(Disorder::Split { earlier, later });
        } else if before.rank > delivery.rank {
            disorders.push(Disorder::Reordered { earlier, later });
        } else {
            *slot = here;
        }
    }
    disorders
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Compares every pair of first deliveries.
    fn brute_force(deliveries: &[Delivery]) -> bool {
        let first = |n: usize| deliveries[..n].iter().all(|d| d.item != deliveries[n].item);
        (0..deliveries.len()).filter(|&n| first(n)).all(|later| {
            (0..later).filter(|&n| first(n)).all(|earlier| {
                let (a, b) = (&deliveries[earlier], &deliveries[later]);
                a.group != b.group || (a.partition == b.partition && a.rank <= b.rank)
            })
        })
    }

    proptest! {
        #[test]
        fn agrees_with_comparing_every_pair(choices in prop::collection::vec((0..6_u32, 0..2_i32), 0..8)) {
            // An item always has the same group and rank, as a transfer has one account and one sequence.
            let deliveries: Vec<_> = choices
                .into_iter()
                .map(|(item, partition)| Delivery { item, group: item % 2, rank: i64::from(item), partition })
                .collect();
            prop_assert_eq!(first_deliveries(&deliveries, 6, 2).is_empty(), brute_force(&deliveries));
        }

        #[test]
        fn redeliveries_in_the_right_order_pass(repeats in prop::collection::vec(0..10_u32, 0..20)) {
            // Ranks rise; then anything that was delivered before may come again.
            let of = |item| Delivery { item, group: 0, rank: i64::from(item), partition: 3 };
            let deliveries: Vec<_> = (0..10).chain(repeats).map(of).collect();
            prop_assert!(first_deliveries(&deliveries, 10, 1).is_empty());
        }
    }

    #[test]
    fn finds_both_kinds() {
        let of = |item, rank, partition| Delivery { item, group: 0, rank, partition };
        let split = first_deliveries(&[of(0, 1, 0), of(1, 2, 1)], 2, 1);
        assert_eq!(split, [Disorder::Split { earlier: 0, later: 1 }]);
        let reordered = first_deliveries(&[of(0, 2, 0), of(1, 1, 0)], 2, 1);
        assert_eq!(reordered, [Disorder::Reordered { earlier: 0, later: 1 }]);
    }
}
