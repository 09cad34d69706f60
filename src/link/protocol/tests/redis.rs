//! Redis.

use expect_test::expect;
use proptest::prelude::*;

use super::*;

/// A command as clients write it.
fn command(words: &[&str]) -> Vec<u8> {
    let count = words.len();
    let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{count}\r\n{words}").into_bytes()
}

fn commands(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| command(&line.split(' ').collect::<Vec<_>>())).collect()
}

#[track_caller]
fn check_commands(lines: &[&str], replies: &str, expected: Expect) {
    check(Protocol::Redis, &commands(lines), replies.as_bytes(), expected);
}

#[test]
fn commands_are_paired_and_labelled() {
    check_commands(
        &[
            "set a 1",
            "GET a",
            "xgroup create s g 0",
            "XREADGROUP GROUP g me STREAMS s >",
            "incr b",
            "config get save",
            "module.do it",
            "evalsha abc 0",
            "eval return 0",
            "client reply on",
        ],
        "+OK\r\n$1\r\n1\r\n-BUSYGROUP exists\r\n*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*0\r\n-WRONGTYPE no\r\n\
         *-1\r\n$-1\r\n-NOSCRIPT no\r\n-ERR in the middle\r\n+OK\r\n",
        expect![[r#"
            1 SET (changes) 27 B: Applied, 5 B
            2 GET 20 B: Applied, 7 B
            3 XGROUP CREATE (changes) 49 B: Refused BUSYGROUP, 19 B
            4 XREADGROUP (changes) 74 B: Applied, 36 B
            5 INCR (changes) 21 B: Refused WRONGTYPE, 15 B
            6 CONFIG GET 35 B: Applied, 5 B
            7 MODULE.DO (changes) 27 B: Applied, 5 B
            8 EVALSHA (changes) 33 B: Refused NOSCRIPT, 14 B
            9 EVAL (changes) 33 B: Unclear ERR, 20 B
            10 CLIENT REPLY 35 B: Applied, 5 B
        "#]],
    );
}

#[test]
fn transactions() {
    check_commands(
        &["MULTI", "SET a 1", "bad", "EXEC", "multi", "set a 1", "exec", "multi", "set a 1", "exec", "discard"],
        "+OK\r\n+QUEUED\r\n-ERR unknown\r\n-EXECABORT because\r\n\
         +OK\r\n+QUEUED\r\n*1\r\n+OK\r\n\
         +OK\r\n+QUEUED\r\n*-1\r\n\
         -ERR DISCARD without MULTI\r\n",
        expect![[r#"
            1 MULTI 15 B: Applied, 5 B
            2 SET (changes) 27 B: Pending QUEUED, 9 B
            3 BAD (changes) 13 B: Refused ERR, 14 B
            4 EXEC (changes) 14 B: Refused EXECABORT, 20 B
            5 MULTI 15 B: Applied, 5 B
            6 SET (changes) 27 B: Pending QUEUED, 9 B
            7 EXEC (changes) 14 B: Applied, 9 B
            8 MULTI 15 B: Applied, 5 B
            9 SET (changes) 27 B: Pending QUEUED, 9 B
            10 EXEC (changes) 14 B: Refused nil, 5 B
            11 DISCARD 17 B: Refused ERR, 28 B
        "#]],
    );
}

#[test]
fn version_3() {
    check_commands(
        &["hello 3", "get a", "exec", "hgetall h", "client tracking on", "ttl a", "subscribe c d", "lrange l 0 -1"],
        "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n\
         |1\r\n+key-popularity\r\n*1\r\n,0.5\r\n_\r\n\
         _\r\n\
         >2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n\
         %1\r\n+k\r\n(12345678901234567890\r\n\
         +OK\r\n\
         !11\r\nWRONGTYPE x\r\n\
         >3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n\
         >3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n\
         >3\r\n$9\r\nsubscribe\r\n$1\r\nd\r\n:2\r\n\
         *3\r\n$7\r\nmessage\r\n#t\r\n=5\r\ntxt:x\r\n",
        expect![[r#"
            1 HELLO 22 B: Applied, 42 B
            2 GET 20 B: Applied, 3 B
            3 EXEC (changes) 14 B: Refused nil, 3 B
            4 HGETALL 24 B: Applied, 31 B
            5 CLIENT TRACKING 38 B: Applied, 5 B
            6 TTL 20 B: Refused WRONGTYPE, 18 B
            7 SUBSCRIBE 33 B: Applied, 60 B
            8 LRANGE 38 B: Applied, 32 B
        "#]],
    );
}

#[test]
fn subscriptions_of_version_2() {
    check_commands(
        &[
            "lrange l 0 -1",
            "subscribe c d",
            "ping",
            "psubscribe p*",
            "unsubscribe",
            "get a",
            "punsubscribe p*",
            "lrange l 0 -1",
            "subscribe",
            "unsubscribe",
            "get a",
        ],
        "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n\
         *3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n\
         *3\r\n$9\r\nsubscribe\r\n$1\r\nd\r\n:2\r\n\
         *3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n\
         *2\r\n$4\r\npong\r\n$0\r\n\r\n\
         *3\r\n$10\r\npsubscribe\r\n$2\r\np*\r\n:3\r\n\
         *3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:2\r\n\
         *3\r\n$11\r\nunsubscribe\r\n$1\r\nd\r\n:1\r\n\
         -ERR only (P)SUBSCRIBE is allowed\r\n\
         *4\r\n$8\r\npmessage\r\n$2\r\np*\r\n$1\r\np\r\n$1\r\nx\r\n\
         *3\r\n$12\r\npunsubscribe\r\n$2\r\np*\r\n:0\r\n\
         *3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n\
         -ERR wrong number of arguments\r\n\
         *3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n\
         $1\r\n1\r\n",
        expect![[r#"
            1 LRANGE 38 B: Applied, 31 B
            2 SUBSCRIBE 33 B: Applied, 60 B
            3 PING 14 B: Applied, 20 B
            4 PSUBSCRIBE 29 B: Applied, 33 B
            5 UNSUBSCRIBE 22 B: Applied, 33 B
            6 GET 20 B: Refused ERR, 35 B
            7 PUNSUBSCRIBE 31 B: Applied, 35 B
            8 LRANGE 38 B: Applied, 31 B
            9 SUBSCRIBE 19 B: Refused ERR, 32 B
            10 UNSUBSCRIBE 22 B: Applied, 31 B
            11 GET 20 B: Applied, 7 B
        "#]],
    );
}

#[test]
fn lines_typed_by_hand() {
    check(
        Protocol::Redis,
        b"\r\nPING\r\nset  a \"b c\"\n*0\r\n*-1\r\nsubscribe a b\r\n",
        b"+PONG\r\n+OK\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
        expect![[r#"
            1 PING 6 B: Applied, 7 B
            2 SET (changes) 13 B: Applied, 5 B
            3 SUBSCRIBE 15 B: reply unfinished
        "#]],
    );
}

#[test]
fn large_values_pass_without_being_gathered() {
    let large = "x".repeat(3 << 20);
    let requests = [command(&["set", "a", &large]), command(&["get", "a"]), command(&[&large])].concat();
    let replies = format!("+OK\r\n${}\r\n{large}\r\n-ERR unknown command '{large}'\r\n", large.len());
    // The limit is in `follow`.
    let cuts: Vec<_> = (0..requests.len()).step_by(40_000).collect();
    let seen = follow(Protocol::Redis, &requests, replies.as_bytes(), &cuts);
    assert_eq!(seen, follow(Protocol::Redis, &requests, replies.as_bytes(), &[]));
    expect![[r#"
        1 SET (changes) 3145760 B: Applied, 5 B
        2 GET 20 B: Applied, 3145740 B
        3 A LONG WORD (changes) 3145744 B: Refused ERR, 3145753 B
    "#]]
    .assert_eq(&story(&seen.0, &seen.1));
}

#[track_caller]
fn check_unreadable(requests: &[u8], replies: &str, why: &str) {
    let (asked, answered) = follow(Protocol::Redis, requests, replies.as_bytes(), &[]);
    assert_eq!(asked.unreadable.or(answered.unreadable).map(|why| why.0), Some(why));
    assert_eq!(asked.bytes, requests);
    assert_eq!(answered.bytes, replies.as_bytes());
}

#[test]
fn what_is_not_followed() {
    check_unreadable(&commands(&["monitor"]), "+OK\r\n", "the connection became a monitor");
    check_unreadable(&commands(&["psync ? -1"]), "", "the connection became a replica's");
    check_unreadable(&commands(&["client reply skip"]), "", "replies were switched off");
    check_unreadable(&commands(&["client reply off"]), "", "replies were switched off");
    check_unreadable(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "", "a command is not Redis's");
    check_unreadable(&[b'a'; 70_000], "", "a command is not Redis's");
    check_unreadable(b"*x\r\n", "", "a length is no number");
    check_unreadable(&[b'*'; 40], "", "a length is no number");
    check_unreadable(b"*1\r\n:1\r\n", "", "a command is no list of texts");
    check_unreadable(b"*9999999999\r\n", "", "an element has an impossible length");
    check_unreadable(b"*1\r\n$-1\r\n", "", "an element has an impossible length");
    check_unreadable(b"", "+OK\r\n", "a reply came that no request had asked for");
    check_unreadable(&commands(&["ping"]), "HTTP/1.1 200 OK\r\n", "an element has a type that Redis does not have");
    check_unreadable(&commands(&["ping"]), "*1\r\n?\r\n", "an element has a type that Redis does not have");
    check_unreadable(&commands(&["ping"]), "*9999999999\r\n", "an element has an impossible length");
}

#[test]
fn commands_that_cannot_be_shown_are_escaped() {
    let (asked, _) = follow(Protocol::Redis, &command(&["\u{1b}[31m", "a"]), b"", &[]);
    assert_eq!(asked.labels()[0], &Label { text: r"\x1b[31M".into(), changes: true });
}

const COMMANDS: &[&str] =
    &["set a 1", "hello 3", "xack s g 1-1", "subscribe c", "multi", "eval return 0", "exec", "get b"];

const REPLIES: &str = "+OK\r\n%1\r\n+proto\r\n:3\r\n:1\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n+OK\r\n\
    >3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n+QUEUED\r\n*2\r\n%1\r\n,1.5\r\n#t\r\n$-1\r\n|1\r\n+a\r\n+b\r\n$3\r\nabc\r\n";

proptest! {
    #[test]
    fn it_is_read_the_same_however_it_is_cut(cuts in prop::collection::vec(any::<usize>(), 0..40)) {
        let requests = commands(COMMANDS);
        let whole = follow(Protocol::Redis, &requests, REPLIES.as_bytes(), &[]);
        prop_assert_eq!(whole.0.unreadable.or(whole.1.unreadable), None);
        prop_assert_eq!(follow(Protocol::Redis, &requests, REPLIES.as_bytes(), &cuts), whole);
    }

    #[test]
    fn damaged_streams_pass_unharmed(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cuts in prop::collection::vec(any::<usize>(), 0..5),
    ) {
        let (mut requests, mut replies) = (commands(COMMANDS), REPLIES.as_bytes().to_vec());
        for (at, byte) in damage {
            let places = (at.index(requests.len()), at.index(replies.len()));
            requests[places.0] = byte;
            replies[places.1] = byte;
        }
        let (asked, answered) = follow(Protocol::Redis, &requests, &replies, &cuts);
        prop_assert_eq!(asked.bytes, requests);
        prop_assert_eq!(answered.bytes, replies);
    }
}
