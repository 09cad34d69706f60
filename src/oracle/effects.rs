//! The effect algebra: what a caller heard about an intent, against how often it took effect.
//!
//! One table serves double debits, lost events, duplicate orders and double charges alike. Doubt is on the side
//! of the target: an attempt whose outcome is unknown may have happened or not, but not twice.

/// What was heard about all attempts of one intent together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Some attempt was acknowledged.
    pub ok: bool,
    /// Some attempt was refused.
    pub refused: bool,
    /// The outcome of some attempt is unknown, or it never ended.
    pub unknown: bool,
}

/// What is wrong between what was heard and what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Acknowledged, but it is not there.
    Lost,
    /// Refused and nothing else, but it is there.
    Phantom,
    /// There more than once.
    Double,
    /// There, but nobody asked for it.
    Fabricated,
}

/// Holds what was heard against the number of effects.
#[must_use]
pub fn judge(heard: Heard, effects: u32) -> Option<Wrong> {
    let Heard { ok, refused, unknown } = heard;
    match effects {
        0 if ok => Some(Wrong::Lost),
        0 => None,
        _ if !ok && !refused && !unknown => Some(Wrong::Fabricated),
        2.. => Some(Wrong::Double),
        _ if !ok && !unknown => Some(Wrong::Phantom),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether some way in which the attempts may have gone, at most one of them taking effect, explains what was
    /// heard: tries them all. A way is the number of the attempt that took effect, or none.
    fn explained(attempts: &[Heard], effects: u32) -> bool {
        let none = std::iter::once(None);
        none.chain((0..attempts.len()).map(Some)).any(|effective| {
            // Acknowledged may also be the answer to a repetition, so it only demands that some attempt worked.
            let fits = attempts.iter().enumerate().all(|(index, heard)| {
                let worked = effective == Some(index);
                !(heard.refused && worked || heard.ok && effective.is_none())
            });
            fits && effects == u32::from(effective.is_some())
        })
    }

    #[test]
    fn agrees_with_trying_every_way_it_can_have_gone() {
        let kinds = [
            Heard { ok: true, ..Heard::default() },
            Heard { refused: true, ..Heard::default() },
            Heard { unknown: true, ..Heard::default() },
        ];
        for count in 0..4_u32 {
            for code in 0..3_usize.pow(count) {
                let attempts: Vec<_> = (0..count).map(|digit| kinds[code / 3_usize.pow(digit) % 3]).collect();
                let heard = attempts.iter().fold(Heard::default(), |all, one| Heard {
                    ok: all.ok | one.ok,
                    refused: all.refused | one.refused,
                    unknown: all.unknown | one.unknown,
                });
                for effects in 0..4 {
                    assert_eq!(
                        judge(heard, effects).is_none(),
                        explained(&attempts, effects),
                        "{attempts:?} {effects}"
                    );
                }
            }
        }
    }

    #[test]
    fn names_each_wrong() {
        let heard = |ok, refused, unknown| Heard { ok, refused, unknown };
        assert_eq!(judge(heard(true, false, true), 0), Some(Wrong::Lost));
        assert_eq!(judge(heard(false, true, false), 1), Some(Wrong::Phantom));
        assert_eq!(judge(heard(false, true, true), 1), None);
        assert_eq!(judge(heard(true, true, true), 2), Some(Wrong::Double));
        assert_eq!(judge(heard(false, false, true), 2), Some(Wrong::Double));
        assert_eq!(judge(heard(false, false, false), 1), Some(Wrong::Fabricated));
    }
}
