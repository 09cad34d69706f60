//! What can go wrong with the wall clock of one instance, as data.
//!
//! ```toml
//! inject = { clock = { of = "api-2", change = { step = "25h" } } }     # an hour and a day ahead
//! inject = { clock = { of = "api", change = { step = "-90s" } } }      # back
//! inject = { clock = { of = "api", change = { drift = 1.5 } } }        # half as fast again
//! inject = { clock = { of = "every api", change = "freeze" } }
//! inject = { clock = { of = "api-2", change = "back" } }               # right again, at once
//! ```

use std::fmt;
use std::time::Duration;

use humantime::{format_duration, parse_duration};
use serde::{Deserialize, Serialize};

/// The longest step: far beyond every deadline, and far from the end of 64-bit nanoseconds in the year 2262.
const SHIFT_MAX: Duration = Duration::from_hours(24 * 3_650);

/// The fastest clock.
const RATE_MAX: f64 = 1_000.0;

/// A change of a clock, as a suite writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockSpec {
    /// Whose clock: an instance as in [`super::spec`].
    pub of: String,
    /// How it changes.
    pub change: ClockChange,
}

/// How a clock changes. Each goes on from what the clock shows at that moment, except `back`. Healing puts the clock
/// right, unless a later change has taken over by then.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockChange {
    /// It shows another time at once, and goes on at the pace it had.
    Step(Shift),
    /// It runs at this pace; 1 is right.
    Drift(Rate),
    /// It stands still.
    Freeze,
    /// It is right again.
    Back,
}

/// How far a clock is moved, written `3h` or `-3h`: anything but nothing, at most ten years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shift {
    nanoseconds: i64,
}

impl Shift {
    /// Forwards by this much, cut at ten years.
    #[must_use]
    pub fn forwards(by: Duration) -> Self {
        Self { nanoseconds: i64::try_from(by.min(SHIFT_MAX).as_nanos()).unwrap_or(i64::MAX) }
    }

    /// Backwards by this much, cut at ten years.
    #[must_use]
    pub fn backwards(by: Duration) -> Self {
        Self { nanoseconds: -Self::forwards(by).nanoseconds }
    }

    /// In nanoseconds; negative is backwards.
    #[must_use]
    pub fn nanoseconds(self) -> i64 {
        self.nanoseconds
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanoseconds < 0 { "-" } else { "" };
        write!(f, "{sign}{}", format_duration(Duration::from_nanos(self.nanoseconds.unsigned_abs())))
    }
}

impl From<Shift> for String {
    fn from(shift: Shift) -> Self {
        shift.to_string()
    }
}

impl TryFrom<String> for Shift {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (is_back, length) = match text.trim().split_at_checked(1) {
            Some(("-", rest)) => (true, rest),
            Some(("+", rest)) => (false, rest),
            _ => (false, text.trim()),
        };
        let help = "write how far and which way, as in `3h` or `-90s`";
        let by = parse_duration(length).map_err(|why| format!("`{text}` is no step of a clock ({why}); {help}"))?;
        match by {
            Duration::ZERO => Err(format!("`{text}` moves no clock; {help}")),
            by if by > SHIFT_MAX => Err(format!("`{text}` is more than ten years; {help}")),
            by if is_back => Ok(Self::backwards(by)),
            by => Ok(Self::forwards(by)),
        }
    }
}

/// The pace of a clock: 2 is twice as fast, 0.5 half as fast.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(f64);

impl Rate {
    /// As a multiple of the right pace: above 0, at most 1000, not 1.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl TryFrom<f64> for Rate {
    type Error = String;

    fn try_from(rate: f64) -> Result<Self, String> {
        match rate {
            1.0 => Err("a clock that drifts at pace 1 is right; write 2 for twice as fast, 0.5 for half".to_owned()),
            0.0 => Err("a clock at pace 0 stands still; write `change = \"freeze\"`".to_owned()),
            rate if rate > 0.0 && rate <= RATE_MAX => Ok(Self(rate)),
            _ => Err(format!("no clock runs at pace {rate}: write a number above 0, up to {RATE_MAX}")),
        }
    }
}

impl ClockChange {
    /// The fault of this instance in words.
    pub(super) fn tell(self, of: &impl fmt::Display, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(shift) => {
                let way = if shift.nanoseconds < 0 { "back" } else { "forward" };
                let by = Duration::from_nanos(shift.nanoseconds.unsigned_abs());
                write!(f, "step the clock of {of} {way} by {}", format_duration(by))
            }
            Self::Drift(rate) => write!(f, "let the clock of {of} run at {} times its pace", rate.0),
            Self::Freeze => write!(f, "freeze the clock of {of}"),
            Self::Back => write!(f, "put the clock of {of} right"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shift(text: &str) -> Result<i64, String> {
        Shift::try_from(text.to_owned()).map(Shift::nanoseconds)
    }

    #[test]
    fn steps_have_a_sign() {
        assert_eq!(shift("3h"), Ok(10_800_000_000_000));
        assert_eq!(shift("+1s 500ms"), Ok(1_500_000_000));
        assert_eq!(shift("-90s"), Ok(-90_000_000_000));
        for text in ["3h", "-1m 30s"] {
            assert_eq!(String::from(Shift::try_from(text.to_owned()).unwrap()), text);
        }
    }

    #[test]
    fn what_is_no_step_says_how_to_write_one() {
        for bad in ["", "-", "0s", "-0s", "three", "--3h", "11years", "3"] {
            let error = shift(bad).unwrap_err();
            assert!(error.contains("as in `3h` or `-90s`"), "{error}");
        }
    }

    #[test]
    fn paces_that_mean_something_else_say_so() {
        assert_eq!(Rate::try_from(0.5).map(Rate::get), Ok(0.5));
        assert!(Rate::try_from(0.0).unwrap_err().contains("freeze"));
        for bad in [1.0, -1.0, 1_000.5, f64::NAN, f64::INFINITY] {
            assert!(Rate::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_change_is_written_as_a_word_or_a_table() {
        #[derive(Deserialize)]
        struct Inject {
            clock: ClockSpec,
        }
        let read = |text: &str| toml::from_str::<Inject>(text).map(|inject| inject.clock.change);
        assert_eq!(read("clock = { of = 'api', change = 'freeze' }").unwrap(), ClockChange::Freeze);
        assert_eq!(
            read("clock = { of = 'api', change = { step = '-3h' } }").unwrap(),
            ClockChange::Step(Shift::backwards(Duration::from_hours(3)))
        );
        assert!(matches!(read("clock = { of = 'api', change = { drift = 2 } }").unwrap(), ClockChange::Drift(_)));
        let error = read("clock = { of = 'api', change = 'frieze' }").unwrap_err().to_string();
        assert!(error.contains("`step`, `drift`, `freeze`, `back`"), "{error}");
    }
}
