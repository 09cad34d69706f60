//! What every program goes through: steps both ways, drift, a frozen clock, and back, while it asks and waits.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fireassay::clock::Skew;
use fireassay::fault::{ClockChange, Rate, Shift};

use super::subject::Subject;

pub(crate) const HOUR_NS: i64 = 3_600_000_000_000;
const SECOND_NS: i64 = 1_000_000_000;

/// How late an answer may be on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// A wait of 100 ms takes at least this long: some programs count in milliseconds and cut off what is left.
const WAIT_MIN: Duration = Duration::from_millis(90);

/// And no longer than this, on a busy machine.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// The whole schedule.
pub(crate) fn whole(command: &[&str]) {
    let mut subject = Subject::start(command);
    is_near(subject.now().wall, 0);
    waits_are_sound(&mut subject, "before");

    let step = |shift| ClockChange::Step(shift);
    let hours = |hours| Duration::from_hours(hours);
    for (change, wrong) in [
        (step(Shift::backwards(Duration::from_secs(8))), -8 * SECOND_NS),
        (step(Shift::forwards(hours(3))), 3 * HOUR_NS - 8 * SECOND_NS),
        (step(Shift::backwards(hours(30))), -27 * HOUR_NS - 8 * SECOND_NS),
        (ClockChange::Back, 0),
    ] {
        let skew = subject.clock.change(change).unwrap();
        is_near(subject.now().wall, wrong);
        bites(&mut subject, &skew);
        waits_are_sound(&mut subject, &format!("{change:?}"));
    }
    for rate in [2.0, 0.5] {
        let change = ClockChange::Drift(Rate::try_from(rate).unwrap());
        runs_at(&mut subject, change, rate);
    }
    runs_at(&mut subject, ClockChange::Freeze, 0.0);
    let back = subject.clock.change(ClockChange::Back).unwrap();
    is_near(subject.now().wall, 0);
    bites(&mut subject, &back);
    under_way(&mut subject);
}

/// The clock runs at this pace, and what is seen of it says so.
fn runs_at(subject: &mut Subject, change: ClockChange, rate: f64) {
    let skew = subject.clock.change(change).unwrap();
    let (start, first) = (Instant::now(), subject.now().wall);
    let asked = start.elapsed();
    waits_are_sound(subject, &format!("{change:?}"));
    let before_last = start.elapsed();
    let last = subject.now().wall;
    let passed = (last - first) as f64;
    // The readings lie somewhere within the time that the questions took.
    let [shortest, longest] = [before_last.saturating_sub(asked), start.elapsed()].map(|real| real.as_nanos() as f64);
    let slack = 2e6;
    let expected = shortest * rate - slack..=longest * rate + slack;
    assert!(expected.contains(&passed), "{change:?}: {passed} ns passed, but not {expected:?}");
    bites(subject, &skew);
}

/// Waits that are under way when the clock changes keep their length.
fn under_way(subject: &mut Subject) {
    let changes = [
        ClockChange::Step(Shift::forwards(Duration::from_hours(3))),
        ClockChange::Step(Shift::backwards(Duration::from_hours(9))),
        ClockChange::Freeze,
        ClockChange::Back,
    ];
    for change in changes {
        subject.say("hold 300");
        std::thread::sleep(Duration::from_millis(50));
        let _skew = subject.clock.change(change).unwrap();
        let took = Duration::from_micros(subject.hear().parse().unwrap());
        assert!((WAIT_MIN * 3..WAIT_MAX).contains(&took), "{change:?} in the middle of a wait of 300 ms: {took:?}");
    }
}

fn waits_are_sound(subject: &mut Subject, when: &str) {
    let mut waits = subject.waits();
    let cpu = Duration::from_micros(waits.remove("cpu").unwrap());
    let mut total = Duration::ZERO;
    for (name, micros) in &waits {
        let took = Duration::from_micros(*micros);
        assert!((WAIT_MIN..WAIT_MAX).contains(&took), "{when}: {name} of 100 ms took {took:?}");
        total += took;
    }
    assert!(cpu < total * 3 / 4, "{when}: {cpu:?} of {total:?} were spent on waiting: something spins");
}

fn bites(subject: &mut Subject, skew: &Skew) {
    let end = Instant::now() + PATIENCE;
    while skew.bite().is_none() {
        assert!(Instant::now() < end, "nothing is seen of it: {}", skew.why_not());
        subject.now();
    }
    // A garbage collector or a timer may ask as well, but it is the program itself that counts.
    let bite = skew.bite().unwrap();
    assert!(bite.contains(&format!("process {} ", subject.pid())), "{bite}");
    let told = subject.now();
    for other in told.others {
        assert!((other - told.wall).abs() < 2 * SECOND_NS, "two ways to ask give {other} and {}", told.wall);
    }
}

/// The time that somebody was told just now is wrong by so many nanoseconds.
pub(crate) fn is_near(told_ns: i64, wrong_ns: i64) {
    let real_ns = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
    let off = (told_ns - real_ns - wrong_ns).abs();
    assert!(off < PATIENCE.as_nanos() as i64, "told {told_ns}, which is {off} ns off what is wanted");
}
