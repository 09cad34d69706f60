//! Faults, triggers and steps in words: `kill api-2 after 57 operations`.

use std::fmt;
use std::time::Duration;

use super::{Direction, Fault, Pick, RedisData, Repeat, Step, Trigger};

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.fault, self.trigger)
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(time) => write!(f, "at {}", in_words(*time)),
            Self::Operations(count) => write!(f, "after {count} operations"),
            Self::After { step, pause } => write!(f, "{} after fault {}", in_words(*pause), step.0 + 1),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(name) => write!(f, "kill {name}"),
            Self::Stop(name) => write!(f, "stop {name}"),
            Self::Pause(name) => write!(f, "pause {name}"),
            Self::Restart(name) => write!(f, "restart {name}"),
            Self::KillPostgres => f.write_str("kill postgres"),
            Self::KillRedis(RedisData::Kept) => f.write_str("kill redis, keeping its data"),
            Self::KillRedis(RedisData::Lost) => f.write_str("kill redis and lose its data"),
            Self::FlushRedis => f.write_str("flush redis"),
            Self::KillKafka => f.write_str("kill kafka"),
            Self::Partition { edge, direction: Direction::Both } => write!(f, "partition {edge}"),
            Self::Partition { edge, direction: Direction::Requests } => write!(f, "hold requests on {edge}"),
            Self::Partition { edge, direction: Direction::Replies } => write!(f, "hold replies on {edge}"),
            Self::Cut { edge } => write!(f, "cut {edge}"),
            Self::Latency { edge, delay, jitter } if jitter.is_zero() => {
                write!(f, "delay {edge} by {}", in_words(*delay))
            }
            Self::Latency { edge, delay, jitter } => {
                write!(f, "delay {edge} by {} and up to {} more", in_words(*delay), in_words(*jitter))
            }
            Self::Blackhole { edge } => write!(f, "silence open connections of {edge}"),
            Self::LoseReply { edge, pick } => write!(f, "lose {pick} reply on {edge}"),
            Self::CutBefore { edge, pick } => write!(f, "cut {edge} before {pick} request"),
            Self::Repeat { edge, pick, how } => write!(f, "deliver {pick} request on {edge} twice, {how}"),
        }
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nth(1) => f.write_str("the next"),
            Self::Nth(n) => write!(f, "the {n}th next"),
            Self::First(n) => write!(f, "each of the next {n}:"),
            Self::Every => f.write_str("every"),
            Self::Probability(p) => write!(f, "{:.0} % of the time a", p * 100.0),
        }
    }
}

impl fmt::Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InARow => f.write_str("in a row"),
            Self::Concurrently => f.write_str("at the same time"),
            Self::Late(pause) => write!(f, "the second time {} later", in_words(*pause)),
        }
    }
}

/// Rounded to milliseconds: nobody places a fault more finely than that.
fn in_words(time: Duration) -> impl fmt::Display {
    humantime::format_duration(Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Edge, Heal};

    #[test]
    fn a_step_reads_as_a_sentence() {
        let edge = Edge::try_from("client->api-1".to_owned()).expect("an edge");
        let step = |fault, trigger| Step { fault, trigger, heal: Heal::AtEnd }.to_string();
        assert_eq!(
            step(Fault::Kill("api-2".to_owned().try_into().expect("a name")), Trigger::Operations(57)),
            "kill api-2 after 57 operations"
        );
        assert_eq!(
            step(Fault::LoseReply { edge, pick: Pick::Nth(1) }, Trigger::At(Duration::from_micros(1_500_999))),
            "lose the next reply on client->api-1 at 1s 500ms"
        );
    }
}
