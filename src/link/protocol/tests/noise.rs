//! What is no protocol at all.

use proptest::prelude::*;

use super::*;

const PROTOCOLS: [Protocol; 5] =
    [Protocol::Http, Protocol::Postgres, Protocol::Redis, Protocol::Kafka, Protocol::Bytes];

proptest! {
    #[test]
    fn what_never_ends_is_not_gathered(
        beginning in prop::collection::vec(any::<u8>(), 0..40),
        again in prop::collection::vec(any::<u8>(), 1..4),
        protocol in prop::sample::select(PROTOCOLS.to_vec()),
    ) {
        let stream = [&beginning[..], &again.repeat(200_000 / again.len())].concat();
        let (asking, answering) = protocol.readers(address(), "");
        for reader in [asking, answering] {
            let mut feed = Feed::new(reader);
            for part in stream.chunks(4_000) {
                feed.push(part);
                prop_assert!(feed.buffer.len() <= HELD_MAX, "{} bytes held", feed.buffer.len());
            }
            prop_assert!(feed.finish().bytes == stream);
        }
    }

    #[test]
    fn noise_passes_unharmed(
        noise in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(any::<usize>(), 0..5),
        protocol in prop::sample::select(PROTOCOLS.to_vec()),
    ) {
        let (requests, replies) = follow(protocol, &noise, &noise, &cuts);
        prop_assert_eq!(&requests.bytes, &noise);
        // Of noise that happens to be frames nothing is rewritten: no request was made of this kind.
        prop_assert_eq!(&replies.bytes, &noise);
    }
}
