//! What is no protocol at all.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn noise_passes_unharmed(
        noise in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(any::<usize>(), 0..5),
        protocol in prop::sample::select(vec![Protocol::Http, Protocol::Postgres, Protocol::Redis, Protocol::Kafka, Protocol::Bytes]),
    ) {
        let (requests, replies) = follow(protocol, &noise, &noise, &cuts);
        prop_assert_eq!(&requests.bytes, &noise);
        // Of noise that happens to be frames nothing is rewritten: no request was made of this kind.
        prop_assert_eq!(&replies.bytes, &noise);
    }
}
