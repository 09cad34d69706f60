//! How wrong a clock is, as a line: so much at some moment, and so much more with every second.

/// One second at a pace of one, in the fixed point of the page.
const ONE_Q32: f64 = 4_294_967_296.0;

/// `error(t) = offset + (t - base) * rate / 2^32`, where `t` is the machine's time in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) base_ns: i64,
    pub(super) offset_ns: i64,
    /// What is gained in a second, in 2^-32 seconds: -2^32 is a clock that stands still.
    pub(super) rate_q32: i64,
}

impl Setting {
    /// A clock that is right.
    pub(super) const RIGHT: Self = Self { base_ns: 0, offset_ns: 0, rate_q32: 0 };

    /// How wrong the clock is at this moment; reckoned exactly as the library does it.
    pub(super) fn error_ns(self, real_ns: i64) -> i64 {
        // Nothing is gained before the change.
        let since_ns = i128::from(real_ns.saturating_sub(self.base_ns).max(0));
        // Both cut off the same bits, as a C conversion does.
        let gained_ns = ((since_ns * i128::from(self.rate_q32)) >> 32) as i64;
        let error_ns = self.offset_ns.wrapping_add(gained_ns);
        error_ns.max(-real_ns)
    }

    /// Moved by so much at this moment, at the same pace.
    pub(super) fn stepped(self, at_ns: i64, shift_ns: i64) -> Self {
        Self { base_ns: at_ns, offset_ns: self.error_ns(at_ns).saturating_add(shift_ns), ..self }
    }

    /// At another pace from this moment on; 1 is right, 0 stands still.
    pub(super) fn paced(self, at_ns: i64, pace: f64) -> Self {
        let rate_q32 = ((pace - 1.0) * ONE_Q32).round() as i64;
        Self { base_ns: at_ns, offset_ns: self.error_ns(at_ns), rate_q32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const NOW: i64 = 1_800_000_000 * SECOND;

    #[test]
    fn a_step_keeps_its_size() {
        let ahead = Setting::RIGHT.stepped(NOW, 3 * SECOND);
        assert_eq!(ahead.error_ns(NOW), 3 * SECOND);
        assert_eq!(ahead.error_ns(NOW + 9 * SECOND), 3 * SECOND);
        assert_eq!(ahead.stepped(NOW + SECOND, -5 * SECOND).error_ns(NOW + SECOND), -2 * SECOND);
    }

    #[test]
    fn a_drift_grows_and_goes_on_from_a_step() {
        let fast = Setting::RIGHT.stepped(NOW, SECOND).paced(NOW, 1.5);
        assert_eq!([fast.error_ns(NOW), fast.error_ns(NOW - 1)], [SECOND; 2]);
        assert_eq!(fast.error_ns(NOW + 4 * SECOND), 3 * SECOND);
        let stepped = fast.stepped(NOW + 4 * SECOND, SECOND);
        assert_eq!(stepped.error_ns(NOW + 4 * SECOND), 4 * SECOND);
        assert_eq!(stepped.error_ns(NOW + 6 * SECOND), 5 * SECOND);
    }

    #[test]
    fn a_frozen_clock_shows_one_time_for_ever() {
        let frozen = Setting::RIGHT.paced(NOW, 0.0);
        for later in [0, 1, 7 * SECOND + 3, 90_000 * SECOND + 1] {
            assert_eq!(NOW + later + frozen.error_ns(NOW + later), NOW);
        }
    }

    #[test]
    fn no_clock_shows_a_time_before_1970() {
        let back = Setting::RIGHT.stepped(SECOND, -5 * SECOND);
        assert_eq!(SECOND + back.error_ns(SECOND), 0);
    }
}
