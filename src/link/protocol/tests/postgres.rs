//! Postgres.

use expect_test::expect;
use proptest::prelude::*;

use super::*;

/// A message: its type and its body.
fn message(kind: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), &body].concat()
}

fn startup(code: u32, rest: &[u8]) -> Vec<u8> {
    [&(rest.len() as u32 + 8).to_be_bytes()[..], &code.to_be_bytes(), rest].concat()
}

fn query(sql: &str) -> Vec<u8> {
    message(b'Q', &[sql.as_bytes(), b"\0"])
}

fn parse(name: &str, sql: &str) -> Vec<u8> {
    message(b'P', &[name.as_bytes(), b"\0", sql.as_bytes(), b"\0\0\0"])
}

fn bind(portal: &str, name: &str, value: &[u8]) -> Vec<u8> {
    let len = (value.len() as u32).to_be_bytes();
    message(b'B', &[portal.as_bytes(), b"\0", name.as_bytes(), b"\0\0\0\0\x01", &len, value, b"\0\0"])
}

fn execute(portal: &str) -> Vec<u8> {
    message(b'E', &[portal.as_bytes(), b"\0\0\0\0\0"])
}

fn close(name: &str) -> Vec<u8> {
    message(b'C', &[b"S", name.as_bytes(), b"\0"])
}

fn describe(name: &str) -> Vec<u8> {
    message(b'D', &[b"S", name.as_bytes(), b"\0"])
}

fn bare(kind: u8) -> Vec<u8> {
    message(kind, &[])
}

fn complete(tag: &str) -> Vec<u8> {
    message(b'C', &[tag.as_bytes(), b"\0"])
}

fn error(code: &str) -> Vec<u8> {
    message(b'E', &[b"SERROR\0VERROR\0C", code.as_bytes(), b"\0Mno\0\0"])
}

fn ready(status: &str) -> Vec<u8> {
    message(b'Z', &[status.as_bytes()])
}

/// What every connection begins with, in both directions.
fn greetings() -> (Vec<u8>, Vec<u8>) {
    let asked = [startup(3 << 16, b"user\0me\0\0"), message(b'p', &[b"secret\0"])].concat();
    let answered = [
        message(b'R', &[&[0, 0, 0, 3]]),
        message(b'R', &[&[0; 4]]),
        message(b'S', &[b"server_version\x0017\0"]),
        message(b'K', &[&[1; 8]]),
        ready("I"),
    ];
    (asked, answered.concat())
}

/// Follows a connection after its greetings.
#[track_caller]
fn check_messages(requests: &[Vec<u8>], replies: &[Vec<u8>], expected: Expect) {
    let (mut asked, mut answered) = greetings();
    asked.extend(requests.concat());
    answered.extend(replies.concat());
    check(Protocol::Postgres, &asked, &answered, expected);
}

#[test]
fn simple_queries() {
    check_messages(
        &[
            query("BEGIN"),
            query("insert into transfers (id, amount) values ('a', 12.5)"),
            query("commit"),
            query("select 1; select 2"),
            query(""),
            bare(b'X'),
        ],
        &[
            complete("BEGIN"),
            ready("T"),
            complete("INSERT 0 1"),
            ready("T"),
            complete("COMMIT"),
            ready("I"),
            message(b'T', &[b"\0\0"]),
            message(b'D', &[b"\0\0"]),
            complete("SELECT 1"),
            message(b'T', &[b"\0\0"]),
            complete("SELECT 1"),
            ready("I"),
            bare(b'I'),
            ready("I"),
        ],
        expect![[r#"
            1 BEGIN 11 B: Pending, 17 B
            2 insert into transfers (id, amount) values (?) (changes) 59 B: Pending, 22 B
            3 COMMIT (changes) 12 B: Applied, 18 B
            4 select ? 24 B: Applied, 55 B
            5 empty 6 B: Applied, 11 B
            6 terminate 5 B: no reply
        "#]],
    );
}

#[test]
fn the_extended_protocol() {
    check_messages(
        &[
            parse("s1", "insert into t values ($1)"),
            describe("s1"),
            bare(b'S'),
            bind("", "s1", b"x"),
            execute(""),
            bare(b'S'),
            parse("", "COMMIT"),
            bind("", "", b""),
            execute(""),
            bare(b'S'),
            // Of several in a row one is named.
            bind("", "s1", b"x"),
            execute(""),
            bind("", "s1", b"y"),
            execute(""),
            parse("", "select $1"),
            bind("p", "", b"y"),
            execute("p"),
            bare(b'S'),
            close("s1"),
            bare(b'S'),
            bind("", "s1", b"gone"),
            execute(""),
            bare(b'S'),
            bare(b'S'),
            message(b'F', &[&[0; 12]]),
        ],
        &[
            bare(b'1'),
            message(b't', &[b"\0\0"]),
            bare(b'n'),
            ready("T"),
            bare(b'2'),
            complete("INSERT 0 1"),
            ready("T"),
            bare(b'1'),
            bare(b'2'),
            complete("COMMIT"),
            ready("I"),
            bare(b'2'),
            complete("INSERT 0 1"),
            bare(b'2'),
            complete("INSERT 0 1"),
            complete("SELECT 1"),
            ready("I"),
            bare(b'3'),
            ready("I"),
            error("26000"),
            ready("I"),
            ready("I"),
            message(b'V', &[&[0; 4]]),
            ready("I"),
        ],
        expect![[r#"
            1 prepare insert into t values (?) 50 B: Pending, 23 B
            2 insert into t values (?) (changes) 35 B: Pending, 27 B
            3 COMMIT (changes) 47 B: Applied, 28 B
            4 insert into t values (?); select ? (changes) 113 B: Applied, 62 B
            5 close 14 B: Applied, 11 B
            6 execute (changes) 38 B: Unclear 26000, 37 B
            7 sync 5 B: Applied, 6 B
            8 function call (changes) 17 B: Applied, 15 B
        "#]],
    );
}

#[test]
fn a_flush_is_not_waited_over() {
    let (greeting, _) = greetings();
    let (mut asking, _) = Protocol::Postgres.readers(address(), "");
    let mut stream = [greeting, parse("", "update t set a = $1"), bind("", "", b"1"), execute("")].concat();
    let before = stream.len();
    stream.extend(bare(b'H'));
    let mut feed = Feed::new(std::mem::replace(&mut asking, Box::new(Bytes)));
    feed.push(&stream[..before]);
    assert!(!feed.buffer.is_empty(), "a batch is held back until it is known");
    feed.push(&stream[before..]);
    assert_eq!(feed.seen.bytes, stream, "the client waits for an answer");
    assert_eq!(feed.seen.labels()[0], &Label { text: "update t set a = ?".into(), changes: true });
    feed.push(&bare(b'S'));
    assert_eq!(feed.seen.ends().count(), 1);
}

/// As drivers do that learn the types of parameters before they bind.
#[test]
fn what_is_prepared_before_a_flush_belongs_to_what_comes_after() {
    check_messages(
        &[
            parse("a", "insert into t values ($1)"),
            describe("a"),
            bare(b'H'),
            bind("", "a", b"1"),
            execute(""),
            bare(b'S'),
            query("rollback"),
        ],
        &[bare(b'1'), bare(b'n'), bare(b'2'), complete("INSERT 0 1"), ready("T"), complete("ROLLBACK"), ready("I")],
        expect![[r#"
            1 insert into t values (?) (changes) 34 B: Pending, 37 B
            2 ROLLBACK 14 B: Refused ROLLBACK, 20 B
        "#]],
    );
}

#[test]
fn only_the_last_word_counts() {
    check_messages(
        &[
            "insert into t values (1)",
            "COMMIT",
            "COMMIT",
            "COMMIT",
            "insert into t values (2)",
            "COMMIT; bad",
            "do 'x'",
        ]
        .map(query),
        &[
            // A deferred constraint fails after the statement.
            complete("INSERT 0 1"),
            error("23503"),
            ready("I"),
            // The transaction had failed before.
            complete("ROLLBACK"),
            ready("I"),
            complete("COMMIT"),
            ready("I"),
            error("40P01"),
            ready("I"),
            error("25P02"),
            ready("E"),
            complete("COMMIT"),
            error("42601"),
            ready("I"),
            error("22012"),
            ready("I"),
        ],
        expect![[r#"
            1 insert into t values (?) (changes) 30 B: Refused 23503, 53 B
            2 COMMIT (changes) 12 B: Refused ROLLBACK, 20 B
            3 COMMIT (changes) 12 B: Applied, 18 B
            4 COMMIT (changes) 12 B: Refused 40P01, 37 B
            5 insert into t values (?) (changes) 30 B: Refused 25P02, 37 B
            6 COMMIT; bad (changes) 17 B: Unclear 42601, 49 B
            7 do ? (changes) 12 B: Unclear 22012, 37 B
        "#]],
    );
}

#[test]
fn a_connection_that_ends_with_an_error_says_nothing() {
    check_messages(
        &[query("COMMIT")],
        &[error("57P01")],
        expect![[r#"
        1 COMMIT (changes) 12 B: reply unfinished
    "#]],
    );
}

#[test]
fn notices_and_notifications_belong_to_nobody() {
    let news = [message(b'N', &[b"SNOTICE\0\0"]), message(b'A', &[b"\0\0\0\x01ch\0x\0"]), message(b'S', &[b"a\0b\0"])];
    let (greeting, _) = greetings();
    let (asked, answered) = follow(
        Protocol::Postgres,
        &[greeting.clone(), query("listen ch"), query("select 1")].concat(),
        &[greetings().1, news.concat(), complete("LISTEN"), ready("I"), news.concat(), ready("I"), news.concat()]
            .concat(),
        &[],
    );
    assert_eq!(asked.unreadable.or(answered.unreadable), None);
    let replies = answered.told.iter().filter(|(_, told)| matches!(told, Told::Reply(_)));
    let news = news.concat().len();
    let before = greetings().1.len();
    assert_eq!(
        replies.map(|(at, _)| *at).collect::<Vec<_>>(),
        [before + news, before + 2 * news + complete("LISTEN").len() + ready("I").len()]
    );
}

#[test]
fn copies() {
    let data = || message(b'd', &[&[b'x'; 3_000]]);
    check_messages(
        &[
            query("copy t (a) from stdin"),
            data(),
            data(),
            bare(b'c'),
            query("copy (select * from t) to stdout"),
            // By the extended protocol: the first Sync is not answered.
            parse("", "copy t from stdin"),
            bind("", "", b""),
            execute(""),
            bare(b'S'),
            data(),
            bare(b'c'),
            bare(b'S'),
            // The first Sync is answered, because the copy failed before data could come.
            parse("", "copy nowhere from stdin"),
            bind("", "", b""),
            execute(""),
            bare(b'S'),
            data(),
            message(b'f', &[b"why\0"]),
            bare(b'S'),
            // In one batch.
            parse("", "copy t from stdin"),
            bind("", "", b""),
            execute(""),
            data(),
            bare(b'c'),
            bare(b'S'),
            query("COMMIT"),
        ],
        &[
            message(b'G', &[b"\0\0\0"]),
            complete("COPY 2"),
            ready("T"),
            message(b'H', &[b"\0\0\0"]),
            data(),
            bare(b'c'),
            complete("COPY 1"),
            ready("T"),
            bare(b'1'),
            bare(b'2'),
            message(b'G', &[b"\0\0\0"]),
            complete("COPY 1"),
            ready("T"),
            bare(b'1'),
            error("42P01"),
            ready("I"),
            ready("I"),
            bare(b'1'),
            bare(b'2'),
            message(b'G', &[b"\0\0\0"]),
            complete("COPY 1"),
            ready("T"),
            complete("COMMIT"),
            ready("I"),
        ],
        expect![[r#"
            1 copy t (a) from stdin (changes) 27 B: Pending, 26 B
            2 copy (select * from t) to stdout 38 B: Pending, 3036 B
            3 copy t from stdin (changes) 58 B: Pending, 36 B
            4 copy nowhere from stdin (changes) 64 B: Refused 42P01, 42 B
            5 copy t from stdin (changes) 3068 B: Pending, 36 B
            6 COMMIT (changes) 12 B: Applied, 18 B
        "#]],
    );
}

#[test]
fn long_batches_begin_before_their_end() {
    let long = vec![b'x'; 200_000];
    let mut requests = vec![parse("", "insert into blobs values ($1)"), bind("", "", &long), execute(""), bare(b'S')];
    requests.push(query(&format!("insert into blobs values ('{}')", "y".repeat(100_000))));
    requests.push(parse("many", "update t set a = $1"));
    for _ in 0..5_000 {
        requests.extend([bind("", "many", b"1"), execute("")]);
    }
    requests.extend([parse("", "COMMIT"), bind("", "", b""), execute(""), bare(b'S')]);
    let (greeting, _) = greetings();
    let requests = [greeting, requests.concat()].concat();
    let replies = [greetings().1, complete("INSERT 0 1"), ready("I"), complete("INSERT 0 1"), ready("I")].concat();
    let replies = [replies, complete("COMMIT"), ready("I")].concat();
    let whole = follow(Protocol::Postgres, &requests, &replies, &[]);
    expect![[r#"
        1 insert into blobs values (?) (changes) 200070 B: Applied, 22 B
        2 insert into blobs values (? (changes) 100035 B: Applied, 22 B
        3 update t set a = ? (changes) 160079 B: Applied, 18 B
    "#]]
    .assert_eq(&story(&whole.0, &whole.1));
    let cuts: Vec<_> = (0..requests.len()).step_by(977).collect();
    assert_eq!(follow(Protocol::Postgres, &requests, &replies, &cuts), whole);
}

#[test]
fn encryption_that_is_declined() {
    let asked = [startup(80_877_103, b""), startup(80_877_104, b""), greetings().0, query("COMMIT")].concat();
    let answered = [b"NN".to_vec(), greetings().1, complete("COMMIT"), ready("I")].concat();
    check(
        Protocol::Postgres,
        &asked,
        &answered,
        expect![[r#"
        1 COMMIT (changes) 12 B: Applied, 18 B
    "#]],
    );
}

#[test]
fn encryption_that_is_agreed_on() {
    let (asking, answering) = Protocol::Postgres.readers(address(), "");
    let (mut asking, mut answering) = (Feed::new(asking), Feed::new(answering));
    asking.push(&startup(80_877_104, b""));
    answering.push(b"G");
    asking.push(b"\0\0\0\x09secret");
    assert_eq!(asking.seen.unreadable.unwrap().0, "the connection is encrypted");
    assert_eq!(answering.seen.unreadable.unwrap().0, "the connection is encrypted");
    assert_eq!(asking.finish().bytes.len(), 8 + 10);
}

#[test]
fn a_request_to_cancel_passes() {
    check(Protocol::Postgres, &startup(80_877_102, &[7; 8]), b"", expect![[""]]);
}

#[track_caller]
fn check_unreadable(requests: &[Vec<u8>], replies: &[Vec<u8>], why: &str) {
    let requests = [greetings().0, requests.concat()].concat();
    let replies = [greetings().1, replies.concat()].concat();
    let (asked, answered) = follow(Protocol::Postgres, &requests, &replies, &[]);
    assert_eq!(asked.unreadable.or(answered.unreadable).map(|why| why.0), Some(why));
    assert_eq!(asked.bytes, requests);
    assert_eq!(answered.bytes, replies);
}

#[test]
fn what_is_not_followed() {
    check_unreadable(&[b"!\0\0\0\x04".to_vec()], &[], "a message has a type that Postgres does not have");
    check_unreadable(&[b"Q\0\0\0\x03".to_vec()], &[], "a message has an impossible length");
    check_unreadable(&[b"Q\xff\0\0\x03".to_vec()], &[], "a message has an impossible length");
    check_unreadable(&[execute(""), query("x")], &[], "a query came in the middle of a batch");
    check_unreadable(&[execute(""), bare(b'H'), query("x")], &[], "a query came in the middle of a batch");
    check_unreadable(&[execute(""), bare(b'p')], &[], "a password came in the middle of a batch");
    check_unreadable(&[], &[ready("I")], "a reply came that no request had asked for");
    check_unreadable(&[query("x")], &[ready("II")], "a status has an impossible length");
    check_unreadable(&[query("x")], &[bare(b'!')], "a message has a type that Postgres does not have");
    let (asked, _) = follow(Protocol::Postgres, b"GET / HTTP/1.1\r\n\r\n", b"", &[]);
    assert_eq!(asked.unreadable.unwrap().0, "a connection does not begin as Postgres's do");
}

#[test]
fn statements_are_forgotten_rather_than_kept_without_end() {
    let mut requests = Vec::new();
    for number in 0..3_000 {
        requests.extend([parse(&format!("s{number}"), "select 1"), bare(b'S')]);
    }
    requests.extend([bind("", "s0", b""), execute(""), bare(b'S')]);
    requests.extend([bind("", "s2999", b""), execute(""), bare(b'S')]);
    let (asked, _) = follow(Protocol::Postgres, &[greetings().0, requests.concat()].concat(), b"", &[]);
    let labels = asked.labels();
    assert_eq!(labels[3_000], &Label { text: "select ?".into(), changes: false });
    assert_eq!(labels[3_001], &Label { text: "execute".into(), changes: true });
}

/// A connection with a bit of everything.
fn streams() -> (Vec<u8>, Vec<u8>) {
    let requests = [
        startup(80_877_103, b""),
        greetings().0,
        query("begin; select 'x'"),
        parse("s", "insert into t values ($1, $2) -- why"),
        describe("s"),
        bare(b'H'),
        bind("", "s", b"value"),
        execute(""),
        bare(b'H'),
        bind("", "s", b"value"),
        execute(""),
        bare(b'S'),
        query("copy t from stdin"),
        message(b'd', &[b"1\t2\n"]),
        bare(b'c'),
        parse("", "copy t from stdin"),
        bind("", "", b""),
        execute(""),
        bare(b'S'),
        message(b'd', &[b"1\t2\n"]),
        bare(b'c'),
        bare(b'S'),
        query("COMMIT"),
        bare(b'X'),
    ];
    let replies = [
        b"N".to_vec(),
        greetings().1,
        complete("BEGIN"),
        complete("SELECT 1"),
        ready("T"),
        bare(b'1'),
        bare(b'n'),
        bare(b'2'),
        complete("INSERT 0 1"),
        message(b'N', &[b"SNOTICE\0\0"]),
        bare(b'2'),
        complete("INSERT 0 1"),
        ready("T"),
        message(b'A', &[b"\0\0\0\x01ch\0x\0"]),
        message(b'G', &[b"\0\0\0"]),
        complete("COPY 1"),
        ready("T"),
        message(b'G', &[b"\0\0\0"]),
        complete("COPY 1"),
        ready("T"),
        error("40001"),
        ready("I"),
    ];
    (requests.concat(), replies.concat())
}

proptest! {
    #[test]
    fn it_is_read_the_same_however_it_is_cut(cuts in prop::collection::vec(any::<usize>(), 0..40)) {
        let (requests, replies) = streams();
        let whole = follow(Protocol::Postgres, &requests, &replies, &[]);
        prop_assert_eq!(whole.0.unreadable.or(whole.1.unreadable), None);
        prop_assert_eq!(follow(Protocol::Postgres, &requests, &replies, &cuts), whole);
    }

    #[test]
    fn damaged_streams_pass_unharmed(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cuts in prop::collection::vec(any::<usize>(), 0..5),
    ) {
        let (mut requests, mut replies) = streams();
        for (at, byte) in damage {
            let places = (at.index(requests.len()), at.index(replies.len()));
            requests[places.0] = byte;
            replies[places.1] = byte;
        }
        let (asked, answered) = follow(Protocol::Postgres, &requests, &replies, &cuts);
        prop_assert_eq!(asked.bytes, requests);
        prop_assert_eq!(answered.bytes, replies);
    }
}
