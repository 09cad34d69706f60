//! Plans in words, for people.

use std::fmt;

use humantime::format_duration;

use super::plan::{Direction, Fault, Heal, Pick, RedisData, Repeat, Step, Trigger};

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(name) => write!(f, "kill {name}"),
            Self::Stop(name) => write!(f, "stop {name} (SIGTERM)"),
            Self::Pause(name) => write!(f, "pause {name}"),
            Self::Restart(name) => write!(f, "restart {name}"),
            Self::KillPostgres => f.write_str("kill postgres"),
            Self::KillRedis(RedisData::Kept) => f.write_str("kill redis, data kept"),
            Self::KillRedis(RedisData::Lost) => f.write_str("kill redis, data lost"),
            Self::FlushRedis => f.write_str("flush redis"),
            Self::KillKafka => f.write_str("kill kafka"),
            Self::Partition { edge, direction } => match direction {
                Direction::Both => write!(f, "partition {edge}"),
                Direction::Requests => write!(f, "partition {edge}, requests only"),
                Direction::Replies => write!(f, "partition {edge}, replies only"),
            },
            Self::Cut { edge } => write!(f, "cut the connections of {edge}"),
            Self::Latency { edge, delay, jitter } if jitter.is_zero() => {
                write!(f, "latency of {} on {edge}", format_duration(*delay))
            }
            Self::Latency { edge, delay, jitter } => {
                write!(f, "latency of {} to {} on {edge}", format_duration(*delay), format_duration(*delay + *jitter))
            }
            Self::Blackhole { edge } => write!(f, "blackhole the connections of {edge}"),
            Self::LoseReply { edge, pick } => write!(f, "lose the reply to {pick} on {edge}"),
            Self::CutBefore { edge, pick } => write!(f, "cut before {pick} on {edge}"),
            Self::Repeat { edge, pick, how } => match how {
                Repeat::InARow => write!(f, "deliver {pick} on {edge} twice in a row"),
                Repeat::Concurrently => write!(f, "deliver {pick} on {edge} twice at the same time"),
                Repeat::Late(after) => write!(f, "deliver {pick} on {edge} again {} later", format_duration(*after)),
            },
            Self::Clock { of, change } => change.tell(of, f),
        }
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nth(1) | Self::First(1) => f.write_str("the next request"),
            Self::Nth(n) => write!(f, "request {n} from here"),
            Self::First(n) => write!(f, "the next {n} requests"),
            Self::Every => f.write_str("every request"),
            Self::Probability(p) => write!(f, "{}% of the requests", p * 100.0),
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(after) if after.is_zero() => f.write_str("from the start"),
            Self::At(after) => write!(f, "{} into the load", format_duration(whole_millis(*after))),
            Self::Operations(count) => write!(f, "after {count} attempts"),
            Self::After { step, pause } => {
                write!(f, "{} after fault {}", format_duration(whole_millis(*pause)), step.0 + 1)
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.fault, self.trigger)?;
        match self.heal {
            _ if self.fault.is_momentary() || matches!(self.fault, Fault::Cut { .. }) => Ok(()),
            Heal::After(pause) => write!(f, ", for {}", format_duration(pause)),
            Heal::Operations(count) => write!(f, ", for {count} attempts"),
            Heal::AtEnd => f.write_str(", to the end of the load"),
        }
    }
}

fn whole_millis(time: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
