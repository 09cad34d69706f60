//! Kafka.

use proptest::prelude::*;

use super::*;

/// Kafka frames, written by hand as the specification has them.
mod wire {
    pub(super) fn frame(parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        [&(body.len() as u32).to_be_bytes()[..], &body].concat()
    }

    pub(super) fn request(key: i16, version: i16, correlation: i32, rest: &[u8]) -> Vec<u8> {
        frame(&[&key.to_be_bytes(), &version.to_be_bytes(), &correlation.to_be_bytes(), b"\0\x02me", rest])
    }

    pub(super) fn reply(correlation: i32, rest: &[u8]) -> Vec<u8> {
        frame(&[&correlation.to_be_bytes(), rest])
    }

    /// A broker as classic versions write it.
    pub(super) fn broker(host: &str, port: u32) -> Vec<u8> {
        [&1_u32.to_be_bytes()[..], &(host.len() as u16).to_be_bytes(), host.as_bytes(), &port.to_be_bytes()].concat()
    }

    /// A broker as flexible versions write it.
    pub(super) fn compact_broker(host: &str, port: u32) -> Vec<u8> {
        [&1_u32.to_be_bytes()[..], &[host.len() as u8 + 1], host.as_bytes(), &port.to_be_bytes()].concat()
    }
}

const REAL: (&str, u32) = ("kafka.example.org", 9_092);
const LINK: (&str, u32) = ("127.0.0.1", 40_001);

/// One reply of each rewritten kind and form: api key, version, and the body for a broker's address.
fn replies_naming((host, port): (&str, u32)) -> Vec<(i16, i16, Vec<u8>)> {
    let classic = wire::broker(host, port);
    let compact = wire::compact_broker(host, port);
    let endpoints = [&[2][..], &compact, b"\0\0"].concat();
    let produced = |topic: &[u8]| {
        [
            b"\0\x02",
            topic,
            b"\x02",
            &[0; 4 + 2 + 24],
            b"\x02\0\0\0\x01\x04bad\0\x04why\x01\0\x02\x09\x09",
            b"\0",
            &[0; 4],
            b"\x02\x00",
            &[endpoints.len() as u8],
            &endpoints,
            b"\x07\x01!",
        ]
        .concat()
    };
    let offered = |fetch: u16, share: i16| {
        [
            &1_i16.to_be_bytes()[..],
            b"\0\x04",
            &fetch.to_be_bytes(),
            &78_i16.to_be_bytes(),
            b"\0\0",
            &share.to_be_bytes(),
        ]
        .concat()
    };
    let compact_offered = |fetch: u16, share: i16| {
        let classic = offered(fetch, share);
        [&classic[..6], b"\0", &classic[6..], b"\x01\x07\x02hi"].concat()
    };
    let (fetch, share) = if host == LINK.0 { (15, -1) } else { (18, 1) };
    vec![
        (3, 0, [b"\0\0\0\x01", &classic[..], b"topics"].concat()),
        (3, 5, [b"\0\0\0\0\0\0\0\x01", &classic[..], b"\xff\xfftopics"].concat()),
        (3, 12, [b"\0\0\0\0\0\x02", &compact[..], b"\x04r-1\x01\x05\x01!topics"].concat()),
        (10, 0, [b"\0\0", &classic[..]].concat()),
        (10, 2, [b"\0\0\0\0\0\0\xff\xff", &classic[..]].concat()),
        (10, 3, [b"\0\0\0\0\0\0\0\0", &compact[..], b"\0"].concat()),
        (10, 6, [b"\0\0\0\0\0\x02\x02g", &compact[..], b"\0\0\0\0\0"].concat()),
        (60, 0, [b"\0\0\0\0\0\0\0\0\x02c\0\0\0\x01\x02", &compact[..], b"\0\0rest"].concat()),
        (60, 2, [b"\0\0\0\0\0\0\0\0\x01\x02c\0\0\0\x01\x02", &compact[..], b"\0\x01\0rest"].concat()),
        (0, 10, produced(b"\x02t")),
        (0, 13, produced(&[7; 16])),
        (18, 0, [b"\0\0\0\0\0\x02", &offered(fetch, share)[..]].concat()),
        (18, 3, [b"\0\0\x03", &compact_offered(fetch, share)[..], b"\0\0\0\0\0"].concat()),
        // Asked for in a version that the broker does not know: answered in version 0, and nothing to cut down.
        (18, 4, b"\0\x23\0\0\0\x01\0\x12\0\0\0\x04".to_vec()),
    ]
}

fn streams() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let (mut requests, mut replies, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for (number, ((key, version, real), (_, _, link))) in
        (7..).zip(replies_naming(REAL).into_iter().zip(replies_naming(LINK)))
    {
        // A call without a reply, as Produce with acks=0, and a reply that is not rewritten.
        requests.extend(wire::request(0, 9, number * 10, b"acks=0"));
        requests.extend(wire::request(1, 15, number * 10 + 1, b"fetch"));
        requests.extend(wire::request(key, version, number * 10 + 2, b"call"));
        for (stream, body) in [(&mut replies, real), (&mut expected, link)] {
            stream.extend(wire::reply(number * 10 + 1, &[b'x'; 300]));
            stream.extend(wire::reply(number * 10 + 2, &body));
        }
    }
    (requests, replies, expected)
}

#[test]
fn replies_name_the_link() {
    for ((key, version, real), (_, _, link)) in replies_naming(REAL).into_iter().zip(replies_naming(LINK)) {
        let request = wire::request(key, version, 5, b"");
        let (_, seen) = follow(Protocol::Kafka, &request, &wire::reply(5, &real), &[]);
        assert_eq!(seen.unreadable, None, "api {key} version {version}");
        assert_eq!(seen.bytes.escape_ascii().to_string(), wire::reply(5, &link).escape_ascii().to_string());
    }
}

#[test]
fn exchanges_are_paired_by_correlation() {
    let (requests, replies, expected) = streams();
    let (asked, answered) = follow(Protocol::Kafka, &requests, &replies, &[]);
    assert_eq!(asked.bytes, requests);
    assert_eq!(answered.bytes, expected);
    assert_eq!(asked.labels()[0], &Label { text: "Produce".into(), changes: true });
    let answered: Vec<_> = answered.ends().map(|end| end.exchange).collect();
    assert_eq!(answered, (1..=42).filter(|exchange| exchange % 3 != 1).collect::<Vec<_>>());
}

#[test]
fn versions_above_the_known_ones_are_unreadable() {
    let request = wire::request(3, 14, 1, b"");
    let reply = wire::reply(1, b"whatever");
    let (_, seen) = follow(Protocol::Kafka, &request, &reply, &[]);
    assert!(seen.unreadable.is_some());
    assert_eq!(seen.bytes, reply);
}

proptest! {
    #[test]
    fn it_is_read_the_same_however_it_is_cut(cuts in prop::collection::vec(any::<usize>(), 0..40)) {
        let (requests, replies, _) = streams();
        let whole = follow(Protocol::Kafka, &requests, &replies, &[]);
        prop_assert_eq!(follow(Protocol::Kafka, &requests, &replies, &cuts), whole);
    }

    #[test]
    fn damaged_replies_never_panic(
        which in 0_usize..14,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (key, version, mut body) = replies_naming(REAL).swap_remove(which);
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let (_, seen) = follow(Protocol::Kafka, &wire::request(key, version, 1, b""), &wire::reply(1, &body), &[]);
        prop_assert!(seen.told.len() == 2 || seen.unreadable.is_some());
    }
}
