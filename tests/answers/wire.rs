//! The bytes on both sides of a link, however they are cut.

use fireassay::fault::ErrorReply;
use fireassay::link::{LinkAct, LinkFault, Protocol};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{DEADLINE, done, link, on};

/// What passes in a step: the client sends, the upstream hears and answers, the client hears.
type Step<'a> = [&'a [u8]; 4];

/// A connection with one fault, and all that is known of it afterwards.
struct Story<'a> {
    protocol: Protocol,
    fault: LinkFault,
    steps: Vec<Step<'a>>,
    /// What the fault says that it did.
    done: &'a str,
    /// What became of the exchanges.
    notes: &'a [&'a str],
}

async fn send(stream: &mut TcpStream, bytes: &[u8], size: usize) {
    for chunk in bytes.chunks(size) {
        stream.write_all(chunk).await.unwrap();
        tokio::task::yield_now().await;
    }
}

async fn hear(who: &str, stream: &mut TcpStream, expected: &[u8]) {
    let mut heard = vec![0; expected.len()];
    let read = timeout(DEADLINE, stream.read_exact(&mut heard)).await;
    assert!(matches!(read, Ok(Ok(_))), "{who} heard {} of {}: {read:?}", heard.escape_ascii(), expected.escape_ascii());
    assert_eq!(heard.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{who}");
}

/// Plays it with every message cut into pieces of this size.
async fn play(story: &Story<'_>, size: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (link, notes) = link(listener.local_addr().unwrap(), story.protocol).await;
    let mut client = TcpStream::connect(link.address()).await.unwrap();
    client.set_nodelay(true).unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    server.set_nodelay(true).unwrap();
    let mut fault = None;
    for (number, [asks, arrives, answers, hears]) in story.steps.iter().enumerate() {
        // What comes first may be the opening of the connection.
        if number + 1 == story.steps.len() || story.steps.len() == 1 {
            fault.get_or_insert_with(|| link.inject(story.fault.clone()));
        }
        send(&mut client, asks, size).await;
        hear("the upstream", &mut server, arrives).await;
        send(&mut server, answers, size).await;
        hear("the client", &mut client, hears).await;
    }
    assert_eq!(done(&fault.unwrap()), story.done);
    // A client that has gone is no exchange; what it had heard was.
    assert_eq!(notes.take(), story.notes);
    assert_eq!(link.counters().degraded_because, None);
    if story.protocol == Protocol::Http && story.notes.last().is_some_and(|note| note.contains("NotSent")) {
        assert_eq!(
            timeout(DEADLINE, client.read(&mut [0; 8])).await.unwrap().unwrap(),
            0,
            "the connection ends in order"
        );
    }
}

#[track_caller]
fn check(story: &Story<'_>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for size in [1, 2, 7, 1_000_000] {
        runtime.block_on(play(story, size));
    }
    let run = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(12)).run(&(3_usize..64), |size| {
        runtime.block_on(play(story, size));
        Ok(())
    });
    run.unwrap();
}

// Postgres.

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

fn query(sql: &str) -> Vec<u8> {
    message(b'Q', format!("{sql}\0").as_bytes())
}

fn error(code: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("SERROR\0VERROR\0C{code}\0M{text}\0\0").as_bytes())
}

fn complete(tag: &str) -> Vec<u8> {
    message(b'C', format!("{tag}\0").as_bytes())
}

fn ready(status: &str) -> Vec<u8> {
    message(b'Z', status.as_bytes())
}

const STARTUP: &[u8] = b"\0\0\0\x11\0\x03\0\0user\0me\0\0";

/// One query after the opening of a connection.
fn check_postgres(asks: &[u8], arrives: &[u8], answers: &[u8], hears: &[u8], act: LinkAct, done: &str, note: &str) {
    let opened = [message(b'R', &[0; 4]), ready("I")].concat();
    check(&Story {
        protocol: Protocol::Postgres,
        fault: LinkFault::Exchange { on: None, pick: fireassay::fault::Pick::Nth(1), act },
        steps: vec![[STARTUP, STARTUP, &opened, &opened], [asks, arrives, answers, hears]],
        done,
        notes: &[note],
    });
}

#[test]
fn a_query_is_answered_with_an_error_and_the_server_fails_too() {
    let refused = [error("22012", "division by zero"), ready("E")].concat();
    check_postgres(
        &query("INSERT INTO t VALUES (1)"),
        &query("SELECT 1/0"),
        &refused,
        &[error("57014", "canceling statement due to statement timeout"), ready("E")].concat(),
        LinkAct::AnswerError(None),
        "answered INSERT INTO t VALUES (?) with 57014 in its place (NotSent)",
        "INSERT INTO t VALUES (?): NotSent 57014",
    );
}

#[test]
fn a_batch_is_answered_with_one_error_and_one_status() {
    let batch = [
        message(b'P', b"s1\0INSERT INTO t VALUES ($1)\0\0\0"),
        message(b'B', b"\0s1\0\0\0\0\0\0\0"),
        message(b'E', b"\0\0\0\0\0"),
        message(b'S', b""),
    ]
    .concat();
    check_postgres(
        &batch,
        &query("SELECT 1/0"),
        &[error("22012", "division by zero"), ready("I")].concat(),
        &[error("40001", "could not serialize access due to concurrent update"), ready("I")].concat(),
        LinkAct::AnswerError(Some(ErrorReply::Postgres("40001".into()))),
        "answered INSERT INTO t VALUES (?) with 40001 in its place (NotSent)",
        "INSERT INTO t VALUES (?): NotSent 40001",
    );
}

#[test]
fn a_commit_that_fails_ends_the_transaction() {
    let parameter = message(b'S', b"TimeZone\0UTC\0");
    check_postgres(
        &query("commit"),
        &query("ROLLBACK"),
        &[complete("ROLLBACK"), parameter.clone(), ready("I")].concat(),
        &[error("40001", "could not serialize access due to concurrent update"), parameter, ready("I")].concat(),
        LinkAct::AnswerError(Some(ErrorReply::Postgres("40001".into()))),
        "answered COMMIT with 40001 in its place (NotSent)",
        "COMMIT: NotSent 40001",
    );
}

#[test]
fn a_commit_is_done_and_its_answer_is_an_error() {
    let answered = [complete("COMMIT"), ready("I")].concat();
    check_postgres(
        &query("COMMIT"),
        &query("COMMIT"),
        &answered,
        &[error("40003", "statement completion unknown"), ready("I")].concat(),
        LinkAct::FailReply(None),
        "answered COMMIT with 40003 after it was done (Applied)",
        "COMMIT: Applied 40003",
    );
    let insert = query("INSERT INTO t VALUES (1)");
    let pending = [complete("INSERT 0 1"), ready("T")].concat();
    check_postgres(
        &insert,
        &insert,
        &pending,
        &pending,
        LinkAct::FailReply(None),
        "got away: INSERT INTO t VALUES (?): its answer did not say that it stands",
        "INSERT INTO t VALUES (?): Pending",
    );
}

#[test]
fn what_cannot_be_withheld_passes() {
    let insert = format!("INSERT INTO t VALUES ('{}')", "x".repeat(70_000));
    let answered = [complete("INSERT 0 1"), ready("I")].concat();
    check_postgres(
        &query(&insert),
        &query(&insert),
        &answered,
        &answered,
        LinkAct::AnswerError(None),
        "got away: INSERT INTO t VALUES (?: longer than 64 KiB, or answered in parts",
        "INSERT INTO t VALUES (?: Applied",
    );
    // Its client waits for the description before it goes on.
    let batch =
        [message(b'P', b"\0DELETE FROM t\0\0\0"), message(b'B', b"\0\0\0\0\0\0\0\0"), message(b'E', b"\0\0\0\0\0")];
    let (flushed, sync) = ([batch.concat(), message(b'H', b"")].concat(), message(b'S', b""));
    let described = [message(b'1', b""), message(b'2', b""), complete("DELETE 0")].concat();
    let opened = [message(b'R', &[0; 4]), ready("I")].concat();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for act in [LinkAct::AnswerError(None), LinkAct::FailReply(None)] {
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let (link, notes) = link(listener.local_addr().unwrap(), Protocol::Postgres).await;
            let fault = link.inject(on("DELETE*", act));
            let mut client = TcpStream::connect(link.address()).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            let steps: [Step<'_>; 3] = [
                [STARTUP, STARTUP, &opened, &opened],
                [&flushed, &flushed, &described, &described],
                [&sync, &sync, &ready("I"), &ready("I")],
            ];
            for [asks, arrives, answers, hears] in steps {
                send(&mut client, asks, 64).await;
                hear("the upstream", &mut server, arrives).await;
                send(&mut server, answers, 64).await;
                hear("the client", &mut client, hears).await;
            }
            assert_eq!(done(&fault), "got away: DELETE FROM t: longer than 64 KiB, or answered in parts");
            assert_eq!(notes.take(), ["DELETE FROM t: Applied"]);
        });
    }
}

// Redis.

fn command(line: &str) -> Vec<u8> {
    let words: Vec<_> = line.split(' ').collect();
    let texts: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{texts}", words.len()).into_bytes()
}

fn commands(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| command(line)).collect()
}

fn check_redis(
    asks: &[&str],
    arrives: &[&str],
    answers: &str,
    hears: &str,
    fault: LinkFault,
    done: &str,
    notes: &[&str],
) {
    let (asks, arrives) = (commands(asks), commands(arrives));
    let steps = vec![[&asks[..], &arrives, answers.as_bytes(), hears.as_bytes()]];
    check(&Story { protocol: Protocol::Redis, fault, steps, done, notes });
}

#[test]
fn a_command_among_others_is_answered_with_an_error() {
    let oom = Some(ErrorReply::Redis("OOM command not allowed when used memory > 'maxmemory'.".into()));
    check_redis(
        &["GET a", "SET a 1", "GET a"],
        &["GET a", "GET", "GET a"],
        "$1\r\n0\r\n-ERR wrong number of arguments for 'get' command\r\n$1\r\n0\r\n",
        "$1\r\n0\r\n-OOM command not allowed when used memory > 'maxmemory'.\r\n$1\r\n0\r\n",
        on("SET", LinkAct::AnswerError(oom)),
        "answered SET with OOM in its place (NotSent)",
        &["GET: Applied", "SET: NotSent OOM", "GET: Applied"],
    );
}

#[test]
fn an_error_in_a_transaction_spoils_it() {
    check_redis(
        &["MULTI", "SET a 1", "EXEC"],
        &["MULTI", "GET", "EXEC"],
        "+OK\r\n-ERR wrong number\r\n-EXECABORT Transaction discarded because of previous errors.\r\n",
        "+OK\r\n-LOADING Redis is loading the dataset in memory\r\n-EXECABORT Transaction discarded because of previous errors.\r\n",
        on("SET", LinkAct::AnswerError(None)),
        "answered SET with LOADING in its place (NotSent)",
        &["MULTI: Applied", "SET: NotSent LOADING", "EXEC: Refused EXECABORT"],
    );
    check_redis(
        &["MULTI", "SET a 1", "EXEC", "GET a"],
        &["MULTI", "SET a 1", "DISCARD", "GET a"],
        "+OK\r\n+QUEUED\r\n+OK\r\n$-1\r\n",
        "+OK\r\n+QUEUED\r\n-LOADING Redis is loading the dataset in memory\r\n$-1\r\n",
        on("EXEC", LinkAct::AnswerError(None)),
        "answered EXEC with LOADING in its place (NotSent)",
        &["MULTI: Applied", "SET: Pending QUEUED", "EXEC: NotSent LOADING", "GET: Applied"],
    );
}

#[test]
fn commands_whose_success_is_certain_are_swallowed() {
    let swallow = |asks: &str, hears: &str| {
        let name = asks.split(' ').next().unwrap();
        check_redis(
            &[asks, "GET b"],
            &["PING", "GET b"],
            "+PONG\r\n$-1\r\n",
            &format!("{hears}$-1\r\n"),
            on(name, LinkAct::Swallow),
            &format!("swallowed {name} and answered that it had worked (NotSent)"),
            &[&format!("{name}: NotSent"), "GET: Applied"],
        );
    };
    swallow("XACK stream group 1-1 2-2", ":2\r\n");
    swallow("SET a 1 EX 10", "+OK\r\n");
    swallow("SETEX a 10 1", "+OK\r\n");
    let stays = |asks: &[&str], answers: &str, label: &str, done: &str, notes: &[&str]| {
        check_redis(asks, asks, answers, answers, on(label, LinkAct::Swallow), done, notes);
    };
    let uncertain = "what its success would say is not certain";
    stays(&["SET a 1 nx"], "$-1\r\n", "SET", &format!("got away: SET: {uncertain}"), &["SET: Applied"]);
    stays(&["INCR a"], ":1\r\n", "INCR", &format!("got away: INCR: {uncertain}"), &["INCR: Applied"]);
    stays(
        &["MULTI", "XACK s g 1-1", "EXEC"],
        "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n",
        "XACK",
        "got away: XACK: it is queued in a transaction, whose answer would tell",
        &["MULTI: Applied", "XACK: Pending QUEUED", "EXEC: Applied"],
    );
}

#[test]
fn a_stand_in_that_is_refused_is_no_success() {
    check_redis(
        &["XACK s g 1-1"],
        &["PING"],
        "-NOAUTH Authentication required.\r\n",
        "-NOAUTH Authentication required.\r\n",
        on("XACK", LinkAct::Swallow),
        "got away: XACK: the upstream refused what stood in for it",
        &["XACK: NotSent NOAUTH"],
    );
}

#[test]
fn a_command_is_done_and_its_answer_is_an_error() {
    check_redis(
        &["XADD s * a 1", "GET a"],
        &["XADD s * a 1", "GET a"],
        "$3\r\n1-1\r\n$-1\r\n",
        "-ERR upstream failure\r\n$-1\r\n",
        on("XADD", LinkAct::FailReply(None)),
        "answered XADD with ERR after it was done (Applied)",
        &["XADD: Applied ERR", "GET: Applied"],
    );
    check_redis(
        &["MULTI", "INCR a", "EXEC"],
        &["MULTI", "INCR a", "EXEC"],
        "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n",
        "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n",
        on("INCR", LinkAct::FailReply(None)),
        "got away: INCR: its answer did not say that it stands",
        &["MULTI: Applied", "INCR: Pending QUEUED", "EXEC: Applied"],
    );
}

#[test]
fn a_reply_that_is_too_long_to_be_replaced_arrives() {
    let long = format!("${}\r\n{}\r\n", 70_000, "x".repeat(70_000));
    check_redis(
        &["GETSET a 1", "GET b"],
        &["GETSET a 1", "GET b"],
        &format!("{long}$-1\r\n"),
        &format!("{long}$-1\r\n"),
        on("GETSET", LinkAct::FailReply(None)),
        "got away: GETSET: longer than 64 KiB, so nothing was put in its place",
        &["GETSET: Applied", "GET: Applied"],
    );
    let set = format!("SET a {}", "x".repeat(70_000));
    check_redis(
        &[&set, "GET b"],
        &[&set, "GET b"],
        "+OK\r\n$-1\r\n",
        "+OK\r\n$-1\r\n",
        on("SET", LinkAct::AnswerError(None)),
        "got away: SET: longer than 64 KiB, so nothing was put in its place",
        &["SET: Applied", "GET: Applied"],
    );
}

// HTTP.

const POST: &[u8] = b"POST /transfers HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
const CREATED: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n42";

fn check_http(steps: Vec<Step<'_>>, act: LinkAct, done: &str, notes: &[&str]) {
    check(&Story { protocol: Protocol::Http, fault: on("POST *", act), steps, done, notes });
}

#[test]
fn a_request_is_answered_by_the_link_itself() {
    let hears = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    check_http(
        vec![[POST, POST, CREATED, CREATED], [POST, b"", b"", hears]],
        LinkAct::AnswerError(None),
        "answered POST /transfers with 503 in its place (NotSent)",
        &["POST /transfers: Applied 201", "POST /transfers: NotSent 503"],
    );
}

#[test]
fn a_request_behind_another_one_or_in_two_parts_passes() {
    let get = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n";
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    check_http(
        vec![[
            &[&get[..], POST].concat(),
            &[&get[..], POST].concat(),
            &[&ok[..], CREATED].concat(),
            &[&ok[..], CREATED].concat(),
        ]],
        LinkAct::AnswerError(None),
        "got away: POST /transfers: an earlier request of its connection is not answered",
        &["GET /health: Applied 200", "POST /transfers: Applied 201"],
    );
    let waits = b"POST /transfers HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}";
    check_http(
        vec![[waits, waits, CREATED, CREATED]],
        LinkAct::AnswerError(None),
        "got away: POST /transfers: its caller waits before it sends the body",
        &["POST /transfers: Applied 201"],
    );
}

#[test]
fn a_request_is_done_and_its_answer_is_an_error() {
    let hears = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    check_http(
        vec![[POST, POST, CREATED, hears]],
        LinkAct::FailReply(Some(ErrorReply::Http(500))),
        "answered POST /transfers with 500 after it was done (Applied)",
        &["POST /transfers: Applied 500"],
    );
    let closing = b"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let hears = b"HTTP/1.1 504 Gateway Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    check_http(
        vec![[POST, POST, closing, hears]],
        LinkAct::FailReply(None),
        "answered POST /transfers with 504 after it was done (Applied)",
        &["POST /transfers: Applied 504"],
    );
    let refused = b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n";
    check_http(
        vec![[POST, POST, refused, refused]],
        LinkAct::FailReply(None),
        "got away: POST /transfers: its answer did not say that it stands",
        &["POST /transfers: Refused 409"],
    );
}

// Kafka.

#[test]
fn an_offset_commit_is_swallowed_among_other_calls() {
    let frame = |body: &[u8]| [&(body.len() as u32).to_be_bytes()[..], body].concat();
    let beat = frame(b"\0\x0c\0\0\0\0\0\x01\xff\xff\0\x01g\0\0\0\x01\0\x01m");
    let commit = frame(b"\0\x08\0\x02\0\0\0\x02\xff\xff\0\x01g\0\0\0\x01\0\x01m\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x07\0\0\0\0\0\0\0\x2a\xff\xff");
    let stand_in = frame(b"\0\x12\0\0\0\0\0\x02\xff\xff");
    let beaten = |id: u8| frame(&[0, 0, 0, id, 0, 0]);
    let offers = frame(b"\0\0\0\x02\0\0\0\0\0\x01\0\x12\0\0\0\x04");
    let committed = frame(b"\0\0\0\x02\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x07\0\0");
    let asks = [beat.clone(), commit, beat.clone()].concat();
    let arrives = [beat.clone(), stand_in, beat].concat();
    check(&Story {
        protocol: Protocol::Kafka,
        fault: on("OffsetCommit", LinkAct::Swallow),
        steps: vec![[
            &asks,
            &arrives,
            &[beaten(1), offers, beaten(1)].concat(),
            &[beaten(1), committed, beaten(1)].concat(),
        ]],
        done: "swallowed OffsetCommit and answered that it had worked (NotSent)",
        notes: &["Heartbeat: Sent", "OffsetCommit: NotSent", "Heartbeat: Sent"],
    });
}

// What goes wrong in the middle.

#[tokio::test]
async fn a_request_that_breaks_off_passes_as_far_as_it_came() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (link, _notes) = link(listener.local_addr().unwrap(), Protocol::Redis).await;
    let fault = link.inject(on("SET", LinkAct::AnswerError(None)));
    let mut client = TcpStream::connect(link.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let half = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\n12";
    client.write_all(half).await.unwrap();
    client.shutdown().await.unwrap();
    let mut heard = Vec::new();
    timeout(DEADLINE, server.read_to_end(&mut heard)).await.unwrap().unwrap();
    assert_eq!(heard, half);
    assert_eq!(done(&fault), "got away: SET: it broke off");
}

#[tokio::test]
async fn an_exchange_is_answered_by_one_fault_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (link, notes) = link(listener.local_addr().unwrap(), Protocol::Redis).await;
    let acts = [LinkAct::AnswerError(None), LinkAct::FailReply(None), LinkAct::Swallow, LinkAct::CutAfter];
    let faults = acts.map(|act| link.inject(on("SET", act)));
    let mut client = TcpStream::connect(link.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(&command("SET a 1")).await.unwrap();
    hear("the upstream", &mut server, &command("GET")).await;
    server.write_all(b"-ERR wrong number\r\n").await.unwrap();
    hear("the client", &mut client, b"-LOADING Redis is loading the dataset in memory\r\n").await;
    let outdone = "got away: SET: another fault was there first";
    let expected = ["answered SET with LOADING in its place (NotSent)", outdone, outdone, outdone];
    assert_eq!(faults.each_ref().map(done), expected);
    assert_eq!(notes.take(), ["SET: NotSent LOADING"]);
}
