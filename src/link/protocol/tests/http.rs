//! HTTP/1.1.

use expect_test::expect;
use proptest::prelude::*;

use super::*;

const REQUESTS: &[u8] = b"POST /transfers?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello\
GET /health HTTP/1.1\r\nHost: h\r\n\r\n\
POST /transfers/t%1b/reversals HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n\
HEAD /x HTTP/1.1\r\n\r\nPUT /y HTTP/1.1\r\n\r\nDELETE /z HTTP/1.1\r\n\r\n";

const REPLIES: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}\
HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n\
HTTP/1.1 402 Payment Required\r\nContent-Length: 0\r\n\r\n\
HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 503 \r\n\r\nuntil the end";

#[test]
fn exchanges_are_paired_and_labelled() {
    check(
        Protocol::Http,
        REQUESTS,
        REPLIES,
        expect![[r#"
        1 POST /transfers (changes) 65 B: Applied 201, 45 B
        2 GET /health 33 B: Applied 200, 75 B
        3 POST /transfers/t%1b/reversals (changes) 102 B: Refused 402, 52 B
        4 HEAD /x 20 B: Applied 200, 39 B
        5 PUT /y (changes) 19 B: Applied 204, 27 B
        6 DELETE /z (changes) 22 B: Unclear 503, 30 B
    "#]],
    );
}

#[track_caller]
fn check_unreadable(requests: &str, replies: &str, why: &str) {
    let (asked, answered) = follow(Protocol::Http, requests.as_bytes(), replies.as_bytes(), &[]);
    assert_eq!(asked.unreadable.or(answered.unreadable).map(|why| why.0), Some(why));
    assert_eq!(asked.bytes, requests.as_bytes(), "what cannot be read passes all the same");
    assert_eq!(answered.bytes, replies.as_bytes(), "what cannot be read passes all the same");
}

#[test]
fn what_is_not_followed() {
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
fn an_upgraded_connection_passes_at_once() {
    let (asking, answering) = Protocol::Http.readers(address(), "");
    let (mut asking, mut answering) = (Feed::new(asking), Feed::new(answering));
    asking.push(b"GET / HTTP/1.1\r\nUpgrade: chat\r\nConnection: upgrade\r\n\r\n");
    answering.push(b"HTTP/1.1 101 Switching Protocols\r\n\r\nhel");
    asking.push(b"hello");
    assert!(asking.seen.bytes.ends_with(b"hello"), "half a line is not waited for");
    assert!(answering.seen.bytes.ends_with(b"hel"));
}

#[test]
fn replies_without_a_body_and_replies_before_the_reply() {
    check(
        Protocol::Http,
        b"HEAD /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n\r\nGET /c HTTP/1.1\r\n\r\n\
            POST /d HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhiGET /e HTTP/1.0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n\
            HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\
            HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 303 See Other\r\nContent-Length: 1\r\n\r\n!HTTP/1.0 200 OK\r\n\r\nto the end",
        expect![[r#"
            1 HEAD /a 20 B: Applied 200, 47 B
            2 GET /b 19 B: Applied 304, 48 B
            3 GET /c 21 B: Applied 204, 27 B
            4 POST /d (changes) 63 B: Applied 303, 46 B
            5 GET /e 19 B: Applied 200, 29 B
        "#]],
    );
}

#[test]
fn labels_are_short_and_printable() {
    let path = format!("/{}", "\u{e9}".repeat(500));
    let (requests, _) = follow(Protocol::Http, format!("POST {path} HTTP/1.1\r\n\r\n").as_bytes(), b"", &[]);
    let label = requests.labels()[0].text.clone();
    assert!(label.is_ascii() && label.ends_with("..."), "{label}");
}

proptest! {
    #[test]
    fn it_is_read_the_same_however_it_is_cut(cuts in prop::collection::vec(any::<usize>(), 0..40)) {
        let whole = follow(Protocol::Http, REQUESTS, REPLIES, &[]);
        prop_assert_eq!(&whole.0.bytes, REQUESTS);
        prop_assert_eq!(&whole.1.bytes, REPLIES);
        prop_assert_eq!(follow(Protocol::Http, REQUESTS, REPLIES, &cuts), whole);
    }

    #[test]
    fn damaged_streams_pass_unharmed(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cuts in prop::collection::vec(any::<usize>(), 0..5),
    ) {
        let (mut requests, mut replies) = (REQUESTS.to_vec(), REPLIES.to_vec());
        for (at, byte) in damage {
            requests[at.index(REQUESTS.len())] = byte;
            replies[at.index(REPLIES.len())] = byte;
        }
        let (asked, answered) = follow(Protocol::Http, &requests, &replies, &cuts);
        prop_assert_eq!(asked.bytes, requests);
        prop_assert_eq!(answered.bytes, replies);
    }
}
