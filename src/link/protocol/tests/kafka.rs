//! Kafka.

use expect_test::expect;
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
        (0, 12, produced(b"\x02t")),
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

/// A Produce for one topic, in the form of its version.
fn produce(version: i16, correlation: i32, transaction: Option<&str>, acks: i16, topic: &str) -> Vec<u8> {
    let tags: &[u8] = if version >= 9 { b"\0" } else { b"" };
    let text = |text: &str| {
        let len = if version >= 9 { vec![text.len() as u8 + 1] } else { (text.len() as i16).to_be_bytes().to_vec() };
        [&len, text.as_bytes()].concat()
    };
    let missing: &[u8] = if version >= 9 { b"\0" } else { b"\xff\xff" };
    let one: &[u8] = if version >= 9 { b"\x02" } else { b"\0\0\0\x01" };
    let transaction = match transaction {
        _ if version < 3 => Vec::new(),
        Some(id) => text(id),
        None => missing.to_vec(),
    };
    let body = [tags, &transaction, &acks.to_be_bytes(), &[0; 4], one, &text(topic), b"and records"].concat();
    wire::request(0, version, correlation, &body)
}

/// The answer to a Produce: the error codes of its partitions.
fn produced(version: i16, correlation: i32, errors: &[i16]) -> Vec<u8> {
    let flexible = version >= 9;
    let tags: &[u8] = if flexible { b"\0" } else { b"" };
    let count = |n: usize| if flexible { vec![n as u8 + 1] } else { (n as u32).to_be_bytes().to_vec() };
    let mut body = [tags, &count(1), if flexible { b"\x02t" } else { b"\0\x01t" }, &count(errors.len())].concat();
    for error in errors {
        body.extend(b"\0\0\0\0");
        body.extend(error.to_be_bytes());
        body.extend(vec![0; 8 * [0, 2, 5].iter().filter(|since| version >= **since).count()]);
        if version >= 8 {
            body.extend(count(0));
            body.extend(if flexible { &b"\0"[..] } else { b"\xff\xff" });
        }
        body.extend(tags);
    }
    body.extend([tags, &[0; 4], tags].concat());
    wire::reply(correlation, &body)
}

#[test]
fn produce_is_labelled_and_judged_in_every_form() {
    for version in [0, 2, 3, 7, 8, 9, 11, 12] {
        let requests = produce(version, 1, None, -1, "run-1.transfers");
        let (asked, answered) = follow(Protocol::Kafka, &requests, &produced(version, 1, &[0, 0]), &[]);
        assert_eq!(asked.labels()[0], &Label { text: "Produce transfers".into(), changes: true }, "version {version}");
        let end = answered.ends().next().unwrap();
        assert_eq!((end.said, &end.code), (Said::Applied, &None), "version {version}");
    }
}

#[test]
fn what_replies_say() {
    let end_txn = |correlation, commits: u8| {
        wire::request(26, 3, correlation, &[&b"\0\x03tx"[..], &[0; 10], &[commits], b"\0"].concat())
    };
    let ended =
        |correlation, error: i16| wire::reply(correlation, &[&[0; 5][..], &error.to_be_bytes(), b"\0"].concat());
    let commit = |key, correlation| wire::request(key, 2, correlation, b"whatever");
    let committed = |throttle: &[u8], correlation, error: i16| {
        let body = [throttle, b"\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0", &error.to_be_bytes()].concat();
        wire::reply(correlation, &body)
    };
    let requests = [
        produce(9, 1, None, 1, "a"),
        produce(9, 2, None, 1, "b"),
        produce(9, 3, None, 1, "c"),
        produce(9, 4, None, 1, "d"),
        produce(9, 5, Some("tx"), -1, "e"),
        end_txn(6, 1),
        end_txn(7, 0),
        end_txn(8, 1),
        end_txn(9, 1),
        commit(8, 10),
        commit(8, 11),
        commit(28, 12),
        // Nobody answers this one.
        produce(9, 13, None, 0, "f"),
        wire::request(12, 4, 14, b"beat"),
        produce(9, 15, None, 1, "g"),
    ];
    let replies = [
        produced(9, 1, &[0]),
        produced(9, 2, &[6]),
        produced(9, 3, &[7]),
        produced(9, 4, &[0, 6]),
        produced(9, 5, &[0]),
        ended(6, 0),
        ended(7, 0),
        ended(8, 47),
        ended(9, 16),
        committed(b"", 10, 0),
        committed(b"", 11, 25),
        committed(&[0; 4], 12, 0),
        wire::reply(14, b"beat"),
        wire::reply(15, b"in a form that is not known"),
    ];
    check(
        Protocol::Kafka,
        &requests.concat(),
        &replies.concat(),
        expect![[r#"
        1 Produce a (changes) 38 B: Applied, 52 B
        2 Produce b (changes) 38 B: Refused NOT_LEADER_OR_FOLLOWER, 52 B
        3 Produce c (changes) 38 B: Unclear REQUEST_TIMED_OUT, 52 B
        4 Produce d (changes) 38 B: Unclear NOT_LEADER_OR_FOLLOWER, 85 B
        5 Produce e (changes) 40 B: Pending, 52 B
        6 EndTxn commit (changes) 32 B: Applied, 16 B
        7 EndTxn abort (changes) 32 B: Refused abort, 16 B
        8 EndTxn commit (changes) 32 B: Refused INVALID_PRODUCER_EPOCH, 16 B
        9 EndTxn commit (changes) 32 B: Unclear NOT_COORDINATOR, 16 B
        10 OffsetCommit (changes) 24 B: Applied, 25 B
        11 OffsetCommit (changes) 24 B: Refused UNKNOWN_MEMBER_ID, 25 B
        12 TxnOffsetCommit (changes) 24 B: Pending, 29 B
        13 Produce f (changes) 38 B: no reply
        14 Heartbeat 20 B: Unclear, 12 B
        15 Produce g (changes) 38 B: Unclear, 35 B
    "#]],
    );
}

#[test]
fn topics_that_cannot_be_shown_are_escaped() {
    let (asked, _) = follow(Protocol::Kafka, &produce(9, 1, None, 1, "\u{1b}[31m"), b"", &[]);
    assert_eq!(asked.labels()[0].text, r"Produce \x1b[31m");
    let (asked, _) = follow(Protocol::Kafka, &produce(3, 1, None, 1, &"x".repeat(2_000)), b"", &[]);
    assert_eq!(asked.labels()[0].text, "Produce", "what is not there in time is left out");
    let (asked, _) = follow(Protocol::Kafka, &produce(3, 1, None, 1, &"x".repeat(200)), b"", &[]);
    assert_eq!(asked.labels()[0].text, format!("Produce {}...", "x".repeat(120)));
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
    fn damaged_requests_pass_unharmed(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cuts in prop::collection::vec(any::<usize>(), 0..5),
    ) {
        let (mut requests, replies, _) = streams();
        for (at, byte) in damage {
            let at = at.index(requests.len());
            requests[at] = byte;
        }
        let (asked, _) = follow(Protocol::Kafka, &requests, &replies, &cuts);
        prop_assert_eq!(asked.bytes, requests);
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
