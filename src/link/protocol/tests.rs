//! The framers against every fragmentation and against noise.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;

fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 40_001))
}

/// What a reader made of a stream: the bytes that leave, and the boundaries.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    bytes: Vec<u8>,
    begun: Vec<(u64, Option<Label>)>,
    ended: Vec<End>,
    unreadable: Option<Unreadable>,
}

/// Feeds a reader as a pump does.
struct Feed {
    reader: Box<dyn Reader>,
    buffer: Vec<u8>,
    seen: Seen,
}

impl Feed {
    fn new(reader: Box<dyn Reader>) -> Self {
        Self { reader, buffer: Vec::new(), seen: Seen::default() }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        loop {
            let piece = match self.reader.read(&self.buffer) {
                Ok(Piece::More) => return,
                Ok(piece) => piece,
                Err(why) => {
                    self.seen.unreadable = Some(why);
                    self.reader = Box::new(Bytes);
                    continue;
                }
            };
            let passed: Vec<u8> = self.buffer.drain(..piece.len()).collect();
            match piece {
                Piece::Begin(Begin { exchange, kind: Kind::Request(label), .. }) => {
                    self.seen.begun.push((exchange, Some(label)));
                    self.seen.bytes.extend(passed);
                }
                Piece::Begin(Begin { exchange, kind: Kind::Reply { rewritten }, .. }) => {
                    self.seen.begun.push((exchange, None));
                    self.seen.bytes.extend(rewritten.unwrap_or(passed));
                }
                Piece::End(end) => self.seen.ended.push(end),
                Piece::Pass(_) | Piece::More => self.seen.bytes.extend(passed),
            }
        }
    }

    fn finish(mut self) -> Seen {
        self.seen.ended.extend(self.reader.finish());
        self.seen.bytes.extend(std::mem::take(&mut self.buffer));
        self.seen
    }
}

/// Both directions, each cut at these places.
fn follow(protocol: Protocol, requests: &[u8], replies: &[u8], cuts: &[usize]) -> (Seen, Seen) {
    let (asking, answering) = protocol.readers(address());
    let run = |reader, stream: &[u8]| {
        let mut feed = Feed::new(reader);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        for pair in cuts.windows(2) {
            feed.push(&stream[pair[0]..pair[1]]);
        }
        feed.finish()
    };
    (run(asking, requests), run(answering, replies))
}

const HTTP_REQUESTS: &[u8] = b"POST /transfers?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello\
GET /health HTTP/1.1\r\nHost: h\r\n\r\n\
POST /transfers/t%1b/reversals HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n\
HEAD /x HTTP/1.1\r\n\r\nPUT /y HTTP/1.1\r\n\r\nDELETE /z HTTP/1.1\r\n\r\n";

const HTTP_REPLIES: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}\
HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n\
HTTP/1.1 402 Payment Required\r\nContent-Length: 0\r\n\r\n\
HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 503 \r\n\r\nuntil the end";

/// The ends of messages, as `1 Applied 201`.
fn ends(seen: &Seen) -> Vec<String> {
    let code = |end: &End| end.code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
    seen.ended.iter().map(|end| format!("{} {:?}{}", end.exchange, end.said, code(end))).collect()
}

#[test]
fn http_exchanges_are_paired_and_labelled() {
    let (requests, replies) = follow(Protocol::Http, HTTP_REQUESTS, HTTP_REPLIES, &[]);
    assert_eq!(requests.unreadable, None);
    assert_eq!(replies.unreadable, None);
    let labels: Vec<_> =
        requests.begun.iter().flat_map(|(_, label)| label).map(|label| (label.text.as_str(), label.changes)).collect();
    assert_eq!(
        labels,
        [
            ("POST /transfers", true),
            ("GET /health", false),
            ("POST /transfers/t%1b/reversals", true),
            ("HEAD /x", false),
            ("PUT /y", true),
            ("DELETE /z", true),
        ]
    );
    assert_eq!(ends(&requests), (1..=6).map(|exchange| format!("{exchange} Unclear")).collect::<Vec<_>>());
    assert_eq!(
        ends(&replies),
        ["1 Applied 201", "2 Applied 200", "3 Refused 402", "4 Applied 200", "5 Applied 204", "6 Unclear 503"]
    );
    let total: u64 = requests.ended.iter().map(|end| end.bytes).sum();
    assert_eq!(total, HTTP_REQUESTS.len() as u64);
}

#[track_caller]
fn check_unreadable(requests: &str, replies: &str, why: &str) {
    let (asked, answered) = follow(Protocol::Http, requests.as_bytes(), replies.as_bytes(), &[]);
    assert_eq!(asked.unreadable.or(answered.unreadable).map(|why| why.0), Some(why));
    assert_eq!(asked.bytes, requests.as_bytes(), "what cannot be read passes all the same");
    assert_eq!(answered.bytes, replies.as_bytes(), "what cannot be read passes all the same");
}

#[test]
fn what_http_readers_do_not_follow() {
    check_unreadable("\u{16}\u{3}\u{1} hello", "", "a request is not HTTP/1.1");
    check_unreadable("CONNECT h:1 HTTP/1.1\r\n\r\n", "", "a tunnel was asked for");
    check_unreadable("GET / HTTP/1.1\r\n\r\n", "220 mail ready\r\n", "a reply is not HTTP/1.1");
    check_unreadable("", "HTTP/1.1 200 OK\r\n\r\n", "a reply came that no request had asked for");
    check_unreadable(
        "GET / HTTP/1.1\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n\0\0",
        "the connection was upgraded to another protocol",
    );
    check_unreadable(
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "",
        "a body has both a content-length and a transfer coding",
    );
    check_unreadable(
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "",
        "a head has two different content-lengths",
    );
    check_unreadable("POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc", "", "a content-length is no number");
    check_unreadable(
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        "",
        "a body has a transfer coding other than chunked",
    );
    check_unreadable(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "",
        "a chunk of a body has no size",
    );
    check_unreadable(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
        "",
        "a chunk of a body is longer than its size",
    );
    check_unreadable(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000)), "", "a head is longer than 64 KiB");
}

#[test]
fn labels_are_short_and_printable() {
    let path = format!("/{}", "\u{e9}".repeat(500));
    let (requests, _) = follow(Protocol::Http, format!("POST {path} HTTP/1.1\r\n\r\n").as_bytes(), b"", &[]);
    let label = requests.begun[0].1.clone().unwrap().text;
    assert!(label.is_ascii() && label.ends_with("..."), "{label}");
}

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
fn kafka_replies((host, port): (&str, u32)) -> Vec<(i16, i16, Vec<u8>)> {
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

fn kafka_streams() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let (mut requests, mut replies, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for (number, ((key, version, real), (_, _, link))) in
        (7..).zip(kafka_replies(REAL).into_iter().zip(kafka_replies(LINK)))
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
fn kafka_replies_name_the_link() {
    for ((key, version, real), (_, _, link)) in kafka_replies(REAL).into_iter().zip(kafka_replies(LINK)) {
        let request = wire::request(key, version, 5, b"");
        let (_, seen) = follow(Protocol::Kafka, &request, &wire::reply(5, &real), &[]);
        assert_eq!(seen.unreadable, None, "api {key} version {version}");
        assert_eq!(seen.bytes.escape_ascii().to_string(), wire::reply(5, &link).escape_ascii().to_string());
    }
}

#[test]
fn kafka_exchanges_are_paired_by_correlation() {
    let (requests, replies, expected) = kafka_streams();
    let (asked, answered) = follow(Protocol::Kafka, &requests, &replies, &[]);
    assert_eq!(asked.bytes, requests);
    assert_eq!(answered.bytes, expected);
    assert_eq!(asked.begun[0].1, Some(Label { text: "Produce".into(), changes: true }));
    let answered: Vec<_> = answered.ended.iter().map(|end| end.exchange).collect();
    assert_eq!(answered, (1..=42).filter(|exchange| exchange % 3 != 1).collect::<Vec<_>>());
}

#[test]
fn kafka_versions_above_the_known_ones_are_unreadable() {
    let request = wire::request(3, 14, 1, b"");
    let reply = wire::reply(1, b"whatever");
    let (_, seen) = follow(Protocol::Kafka, &request, &reply, &[]);
    assert!(seen.unreadable.is_some());
    assert_eq!(seen.bytes, reply);
}

proptest! {
    #[test]
    fn http_is_read_the_same_however_it_is_cut(cuts in prop::collection::vec(any::<usize>(), 0..40)) {
        let whole = follow(Protocol::Http, HTTP_REQUESTS, HTTP_REPLIES, &[]);
        prop_assert_eq!(&whole.0.bytes, HTTP_REQUESTS);
        prop_assert_eq!(&whole.1.bytes, HTTP_REPLIES);
        prop_assert_eq!(follow(Protocol::Http, HTTP_REQUESTS, HTTP_REPLIES, &cuts), whole);
    }

    #[test]
    fn kafka_is_read_the_same_however_it_is_cut(cuts in prop::collection::vec(any::<usize>(), 0..40)) {
        let (requests, replies, _) = kafka_streams();
        let whole = follow(Protocol::Kafka, &requests, &replies, &[]);
        prop_assert_eq!(follow(Protocol::Kafka, &requests, &replies, &cuts), whole);
    }

    #[test]
    fn noise_passes_unharmed(
        noise in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(any::<usize>(), 0..5),
        protocol in prop::sample::select(vec![Protocol::Http, Protocol::Kafka, Protocol::Postgres]),
    ) {
        let (requests, replies) = follow(protocol, &noise, &noise, &cuts);
        prop_assert_eq!(&requests.bytes, &noise);
        // Of noise that happens to be frames nothing is rewritten: no request was made of this kind.
        prop_assert_eq!(&replies.bytes, &noise);
    }

    #[test]
    fn damaged_replies_never_panic(
        which in 0_usize..14,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (key, version, mut body) = kafka_replies(REAL).swap_remove(which);
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let (_, seen) = follow(Protocol::Kafka, &wire::request(key, version, 1, b""), &wire::reply(1, &body), &[]);
        prop_assert!(seen.begun.len() == 1 || seen.unreadable.is_some());
    }

    #[test]
    fn damaged_http_passes_unharmed(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cuts in prop::collection::vec(any::<usize>(), 0..5),
    ) {
        let (mut requests, mut replies) = (HTTP_REQUESTS.to_vec(), HTTP_REPLIES.to_vec());
        for (at, byte) in damage {
            requests[at.index(HTTP_REQUESTS.len())] = byte;
            replies[at.index(HTTP_REPLIES.len())] = byte;
        }
        let (asked, answered) = follow(Protocol::Http, &requests, &replies, &cuts);
        prop_assert_eq!(asked.bytes, requests);
        prop_assert_eq!(answered.bytes, replies);
    }
}
