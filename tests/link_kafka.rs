//! A Kafka client behind a link, against librdkafka's mock broker: it is told of the link only, so faults reach it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::time::Duration;

use fireassay::fault::{Direction, Edge, Pick};
use fireassay::link::{Link, LinkAct, LinkFault, Protocol};
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);
const TOPIC: &str = "transfers";

async fn link_to(servers: &str) -> Link {
    let upstream: SocketAddr = servers.parse().unwrap();
    let edge = Edge::try_from("relay-1->kafka".to_owned()).unwrap();
    let link = Link::open(edge, upstream, Protocol::Kafka, 7).await.unwrap();
    link.accept();
    link
}

fn producer(link: &Link) -> FutureProducer {
    ClientConfig::new().set("bootstrap.servers", link.address().to_string()).create().unwrap()
}

async fn send(producer: &FutureProducer, payload: &str) -> bool {
    producer.send(FutureRecord::to(TOPIC).key("k").payload(payload), DEADLINE).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_told_of_the_link_only() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let link = link_to(&cluster.bootstrap_servers()).await;
    let producer = producer(&link);
    assert!(send(&producer, "first").await);

    let asking = producer.clone();
    let brokers = tokio::task::spawn_blocking(move || {
        let metadata = asking.client().fetch_metadata(None, DEADLINE).unwrap();
        metadata.brokers().iter().map(|broker| format!("{}:{}", broker.host(), broker.port())).collect::<Vec<_>>()
    });
    assert_eq!(brokers.await.unwrap(), [link.address().to_string()]);

    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", link.address().to_string())
        .set("group.id", "readers")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&[TOPIC]).unwrap();
    let record = timeout(DEADLINE, consumer.recv()).await.unwrap().unwrap();
    assert_eq!(record.payload(), Some(&b"first"[..]));
    let counters = link.counters();
    assert_eq!(counters.degraded_because, None);
    assert!(counters.exchanges > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_stops_a_client_and_healing_frees_it() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let link = link_to(&cluster.bootstrap_servers()).await;
    let producer = producer(&link);
    assert!(send(&producer, "before").await);

    let partition = link.inject(LinkFault::Partition(Direction::Both));
    let sending = producer.clone();
    let mut held = tokio::spawn(async move { send(&sending, "held").await });
    assert!(timeout(Duration::from_millis(300), &mut held).await.is_err(), "a client got past the link");
    assert!(partition.bite().is_some());
    partition.heal();
    assert!(timeout(DEADLINE, held).await.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_survives_a_cut_and_a_lost_reply() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let link = link_to(&cluster.bootstrap_servers()).await;
    let producer = producer(&link);
    assert!(send(&producer, "before").await);
    let cut = link.inject(LinkFault::Cut);
    assert!(cut.bite().is_some());
    assert!(send(&producer, "after the cut").await);
    let lose = link.inject(at(Pick::Nth(1), LinkAct::CutAfter));
    assert!(send(&producer, "sent twice").await);
    assert_eq!(lose.bite().as_deref(), Some("lost the reply to Produce transfers (Applied)"));
}

/// A frame: its length, then its parts.
fn frame(parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&(body.len() as u32).to_be_bytes()[..], &body].concat()
}

fn at(pick: Pick, act: LinkAct) -> LinkFault {
    LinkFault::Exchange { on: None, pick, act }
}

#[tokio::test]
async fn a_reply_that_cannot_be_rewritten_is_cut_and_told() {
    let broker = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = link_to(&broker.local_addr().unwrap().to_string()).await;
    assert_eq!(link.complaint(), None);
    let mut client = TcpStream::connect(link.address()).await.unwrap();
    let (mut server, _) = broker.accept().await.unwrap();
    // Heartbeat, which passes as it is, and Metadata in a version that nobody knows.
    let asked =
        [frame(&[b"\0\x0c\0\x04", b"\0\0\0\x01", b"\0\x02me"]), frame(&[b"\0\x03\0\x63", b"\0\0\0\x02", b"\0\x02me"])];
    client.write_all(&asked.concat()).await.unwrap();
    let mut got = vec![0; asked.concat().len()];
    timeout(DEADLINE, server.read_exact(&mut got)).await.unwrap().unwrap();
    let beat = frame(&[b"\0\0\0\x01", b"\0\0\0\0\0\0\0"]);
    let brokers = frame(&[b"\0\0\0\x02", b"the broker's own address"]);
    server.write_all(&[beat.clone(), brokers].concat()).await.unwrap();

    let mut got = Vec::new();
    let end = timeout(DEADLINE, client.read_to_end(&mut got)).await.unwrap();
    // The reset may overtake what came before it; the address must not come at all.
    assert!(end.is_err(), "the connection ended in order with {got:?}");
    assert!(beat.starts_with(&got), "{got:?}");
    let why = "a reply that names brokers has a form that is not known";
    assert_eq!(link.counters().degraded_because.as_deref(), Some(why));
    let complaint = link.complaint().unwrap();
    assert!(complaint.starts_with("the link relay-1->kafka could not read everything (a reply"), "{complaint}");
}
