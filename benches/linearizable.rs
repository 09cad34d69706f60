//! How many operations a second the search for an order judges, by how many callers are at one account at once, and
//! how much memory it takes; with every end known, and with 5 % of the additions without an end.
//!
//! Half of the operations are additions, half are reads. `cargo bench --bench linearizable`.

mod memory;

use std::hint::black_box;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fireassay::history::Moment;
use fireassay::oracle::linearizable::{Budget, Operation, Verdict, What, check};
use memory::{Counting, IN_USE, PEAK};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often each history is checked; the best time counts, because other work disturbs the caches.
const REPEATS: u32 = 5;

/// More steps than any of these takes.
const BUDGET: Budget = Budget { configurations: 4_096, steps: u64::MAX };

/// A right history: each operation happens at one moment within its interval. Of 100 additions `doubtful` ended in
/// doubt; half of those happened, and the audit has told which.
fn history(count: usize, callers: usize, doubtful: u32) -> Vec<Operation> {
    let mut random = ChaCha8Rng::seed_from_u64(42);
    let mut free: Vec<u64> = (0..callers).map(|_| random.random_range(0..2_000)).collect();
    let mut operations = Vec::with_capacity(count);
    while operations.len() < count {
        let Some(begin) = free.iter_mut().min() else { return Vec::new() };
        let length = random.random_range(1..2_000);
        let happens = *begin + random.random_range(1..=length);
        let end = happens + random.random_range(1..=length);
        let invoked = Moment(std::mem::replace(begin, end + random.random_range(1..500)));
        let adds = random.random();
        let is_doubtful = adds && random.random_range(0..100) < doubtful;
        let what = if adds { What::Add(random.random_range(-100_000..=100_000)) } else { What::Read(0) };
        let returned = (!is_doubtful).then_some(Moment(end));
        if !is_doubtful || random.random() {
            operations.push((happens, Operation { invoked, returned, what }));
        }
    }
    let mut order: Vec<_> = (0..count).collect();
    order.sort_by_key(|number| operations[*number].0);
    let mut balance = 0;
    for number in order {
        match &mut operations[number].1.what {
            What::Add(amount) => balance += *amount,
            What::Read(value) => *value = balance,
            What::Below(_) | What::AtLeast(_) => {}
        }
    }
    operations.into_iter().map(|(_, operation)| operation).collect()
}

/// What this thread has had of a processor; zero where the system does not say.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default())
}

/// The shortest time on a processor that it took, and the most bytes it had in use.
fn measure(operations: &[Operation]) -> (Duration, usize) {
    let (mut best, mut peak) = (Duration::MAX, 0);
    for _ in 0..REPEATS {
        let base = IN_USE.load(Ordering::Relaxed);
        PEAK.store(base, Ordering::Relaxed);
        let start = cpu_time();
        let verdict = check(0, black_box(operations), BUDGET);
        best = best.min(cpu_time().saturating_sub(start));
        peak = PEAK.load(Ordering::Relaxed).saturating_sub(base);
        assert_eq!(verdict, Verdict::Linearizable, "the history is right");
    }
    (best, peak)
}

fn main() {
    let speed = |count: usize, time: Duration| count as f64 / time.as_secs_f64() / 1e6;
    println!("one account, one core; operations: half additions, half reads");
    for (callers, count) in [(2, 1_000_000), (4, 1_000_000), (8, 1_000_000), (16, 200_000)] {
        let (known, memory) = measure(&history(count, callers, 0));
        let (doubtful, memory_in_doubt) = measure(&history(count, callers, 5));
        println!(
            "{callers:2} at once: {:5.1} million a second, {memory} bytes beside the input; \
             with 5 % without an end {:5.1} million ({:.2} times the time), {memory_in_doubt} bytes",
            speed(count, known),
            speed(count, doubtful),
            doubtful.as_secs_f64() / known.as_secs_f64(),
        );
    }
    for count in [10_000, 100_000, 1_000_000] {
        let (_, memory) = measure(&history(count, 8, 5));
        println!("memory beside the input, 8 at once, 5 % without an end, {count} operations: {memory} bytes");
    }
}
