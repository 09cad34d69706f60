//! Links over real sockets: what each fault does, that it says so, and that healing undoes it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fireassay::fault::{Direction, Edge, Pick, Repeat};
use fireassay::history::{Exchange, Moment};
use fireassay::link::{self, Injection, Link, LinkAct, LinkFault, Protocol, Release};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Far above what anything here takes: reaching it is a failure.
const DEADLINE: Duration = Duration::from_secs(10);

/// Long enough for bytes on loopback to arrive many times over. Used only to see that nothing does.
const QUIET: Duration = Duration::from_millis(60);

const TRANSFER: &[u8] = b"POST /transfers HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n";

/// A server that keeps what it is asked and answers the nth request with the nth number.
#[derive(Clone)]
struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    /// Every answer takes a permit.
    answers: Arc<Semaphore>,
}

impl Upstream {
    /// Speaks HTTP/1.1, `reply` making the bytes of each reply; a `Connection: close` in it ends the connection.
    async fn http(reply: fn(usize) -> Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            answers: Arc::new(Semaphore::new(1_000)),
        };
        let server = upstream.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream, reply));
            }
        });
        upstream
    }

    async fn serve(self, mut stream: TcpStream, reply: fn(usize) -> Vec<u8>) {
        let mut buffer = Vec::new();
        loop {
            while let Some(len) = request_len(&buffer) {
                let request: Vec<u8> = buffer.drain(..len).collect();
                let number = {
                    let mut seen = self.seen.lock().unwrap();
                    seen.push(String::from_utf8(request).unwrap());
                    seen.len()
                };
                self.answers.acquire().await.unwrap().forget();
                let reply = reply(number);
                if stream.write_all(&reply).await.is_err() || reply.windows(5).any(|part| part == b"close") {
                    return;
                }
            }
            if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
                return;
            }
        }
    }

    fn lines(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|request| request.lines().next().unwrap_or_default().replace(" HTTP/1.1", "")).collect()
    }

    /// Sends everything back.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }
}

fn request_len(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).unwrap();
    let body = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")).map_or(0, |n| n.parse().unwrap());
    (buffer.len() >= head + body).then_some(head + body)
}

fn created(number: usize) -> Vec<u8> {
    let body = number.to_string();
    format!("HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn at(pick: Pick, act: LinkAct) -> LinkFault {
    LinkFault::Exchange { on: None, pick, act }
}

async fn link(upstream: impl Into<link::Upstream>, protocol: Protocol) -> Link {
    let edge = Edge::try_from("client->api-1".to_owned()).unwrap();
    let link = Link::open(edge, upstream, protocol, 7).await.unwrap();
    link.accept();
    link
}

async fn connect(link: &Link) -> TcpStream {
    TcpStream::connect(link.address()).await.unwrap()
}

async fn receive(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    timeout(DEADLINE, stream.read_exact(&mut bytes)).await.expect("bytes in time").expect("an open connection");
    bytes
}

/// Sends and expects the nth reply.
async fn ask(stream: &mut TcpStream, request: &[u8], number: usize) {
    stream.write_all(request).await.unwrap();
    let reply = created(number);
    assert_eq!(receive(stream, reply.len()).await.escape_ascii().to_string(), reply.escape_ascii().to_string());
}

#[track_caller]
fn assert_reset(read: Result<std::io::Result<usize>, tokio::time::error::Elapsed>) {
    let error = read.expect("an answer in time").expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// The link resets a connection as soon as it knows that it cannot serve it, which may be before `connect` returns.
async fn expect_turned_away(link: &Link) {
    match TcpStream::connect(link.address()).await {
        Ok(mut client) => expect_reset(&mut client).await,
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

async fn expect_reset(stream: &mut TcpStream) {
    assert_reset(timeout(DEADLINE, stream.read(&mut [0; 64])).await);
}

async fn expect_silence(stream: &mut TcpStream) {
    let read = timeout(QUIET, stream.read(&mut [0; 64])).await;
    assert!(read.is_err(), "expected silence, got {read:?}");
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn until_bite(injection: &Injection, bite: &str) {
    let start = Instant::now();
    while injection.bite().as_deref() != Some(bite) {
        assert!(start.elapsed() < DEADLINE, "the bite is {:?}, expected {bite:?}", injection.bite());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn bytes_arrive_exactly_however_they_are_cut() {
    for protocol in [Protocol::Http, Protocol::Postgres, Protocol::Redis, Protocol::Kafka, Protocol::Bytes] {
        let link = link(Upstream::echo().await, protocol).await;
        let (mut from, mut to) = connect(&link).await.into_split();
        let mut sent: Vec<u8> = (0..600_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        if protocol == Protocol::Kafka {
            // Replies that nobody can read do not pass there. Echoed, these heartbeats answer themselves: the api's key and
            // version stand where a reply has its correlation id.
            let heartbeat = |noise: &[u8]| {
                let id = b"\0\x0c\0\x04";
                [&(noise.len() as u32 + 8).to_be_bytes()[..], id, id, noise].concat()
            };
            sent = sent.chunks(100_000).flat_map(heartbeat).collect();
        }
        let expected = sent.clone();
        let sender = tokio::spawn(async move {
            let mut rest = &sent[..];
            for size in [1, 7, 1_000, 65_536, 65_537, 3, 200_000].into_iter().cycle() {
                let (now, later) = rest.split_at(size.min(rest.len()));
                to.write_all(now).await.unwrap();
                rest = later;
                if rest.is_empty() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            to.shutdown().await.unwrap();
        });
        let mut got = Vec::new();
        timeout(DEADLINE, from.read_to_end(&mut got)).await.unwrap().unwrap();
        sender.await.unwrap();
        assert!(got == expected, "{protocol:?}: {} bytes of {}", got.len(), expected.len());
        assert_eq!(link.counters().request_bytes, expected.len() as u64);
        assert_eq!(link.counters().reply_bytes, expected.len() as u64);
    }
}

#[tokio::test]
async fn connections_wait_until_the_link_accepts() {
    let upstream = Upstream::http(created).await;
    let edge = Edge::try_from("client->api-1".to_owned()).unwrap();
    let link = Link::open(edge.clone(), upstream.address, Protocol::Http, 7).await.unwrap();
    let cut = link.inject(at(Pick::Nth(1), LinkAct::CutBefore));
    let mut client = connect(&link).await;
    client.write_all(TRANSFER).await.unwrap();
    expect_silence(&mut client).await;
    assert_eq!(link.counters().opened, 0);
    link.accept();
    link.accept();
    expect_reset(&mut client).await;
    assert_eq!(cut.bite().as_deref(), Some("cut POST /transfers before it was passed on (NotSent)"));
    assert_eq!(link.edge(), &edge);
}

#[tokio::test]
async fn a_partition_holds_and_healing_delivers() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let mut client = connect(&link).await;
    ask(&mut client, TRANSFER, 1).await;

    let partition = link.inject(LinkFault::Partition(Direction::Both));
    assert_eq!(partition.bite(), None);
    client.write_all(TRANSFER).await.unwrap();
    let mut newcomer = connect(&link).await;
    newcomer.write_all(HEALTH).await.unwrap();
    until_bite(&partition, "held 58 bytes of 1 connection, kept 1 new connection waiting").await;
    expect_silence(&mut client).await;
    assert_eq!(upstream.lines().len(), 1);

    assert_eq!(partition.heal(), "released 58 bytes of 1 connection and 1 waiting connection");
    until("both requests", || upstream.lines().len() == 3).await;
    assert_eq!(receive(&mut client, created(2).len()).await[..12], created(2)[..12]);
    receive(&mut newcomer, created(3).len()).await;
    assert_eq!(partition.heal(), partition.heal(), "healing twice is healing once");
    ask(&mut client, TRANSFER, 4).await;
}

#[tokio::test]
async fn overlapping_partitions_both_bite_and_the_last_one_lets_go() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let mut client = connect(&link).await;
    ask(&mut client, TRANSFER, 1).await;
    let first = link.inject(LinkFault::Partition(Direction::Both));
    client.write_all(TRANSFER).await.unwrap();
    until("the first bite", || first.bite().is_some()).await;
    let second = link.inject(LinkFault::Partition(Direction::Requests));
    until_bite(&second, "held 58 bytes of 1 connection, kept 0 new connections waiting").await;
    first.heal();
    expect_silence(&mut client).await;
    second.heal();
    assert_eq!(receive(&mut client, created(2).len()).await, created(2));
}

#[tokio::test]
async fn latency_and_partition_go_together() {
    let link = link(Upstream::echo().await, Protocol::Bytes).await;
    let mut client = connect(&link).await;
    client.write_all(b"a").await.unwrap();
    receive(&mut client, 1).await;
    let _latency = link.inject(LinkFault::Latency { delay: Duration::from_millis(5), jitter: Duration::ZERO });
    let partition = link.inject(LinkFault::Partition(Direction::Requests));
    client.write_all(b"bc").await.unwrap();
    until("a bite", || partition.bite().is_some()).await;
    expect_silence(&mut client).await;
    partition.heal();
    assert_eq!(receive(&mut client, 2).await, b"bc");
}

#[tokio::test]
async fn a_partition_of_replies_lets_requests_pass() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let partition = link.inject(LinkFault::Partition(Direction::Replies));
    let mut client = connect(&link).await;
    client.write_all(TRANSFER).await.unwrap();
    until_bite(&partition, "held 44 bytes of 1 connection, kept 0 new connections waiting").await;
    assert_eq!(upstream.lines(), ["POST /transfers"]);
    expect_silence(&mut client).await;
    drop(partition);
    receive(&mut client, created(1).len()).await;
}

#[tokio::test]
async fn a_partition_of_requests_lets_replies_pass() {
    let upstream = Upstream::http(created).await;
    upstream.answers.forget_permits(1_000);
    let link = link(upstream.address, Protocol::Http).await;
    let mut client = connect(&link).await;
    client.write_all(TRANSFER).await.unwrap();
    until("the request", || upstream.lines().len() == 1).await;
    let partition = link.inject(LinkFault::Partition(Direction::Requests));
    client.write_all(TRANSFER).await.unwrap();
    until_bite(&partition, "held 58 bytes of 1 connection, kept 0 new connections waiting").await;
    upstream.answers.add_permits(2);
    receive(&mut client, created(1).len()).await;
    expect_silence(&mut client).await;
    partition.heal();
    receive(&mut client, created(2).len()).await;
}

#[tokio::test]
async fn a_partition_holds_the_end_of_a_connection_too() {
    let link = link(Upstream::echo().await, Protocol::Bytes).await;
    let mut client = connect(&link).await;
    client.write_all(b"PING").await.unwrap();
    receive(&mut client, 4).await;
    let partition = link.inject(LinkFault::Partition(Direction::Requests));
    client.shutdown().await.unwrap();
    expect_silence(&mut client).await;
    assert_eq!(partition.bite(), None, "no byte was held");
    assert_eq!(partition.heal(), "released 0 bytes of 0 connections and 0 waiting connections");
    assert_eq!(timeout(DEADLINE, client.read(&mut [0; 8])).await.unwrap().unwrap(), 0);
    until("the connection's end", || link.counters().open == 0).await;
}

#[tokio::test]
async fn a_cut_resets_both_ends_of_every_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = link(listener.local_addr().unwrap(), Protocol::Bytes).await;
    let mut pairs = Vec::new();
    for _ in 0..3 {
        let mut client = connect(&link).await;
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(b"hello").await.unwrap();
        receive(&mut server, 5).await;
        pairs.push((client, server));
    }
    let cut = link.inject(LinkFault::Cut);
    assert_eq!(cut.bite().as_deref(), Some("reset 3 connections"));
    for (client, server) in &mut pairs {
        expect_reset(client).await;
        expect_reset(server).await;
    }
    let mut client = connect(&link).await;
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"again").await.unwrap();
    assert_eq!(receive(&mut server, 5).await, b"again");
    assert_eq!(cut.bite().as_deref(), Some("reset 3 connections"));
    assert_eq!(cut.heal(), "nothing to undo: new connections work");
}

#[tokio::test]
async fn latency_delays_every_chunk_and_keeps_the_order() {
    let link = link(Upstream::echo().await, Protocol::Bytes).await;
    let mut client = connect(&link).await;
    client.set_nodelay(true).unwrap();
    let delay = Duration::from_millis(100);
    let latency = link.inject(LinkFault::Latency { delay, jitter: Duration::from_millis(50) });
    let start = Instant::now();
    let sent: Vec<u8> = (0..60).collect();
    for byte in &sent {
        client.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(receive(&mut client, sent.len()).await, sent);
    let took = start.elapsed();
    assert!(took >= 2 * delay, "there and back in {took:?}");
    assert!(took < 20 * delay, "delays must not add up chunk by chunk: {took:?}");
    assert!(latency.bite().unwrap().starts_with("delayed 120 bytes of 1 connection"), "{:?}", latency.bite());
}

#[tokio::test]
async fn healing_latency_lets_out_what_is_on_its_way() {
    let link = link(Upstream::echo().await, Protocol::Bytes).await;
    let mut client = connect(&link).await;
    let hour = Duration::from_secs(3_600);
    let latency = link.inject(LinkFault::Latency { delay: hour, jitter: Duration::ZERO });
    client.write_all(b"late").await.unwrap();
    client.shutdown().await.unwrap();
    until_bite(&latency, "delayed 4 bytes of 1 connection").await;
    expect_silence(&mut client).await;
    latency.heal();
    assert_eq!(receive(&mut client, 4).await, b"late");
    assert_eq!(timeout(DEADLINE, client.read(&mut [0; 8])).await.unwrap().unwrap(), 0, "the end follows the bytes");
}

#[tokio::test]
async fn a_blackhole_silences_connections_for_ever() {
    let link = link(Upstream::echo().await, Protocol::Bytes).await;
    let mut before = connect(&link).await;
    before.write_all(b"PING").await.unwrap();
    receive(&mut before, 4).await;
    let blackhole = link.inject(LinkFault::Blackhole);
    let mut during = connect(&link).await;
    until("the newcomer", || link.counters().open == 2).await;
    assert_eq!(blackhole.bite(), None, "nothing was said, so nothing was lost");
    before.write_all(b"12345").await.unwrap();
    during.write_all(b"123").await.unwrap();
    until_bite(&blackhole, "silenced 2 connections, in which 8 bytes were lost").await;
    assert_eq!(blackhole.heal(), "2 connections stay silent, new ones work");
    let mut after = connect(&link).await;
    after.write_all(b"PONG").await.unwrap();
    assert_eq!(receive(&mut after, 4).await, b"PONG");
    before.write_all(b"hello?").await.unwrap();
    expect_silence(&mut before).await;
    expect_silence(&mut during).await;
}

#[tokio::test]
async fn a_lost_reply_was_applied() {
    let chunked = |number| {
        format!("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{number}\r\n0\r\n\r\n").into_bytes()
    };
    let until_close = |number| format!("HTTP/1.1 201 Created\r\nConnection: close\r\n\r\n{number}").into_bytes();
    for reply in [created, chunked, until_close] {
        let upstream = Upstream::http(reply).await;
        let link = link(upstream.address, Protocol::Http).await;
        let lose = link.inject(at(Pick::Nth(1), LinkAct::CutAfter));
        let mut client = connect(&link).await;
        client.write_all(TRANSFER).await.unwrap();
        expect_reset(&mut client).await;
        assert_eq!(lose.bite().as_deref(), Some("lost the reply 201 to POST /transfers (Applied)"));
        assert_eq!(upstream.lines(), ["POST /transfers"]);
        let mut client = connect(&link).await;
        client.write_all(TRANSFER).await.unwrap();
        receive(&mut client, reply(2).len()).await;
        assert_eq!(lose.heal(), "no further exchange is picked");
    }
}

#[tokio::test]
async fn reads_do_not_use_up_a_pick() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let lose = link.inject(at(Pick::Nth(2), LinkAct::CutAfter));
    let mut client = connect(&link).await;
    ask(&mut client, HEALTH, 1).await;
    ask(&mut client, TRANSFER, 2).await;
    ask(&mut client, HEALTH, 3).await;
    assert_eq!(lose.bite(), None);
    client.write_all(TRANSFER).await.unwrap();
    expect_reset(&mut client).await;
    assert_eq!(link.counters().exchanges, 4);
}

#[tokio::test]
async fn replies_before_the_lost_one_arrive() {
    let upstream = Upstream::http(created).await;
    upstream.answers.forget_permits(999);
    let link = link(upstream.address, Protocol::Http).await;
    let lose = link.inject(at(Pick::Nth(2), LinkAct::CutAfter));
    let mut client = connect(&link).await;
    client.write_all(&[TRANSFER, TRANSFER].concat()).await.unwrap();
    assert_eq!(receive(&mut client, created(1).len()).await, created(1));
    upstream.answers.add_permits(1);
    expect_reset(&mut client).await;
    assert_eq!(lose.bite().as_deref(), Some("lost the reply 201 to POST /transfers (Applied)"));
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_not_called_applied() {
    let broken = |_| b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\nConnection: close\r\n\r\nhalf".to_vec();
    let upstream = Upstream::http(broken).await;
    let link = link(upstream.address, Protocol::Http).await;
    let lose = link.inject(at(Pick::Every, LinkAct::CutAfter));
    let mut client = connect(&link).await;
    client.write_all(TRANSFER).await.unwrap();
    expect_reset(&mut client).await;
    assert_eq!(lose.bite().as_deref(), Some("lost the unfinished reply to POST /transfers (Sent)"));
}

#[tokio::test]
async fn a_lost_refusal_is_not_called_applied() {
    let upstream = Upstream::http(|_| b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    let link = link(upstream.address, Protocol::Http).await;
    let lose = link.inject(at(Pick::Every, LinkAct::CutAfter));
    let mut client = connect(&link).await;
    client.write_all(TRANSFER).await.unwrap();
    expect_reset(&mut client).await;
    assert_eq!(lose.bite().as_deref(), Some("lost the reply 503 to POST /transfers (Sent)"));
}

#[tokio::test]
async fn a_request_that_is_cut_is_never_sent() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let cut = link.inject(at(Pick::First(2), LinkAct::CutBefore));
    for _ in 0..2 {
        let mut client = connect(&link).await;
        // The head in two halves: not even the first one may arrive.
        client.write_all(&TRANSFER[..20]).await.unwrap();
        expect_silence(&mut client).await;
        client.write_all(&TRANSFER[20..]).await.unwrap();
        expect_reset(&mut client).await;
    }
    assert_eq!(link.counters().request_bytes, 0);
    assert_eq!(cut.bite().as_deref(), Some("cut POST /transfers before it was passed on (NotSent) 2 times"));
    ask(&mut connect(&link).await, TRANSFER, 1).await;
}

#[tokio::test]
async fn a_repeat_in_a_row_comes_after_the_first_answer() {
    let upstream = Upstream::http(created).await;
    upstream.answers.forget_permits(1_000);
    let link = link(upstream.address, Protocol::Http).await;
    let repeat = link.inject(at(Pick::Nth(1), LinkAct::Repeat(Repeat::InARow)));
    let mut client = connect(&link).await;
    client.write_all(TRANSFER).await.unwrap();
    until("the first delivery", || upstream.lines().len() == 1).await;
    expect_silence(&mut client).await;
    assert_eq!(upstream.lines().len(), 1, "the second delivery waits for the first answer");
    upstream.answers.add_permits(2);
    assert_eq!(receive(&mut client, created(1).len()).await, created(1));
    until_bite(&repeat, "delivered POST /transfers again, answered 201").await;
    let seen = upstream.seen.lock().unwrap().clone();
    assert_eq!(seen, [std::str::from_utf8(TRANSFER).unwrap(); 2]);
    expect_silence(&mut client).await;
}

#[tokio::test]
async fn a_concurrent_repeat_does_not_wait_for_an_answer() {
    let upstream = Upstream::http(created).await;
    upstream.answers.forget_permits(1_000);
    let link = link(upstream.address, Protocol::Http).await;
    let repeat = link.inject(at(Pick::Every, LinkAct::Repeat(Repeat::Concurrently)));
    let mut client = connect(&link).await;
    client.write_all(TRANSFER).await.unwrap();
    until("both deliveries", || upstream.lines().len() == 2).await;
    assert_eq!(repeat.bite(), None);
    upstream.answers.add_permits(2);
    receive(&mut client, created(1).len()).await;
    until_bite(&repeat, "delivered POST /transfers again, answered 201").await;
}

#[tokio::test]
async fn healing_does_not_lose_a_late_repeat() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let how = Repeat::Late(Duration::from_millis(100));
    let repeat = link.inject(at(Pick::First(1), LinkAct::Repeat(how)));
    let mut client = connect(&link).await;
    let start = Instant::now();
    ask(&mut client, TRANSFER, 1).await;
    drop(client);
    assert_eq!(repeat.heal(), "no further exchange is picked; 1 second delivery under way");
    until_bite(&repeat, "delivered POST /transfers again, answered 201").await;
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(upstream.lines().len(), 2);
    assert_eq!(repeat.heal(), "no further exchange is picked");
}

#[tokio::test]
async fn a_repeated_request_can_lose_its_reply() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let repeat = link.inject(at(Pick::Nth(1), LinkAct::Repeat(Repeat::InARow)));
    let lose = link.inject(at(Pick::Nth(1), LinkAct::CutAfter));
    let mut client = connect(&link).await;
    client.write_all(TRANSFER).await.unwrap();
    expect_reset(&mut client).await;
    assert!(lose.bite().is_some());
    until_bite(&repeat, "delivered POST /transfers again, answered 201").await;
    assert_eq!(upstream.lines().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_repeated_passes_once_and_is_told() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let repeat = link.inject(at(Pick::Every, LinkAct::Repeat(Repeat::InARow)));
    let mut client = connect(&link).await;
    let mut long = b"PUT /big HTTP/1.1\r\nContent-Length: 70000\r\n\r\n".to_vec();
    long.resize(long.len() + 70_000, b'x');
    ask(&mut client, &long, 1).await;
    assert_eq!(repeat.bite(), None);
    assert_eq!(repeat.heal(), "no further exchange is picked; got away: PUT /big: longer than 64 KiB, delivered once");

    upstream.answers.forget_permits(1_000);
    let repeat = link.inject(at(Pick::Every, LinkAct::Repeat(Repeat::InARow)));
    client.write_all(TRANSFER).await.unwrap();
    until("the request", || upstream.lines().len() == 2).await;
    let _cut = link.inject(LinkFault::Cut);
    until("the connection's end", || link.counters().open == 0).await;
    until("the remark", || repeat.heal().contains("POST /transfers: not answered, so not delivered again")).await;
    assert_eq!(repeat.bite(), None);
}

#[tokio::test]
async fn an_injection_ends_when_it_is_dropped() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    drop(link.inject(at(Pick::Every, LinkAct::CutBefore)));
    ask(&mut connect(&link).await, TRANSFER, 1).await;
}

#[tokio::test]
async fn probability_picks_the_same_exchanges_again() {
    async fn picked() -> Vec<bool> {
        let upstream = Upstream::http(created).await;
        let link = link(upstream.address, Protocol::Http).await;
        let _cut = link.inject(at(Pick::Probability(0.5), LinkAct::CutBefore));
        let mut picked = Vec::new();
        for _ in 0..24 {
            let mut client = connect(&link).await;
            client.write_all(TRANSFER).await.unwrap();
            picked.push(timeout(DEADLINE, client.read(&mut [0; 64])).await.unwrap().is_err());
        }
        picked
    }
    let first = picked().await;
    assert!(first.contains(&true) && first.contains(&false), "{first:?}");
    assert_eq!(first, picked().await);
}

#[tokio::test]
async fn what_is_no_http_passes_as_bytes() {
    let link = link(Upstream::echo().await, Protocol::Http).await;
    let mut client = connect(&link).await;
    let hello = b"\x16\x03\x01\0\xa5hello";
    client.write_all(hello).await.unwrap();
    assert_eq!(receive(&mut client, hello.len()).await, hello);
    let counters = link.counters();
    assert_eq!(counters.degraded, 2);
    assert_eq!(counters.degraded_because.as_deref(), Some("a request is not HTTP/1.1"));
    let complaint = link.complaint().unwrap();
    assert!(complaint.contains("(a request is not HTTP/1.1)"), "{complaint}");
    assert_eq!(counters.exchanges, 0);
}

#[tokio::test]
async fn a_huge_head_passes_as_bytes() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let mut client = connect(&link).await;
    let request = format!("POST /transfers HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    ask(&mut client, request.as_bytes(), 1).await;
    assert_eq!(link.counters().degraded_because.as_deref(), Some("a head is longer than 64 KiB"));
}

#[tokio::test]
async fn a_trickle_is_still_one_exchange() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let lose = link.inject(at(Pick::Nth(2), LinkAct::CutAfter));
    let mut client = connect(&link).await;
    client.set_nodelay(true).unwrap();
    for byte in [TRANSFER, TRANSFER].concat() {
        client.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    until_bite(&lose, "lost the reply 201 to POST /transfers (Applied)").await;
    assert_eq!(link.counters().exchanges, 2);
    assert_eq!(upstream.seen.lock().unwrap().concat().as_bytes(), [TRANSFER, TRANSFER].concat());
}

#[tokio::test]
async fn an_upstream_that_refuses_is_a_reset_and_counted() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let link = link(address, Protocol::Http).await;
    expect_turned_away(&link).await;
    assert_eq!(link.counters().refused, 1);
    until("the connection's end", || link.counters().open == 0).await;
}

#[tokio::test]
async fn an_upstream_may_be_a_socket_of_the_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let link = link(link::Upstream::Unix(path), Protocol::Http).await;

    let mut client = connect(&link).await;
    let (mut server, _) = timeout(DEADLINE, listener.accept()).await.expect("a connection in time").unwrap();
    client.write_all(TRANSFER).await.unwrap();
    let mut request = vec![0; TRANSFER.len()];
    timeout(DEADLINE, server.read_exact(&mut request)).await.expect("bytes in time").unwrap();
    assert_eq!(request, TRANSFER);
    server.write_all(&created(1)).await.unwrap();
    assert_eq!(receive(&mut client, created(1).len()).await, created(1));

    // A cut is a reset for the caller; for the server it is the end of the stream, and nothing more can be written.
    drop(link.inject(LinkFault::Cut));
    expect_reset(&mut client).await;
    let end = timeout(DEADLINE, server.read(&mut request)).await.expect("an end in time");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert_eq!(server.write(b"late").await.unwrap_err().kind(), ErrorKind::BrokenPipe);

    // What the server does not read makes the link wait, and nothing is lost.
    let big = vec![b'x'; 4 << 20];
    let mut client = connect(&link).await;
    let (mut server, _) = timeout(DEADLINE, listener.accept()).await.expect("a connection in time").unwrap();
    let head = format!("POST /t HTTP/1.1\r\nContent-Length: {}\r\n\r\n", big.len());
    let sent = tokio::spawn(async move {
        client.write_all(head.as_bytes()).await.unwrap();
        client.write_all(&big).await.unwrap();
        client.shutdown().await.unwrap();
        client
    });
    let mut all = Vec::new();
    timeout(DEADLINE, server.read_to_end(&mut all)).await.expect("bytes in time").unwrap();
    assert!(all.ends_with(&vec![b'x'; 4 << 20]) && all.len() < (4 << 20) + 100, "{}", all.len());
    drop((server, sent.await.unwrap()));

    // A server that was killed leaves its socket behind.
    drop(listener);
    expect_turned_away(&link).await;
    assert_eq!(link.counters().refused, 1);
}

#[tokio::test]
async fn a_reset_upstream_is_a_reset_for_the_caller() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = link(listener.local_addr().unwrap(), Protocol::Bytes).await;
    let mut client = connect(&link).await;
    let (server, _) = listener.accept().await.unwrap();
    server.set_zero_linger().unwrap();
    drop(server);
    expect_reset(&mut client).await;
}

#[tokio::test]
async fn an_answer_given_before_the_upstream_went_away_arrives() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = link(listener.local_addr().unwrap(), Protocol::Http).await;
    let (mut from, mut to) = connect(&link).await.into_split();
    let (mut server, _) = listener.accept().await.unwrap();
    let sender = tokio::spawn(async move {
        to.write_all(b"POST /big HTTP/1.1\r\nContent-Length: 40000000\r\n\r\n").await?;
        // More than the sockets of a machine hold.
        to.write_all(&vec![b'x'; 40_000_000]).await
    });
    receive(&mut server, 10).await;
    let refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
    server.write_all(refusal).await.unwrap();
    drop(server);
    let mut got = vec![0; refusal.len()];
    timeout(DEADLINE, from.read_exact(&mut got)).await.unwrap().unwrap();
    assert_eq!(got, refusal);
    timeout(DEADLINE, sender).await.unwrap().unwrap().expect_err("the rest of the body goes nowhere");
    until("the connection's end", || link.counters().open == 0).await;
}

#[tokio::test]
async fn dropping_a_link_closes_everything() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let address = link.address();
    let mut idle = connect(&link).await;
    ask(&mut idle, TRANSFER, 1).await;
    let partition = link.inject(LinkFault::Partition(Direction::Both));
    let mut held = connect(&link).await;
    held.write_all(TRANSFER).await.unwrap();
    until("a bite", || partition.bite().is_some()).await;
    timeout(DEADLINE, link.close()).await.expect("no task is left");
    for client in [&mut idle, &mut held] {
        let end = timeout(DEADLINE, client.read(&mut [0; 8])).await.expect("an end");
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

fn on(pattern: &str, act: LinkAct) -> LinkFault {
    LinkFault::Exchange { on: Some(pattern.into()), pick: Pick::Nth(1), act }
}

#[tokio::test]
async fn a_pattern_means_reads_too_and_nothing_else() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let cut = link.inject(on("GET *", LinkAct::CutBefore));
    let mut client = connect(&link).await;
    ask(&mut client, TRANSFER, 1).await;
    client.write_all(HEALTH).await.unwrap();
    expect_reset(&mut client).await;
    assert_eq!(cut.bite().as_deref(), Some("cut GET /health before it was passed on (NotSent)"));
}

#[tokio::test]
async fn a_silent_reply_was_applied_and_nobody_is_told() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let lose = link.inject(at(Pick::Nth(1), LinkAct::LoseReply));
    let mut client = connect(&link).await;
    client.write_all(TRANSFER).await.unwrap();
    until_bite(&lose, "lost the reply 201 to POST /transfers (Applied) and fell silent").await;
    expect_silence(&mut client).await;
    client.write_all(TRANSFER).await.unwrap();
    expect_silence(&mut client).await;
    assert_eq!(upstream.lines(), ["POST /transfers"]);
    ask(&mut connect(&link).await, TRANSFER, 2).await;
}

#[tokio::test]
async fn a_request_is_held_until_it_is_released() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let hold = link.inject(at(Pick::First(2), LinkAct::HoldBefore));
    let mut client = connect(&link).await;
    client.write_all(TRANSFER).await.unwrap();
    let held = hold.held().await.unwrap();
    assert_eq!(held.label, "POST /transfers");
    expect_silence(&mut client).await;
    assert_eq!(upstream.lines(), [""; 0]);
    held.release("nothing was done", Release::GoOn);
    assert_eq!(receive(&mut client, created(1).len()).await, created(1));
    client.write_all(TRANSFER).await.unwrap();
    hold.held().await.unwrap().release("it was killed", Release::Lost);
    expect_reset(&mut client).await;
    assert_eq!(upstream.lines(), ["POST /transfers"]);
    let bite = "it was killed before POST /transfers was passed on (NotSent), nothing was done before POST /transfers was passed on";
    assert_eq!(hold.bite().as_deref(), Some(bite));
}

#[tokio::test]
async fn what_is_held_goes_on_when_nobody_decides() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let hold = link.inject(at(Pick::Every, LinkAct::HoldBefore));
    let (mut one, mut two) = (connect(&link).await, connect(&link).await);
    one.write_all(TRANSFER).await.unwrap();
    drop(hold.held().await.unwrap());
    assert_eq!(receive(&mut one, created(1).len()).await, created(1));
    two.write_all(TRANSFER).await.unwrap();
    expect_silence(&mut two).await;
    hold.heal();
    assert_eq!(receive(&mut two, created(2).len()).await, created(2));
    assert_eq!(hold.bite(), None);
}

#[tokio::test]
async fn a_held_reply_is_lost_whatever_is_decided() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let hold = link.inject(at(Pick::Every, LinkAct::HoldAfter));
    let mut client = connect(&link).await;
    client.write_all(TRANSFER).await.unwrap();
    let held = hold.held().await.unwrap();
    assert_eq!(upstream.lines(), ["POST /transfers"]);
    expect_silence(&mut client).await;
    held.release("api-1 was killed", Release::Lost);
    expect_reset(&mut client).await;
    assert_eq!(hold.bite().as_deref(), Some("api-1 was killed after POST /transfers was answered 201 (Applied)"));
}

#[tokio::test]
async fn a_delay_ends_in_time_or_when_it_is_healed() {
    let upstream = Upstream::http(created).await;
    let link = link(upstream.address, Protocol::Http).await;
    let delay = link.inject(at(Pick::First(2), LinkAct::Delay(Duration::from_millis(50))));
    let mut client = connect(&link).await;
    let start = Instant::now();
    ask(&mut client, TRANSFER, 1).await;
    assert!(start.elapsed() >= Duration::from_millis(50));
    let long = link.inject(at(Pick::Every, LinkAct::Delay(Duration::from_secs(3_600))));
    delay.heal();
    client.write_all(TRANSFER).await.unwrap();
    until_bite(&long, "held POST /transfers for up to 1h").await;
    long.heal();
    assert_eq!(receive(&mut client, created(2).len()).await, created(2));
}

#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl link::Observer for Notes {
    fn now(&self) -> Moment {
        Moment(0)
    }

    fn over(&self, exchange: Exchange) {
        let Exchange { edge, label, truth, code, .. } = exchange;
        self.0.lock().unwrap().push(format!("{edge} {label} {truth:?} {}", code.unwrap_or_default()));
    }
}

#[tokio::test]
async fn an_observer_hears_what_became_of_every_exchange() {
    let upstream = Upstream::http(created).await;
    let notes = Arc::new(Notes::default());
    let edge = Edge::try_from("client->api-1".to_owned()).unwrap();
    let observer: Arc<dyn link::Observer> = notes.clone();
    let link = Link::open_observed(edge, upstream.address, Protocol::Http, 1, Some(observer)).await.unwrap();
    link.accept();
    ask(&mut connect(&link).await, HEALTH, 1).await;
    let cut = link.inject(at(Pick::Nth(1), LinkAct::CutBefore));
    let mut client = connect(&link).await;
    client.write_all(TRANSFER).await.unwrap();
    expect_reset(&mut client).await;
    drop(cut);
    let lose = link.inject(at(Pick::Nth(1), LinkAct::CutAfter));
    let mut client = connect(&link).await;
    client.write_all(TRANSFER).await.unwrap();
    expect_reset(&mut client).await;
    drop(lose);
    upstream.answers.forget_permits(1_000);
    let mut client = connect(&link).await;
    client.write_all(TRANSFER).await.unwrap();
    until("the request is passed on", || upstream.lines().len() == 3).await;
    let _cut = link.inject(LinkFault::Cut);
    until("the exchange is over", || notes.0.lock().unwrap().len() == 4).await;
    let heard = notes.0.lock().unwrap().clone();
    let expected =
        ["GET /health Applied 201", "POST /transfers NotSent ", "POST /transfers Applied 201", "POST /transfers Sent "];
    assert_eq!(heard, expected.map(|what| format!("client->api-1 {what}")));
}
