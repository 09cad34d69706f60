//! Plans in words, for people.

use std::fmt;

use humantime::format_duration;

use super::error_reply::ErrorReply;
use super::exchange::{Act, AtExchange, Pattern, Pick, Repeat};
use super::plan::{Direction, Fault, Heal, RedisData, Step, Trigger};
use crate::report::text::count;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(name) => write!(f, "kill {name}"),
            Self::Stop(name) => write!(f, "stop {name} (SIGTERM)"),
            Self::Pause(name) => write!(f, "pause {name}"),
            Self::Restart(name) => write!(f, "restart {name}"),
            Self::Disconnect(name) => write!(f, "disconnect the container of {name} from its network"),
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
            Self::Exchange(at) => at.fmt(f),
            Self::Gateway(at) => at.fmt(f),
            Self::Clock { of, change } => change.tell(of, f),
            Self::Server(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for AtExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { edge, on, pick, act } = self;
        let victim = self.victim().map(ToString::to_string).unwrap_or_default();
        let which = Which { pick: *pick, on: on.as_ref() };
        match act {
            Act::CrashBefore => write!(f, "kill {victim} before {which} on {edge} is passed on"),
            Act::CrashAfter => {
                write!(f, "kill {victim} after {which} on {edge} was answered, before the answer arrives")
            }
            Act::CutBefore => write!(f, "cut before {which} on {edge}"),
            Act::CutAfter => write!(f, "cut after {which} on {edge}"),
            Act::LoseReply => write!(f, "lose the reply to {which} on {edge}"),
            Act::Stall => write!(f, "stop {victim} with {which} on {edge} in its hands"),
            Act::Delay(by) => write!(f, "hold {which} on {edge} for {}", format_duration(*by)),
            Act::AnswerError(error) => {
                write!(f, "answer {which} on {edge} with {} in its place", ErrorReply::or_any(error.as_ref()))
            }
            Act::Swallow => write!(f, "swallow {which} on {edge} and answer that it worked"),
            Act::FailReply(error) => {
                write!(f, "answer {which} on {edge} with {} after it was done", ErrorReply::or_any(error.as_ref()))
            }
            Act::Repeat(Repeat::InARow) => write!(f, "deliver {which} on {edge} twice in a row"),
            Act::Repeat(Repeat::Concurrently) => write!(f, "deliver {which} on {edge} twice at the same time"),
            Act::Repeat(Repeat::Late(after)) => {
                write!(f, "deliver {which} on {edge} again {} later", format_duration(*after))
            }
        }
    }
}

/// A pick among the exchanges that a pattern means.
struct Which<'a> {
    pick: Pick,
    on: Option<&'a Pattern>,
}

impl fmt::Display for Which<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(on) = self.on else { return self.pick.fmt(f) };
        let on = on.as_str();
        match self.pick {
            Pick::Nth(1) | Pick::First(1) => write!(f, "the next `{on}`"),
            Pick::Nth(n) => write!(f, "`{on}` number {n} from here"),
            Pick::First(n) => write!(f, "the next {n} `{on}`"),
            Pick::Every => write!(f, "every `{on}`"),
            Pick::Probability(p) => write!(f, "{}% of `{on}`", p * 100.0),
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
            Self::Operations(number) => write!(f, "after {}", count((*number).into(), "attempt")),
            Self::OperationsThen { count, pause } => {
                write!(f, "{} after attempt {count}", format_duration(whole_millis(*pause)))
            }
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
            Heal::Operations(number) => write!(f, ", for {}", count(number.into(), "attempt")),
            Heal::AtEnd => f.write_str(", to the end of the load"),
        }
    }
}

fn whole_millis(time: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_thing_is_not_many() {
        let told = |number| (Trigger::Operations(number).to_string(), Pick::First(number).to_string());
        assert_eq!(told(1), ("after 1 attempt".to_owned(), "the next request".to_owned()));
        assert_eq!(told(2), ("after 2 attempts".to_owned(), "the next 2 requests".to_owned()));
        let fault = Fault::Pause("api-1".to_owned().try_into().unwrap());
        let step =
            |number| Step { fault: fault.clone(), trigger: Trigger::Operations(1), heal: Heal::Operations(number) };
        assert_eq!(step(1).to_string(), "pause api-1 after 1 attempt, for 1 attempt");
        assert_eq!(step(2).to_string(), "pause api-1 after 1 attempt, for 2 attempts");
    }
}
