//! Random numbers that do not depend on how tasks happen to be scheduled.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::faults::Way;

/// What a stream of random numbers is for. Streams of different use are independent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use {
    /// The jitter of one direction.
    Jitter(Way),
    /// The picks of an injection, by its number on the link.
    Picks(u16),
}

/// The stream of one use on one connection of the link with this seed.
pub(super) fn stream(seed: u64, connection: u64, of: Use) -> ChaCha8Rng {
    let of = match of {
        Use::Jitter(Way::Requests) => 0,
        Use::Jitter(Way::Replies) => 1,
        Use::Picks(injection) => 2 + u64::from(injection),
    };
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // 17 bits hold every use; 47 are left for the connection's number.
    random.set_stream((connection << 17) | of);
    random
}

/// Whether an exchange is picked, decided by its place alone.
pub(super) fn picks(seed: u64, injection: u16, connection: u64, exchange: u64, probability: f64) -> bool {
    let mut random = stream(seed, connection, Use::Picks(injection));
    // A block of the cipher, 16 words, for each exchange.
    random.set_word_pos(u128::from(exchange) * 16);
    random.random::<f64>() < probability
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_its_place_alone() {
        let draw = |connection, exchange| picks(7, 0, connection, exchange, 0.5);
        let forwards: Vec<_> = (1..200).map(|exchange| draw(1, exchange)).collect();
        let backwards: Vec<_> = (1..200).rev().map(|exchange| draw(1, exchange)).collect();
        assert_eq!(forwards, backwards.into_iter().rev().collect::<Vec<_>>());
        assert_ne!(forwards, (1..200).map(|exchange| draw(2, exchange)).collect::<Vec<_>>());
        assert_ne!(forwards, (1..200).map(|exchange| picks(7, 1, 1, exchange, 0.5)).collect::<Vec<_>>());
    }

    #[test]
    fn probability_is_about_right() {
        let hits = (1..=10_000).filter(|exchange| picks(1, 0, 1, *exchange, 0.3)).count();
        assert!((2_800..3_200).contains(&hits), "{hits}");
        assert!(!(1..1_000).any(|exchange| picks(1, 0, 1, exchange, 0.0)));
        assert!((1..1_000).all(|exchange| picks(1, 0, 1, exchange, 1.0)));
    }
}
