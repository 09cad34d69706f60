//! What an idle link costs: a round trip straight to a server and the same through a link, in turns in one run.
//!
//! The readers are on; `Bytes` is a link without one, for comparison.
//!
//! `cargo bench --bench link` prints the medians and 99th percentiles of both, and then criterion's own figures.
//!
//! Everything runs on one core. Left alone, the scheduler keeps the two parties of a straight round trip on one core, or
//! has them wake each other on two, and the three parties of a link likewise: on a virtual machine the waking of a
//! sleeping core costs more than the whole rest (6 µs or 80 µs for the same straight round trip, from one turn to the
//! next), so that the difference would tell of the scheduler and not of the link.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use fireassay::fault::Edge;
use fireassay::link::{Link, Protocol};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

const REPLY_SIZES: [usize; 2] = [100, 16 << 10];

/// Turns of each kind, and round trips per turn.
const TURNS: usize = 40;
const TRIPS: usize = 250;

/// Clients at once, to see what throughput is left.
const CLIENTS: usize = 8;

/// What is said on a connection: once at its beginning, and then again and again.
#[derive(Clone)]
struct Talk {
    protocol: Protocol,
    greeting: (Vec<u8>, Vec<u8>),
    request: Vec<u8>,
    reply: Vec<u8>,
}

/// With a reply of `size` bytes in every protocol.
fn talks(size: usize) -> [Talk; 5] {
    let talk = |protocol, request: &[u8], reply: &dyn Fn(usize) -> Vec<u8>| {
        let rest = size - reply(0).len();
        Talk { protocol, greeting: Default::default(), request: request.to_vec(), reply: reply(rest) }
    };
    let fill = |len: usize| vec![b'x'; len];
    let message = |kind: u8, body: &[u8]| [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat();
    let transfer = b"POST /transfers HTTP/1.1\r\nHost: h\r\nContent-Length: 35\r\n\r\n\
        {\"from\":\"a\",\"to\":\"b\",\"amount\":12.5}";
    let created =
        |rest| [format!("HTTP/1.1 201 Created\r\nContent-Length: {rest:05}\r\n\r\n").as_bytes(), &fill(rest)].concat();
    let update = [message(b'B', b"\0s1\0\0\0\0\x01\0\0\0\x01x\0\0"), message(b'E', b"\0\0\0\0\0"), message(b'S', b"")];
    let updated = |rest| {
        let row = message(b'D', &fill(rest));
        [message(b'2', b""), row, message(b'C', b"UPDATE 1\0"), message(b'Z', b"I")].concat()
    };
    let prepare = message(b'P', b"s1\0update accounts set balance = balance - $1 returning id\0\0\0");
    let fetched = |rest: usize| [&(rest as u32 + 4).to_be_bytes()[..], b"\0\0\0\x07", &fill(rest)].concat();
    let mut postgres = talk(Protocol::Postgres, &update.concat(), &updated);
    postgres.greeting = (
        [b"\0\0\0\x08\0\x03\0\0", &prepare[..], &message(b'S', b"")].concat(),
        [message(b'R', &[0; 4]), message(b'Z', b"I"), message(b'1', b""), message(b'Z', b"I")].concat(),
    );
    [
        talk(Protocol::Bytes, transfer, &created),
        talk(Protocol::Http, transfer, &created),
        postgres,
        talk(Protocol::Redis, b"*2\r\n$3\r\nGET\r\n$7\r\naccount\r\n", &|rest| {
            [format!("${rest:05}\r\n").as_bytes(), &fill(rest), b"\r\n"].concat()
        }),
        talk(Protocol::Kafka, b"\0\0\0\x15\0\x01\0\x0b\0\0\0\x07\0\x02meand so on", &fetched),
    ]
}

fn server(talk: &Talk) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let talk = talk.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let talk = talk.clone();
            std::thread::spawn(move || serve(stream, &talk));
        }
    });
    address
}

fn serve(mut stream: TcpStream, talk: &Talk) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.read_exact(&mut vec![0; talk.greeting.0.len()])?;
    stream.write_all(&talk.greeting.1)?;
    let mut request = vec![0; talk.request.len()];
    loop {
        stream.read_exact(&mut request)?;
        stream.write_all(&talk.reply)?;
    }
}

struct Client<'a> {
    stream: TcpStream,
    talk: &'a Talk,
    reply: Vec<u8>,
}

impl<'a> Client<'a> {
    fn new(address: SocketAddr, talk: &'a Talk) -> Self {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("an open socket");
        stream.write_all(&talk.greeting.0).expect("an open connection");
        stream.read_exact(&mut vec![0; talk.greeting.1.len()]).expect("a greeting");
        Self { stream, talk, reply: vec![0; talk.reply.len()] }
    }

    fn trip(&mut self) {
        self.stream.write_all(&self.talk.request).expect("an open connection");
        self.stream.read_exact(&mut self.reply).expect("a reply");
    }

    fn timed_trips(&mut self, times: &mut Vec<Duration>) {
        for _ in 0..TRIPS {
            let start = Instant::now();
            self.trip();
            times.push(start.elapsed());
        }
    }
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[times.len() * percent / 100]
}

/// How long it takes when several clients keep the server busy.
fn saturated(address: SocketAddr, talk: &Talk) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::new(address, talk);
                (0..TRIPS * 4).for_each(|_| client.trip());
            });
        }
    });
    start.elapsed()
}

/// Prints the added latency of one client, and how much of the throughput of several is left.
fn compare(talk: &Talk, direct: SocketAddr, linked: SocketAddr) {
    let (mut straight, mut through) = (Client::new(direct, talk), Client::new(linked, talk));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    straight.timed_trips(&mut Vec::new());
    through.timed_trips(&mut Vec::new());
    for _ in 0..TURNS {
        straight.timed_trips(&mut without);
        through.timed_trips(&mut with);
    }
    let (mut busy_without, mut busy_with) = (Vec::new(), Vec::new());
    for _ in 0..TURNS / 4 {
        busy_without.push(saturated(direct, talk));
        busy_with.push(saturated(linked, talk));
    }
    let ratio = percentile(&mut busy_without, 50).as_secs_f64() / percentile(&mut busy_with, 50).as_secs_f64();
    let [p50, p99] = [50, 99].map(|percent| (percentile(&mut without, percent), percentile(&mut with, percent)));
    println!(
        "{:?}, reply of {} B: p50 {:?} direct, {:?} linked, {:?} added; p99 {:?} direct, {:?} linked; throughput of {CLIENTS} clients {ratio:.2} of direct",
        talk.protocol,
        talk.reply.len(),
        p50.0,
        p50.1,
        p50.1.saturating_sub(p50.0),
        p99.0,
        p99.1,
    );
}

/// Keeps this thread, and all that it starts, on the first core it may use.
fn stay_on_one_core() {
    let this_thread = Pid::from_raw(0);
    let allowed = sched_getaffinity(this_thread).expect("a set of cores");
    let first = (0..CpuSet::count()).find(|core| allowed.is_set(*core).unwrap_or(false)).expect("a core");
    let mut one = CpuSet::new();
    one.set(first).expect("a core of the set");
    sched_setaffinity(this_thread, &one).expect("a core that was allowed");
}

fn main() {
    stay_on_one_core();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let edge = Edge::try_from("client->api-1".to_owned()).expect("an edge");
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("round trip");
    for talk in REPLY_SIZES.into_iter().flat_map(talks) {
        let (protocol, size) = (talk.protocol, talk.reply.len());
        let direct = server(&talk);
        let link = runtime.block_on(Link::open(edge.clone(), direct, protocol, 1)).expect("a link");
        link.accept();
        compare(&talk, direct, link.address());
        group.throughput(Throughput::Bytes((talk.request.len() + size) as u64));
        for (name, address) in [("direct", direct), ("linked", link.address())] {
            let mut client = Client::new(address, &talk);
            let id = BenchmarkId::new(format!("{protocol:?} {name}"), size);
            group.bench_function(id, |bencher| bencher.iter(|| client.trip()));
        }
        let counters = link.counters();
        assert_eq!(counters.degraded_because, None, "{protocol:?}");
        assert_eq!(counters.exchanges > 0, protocol != Protocol::Bytes, "{protocol:?} is read");
    }
    group.finish();
    criterion.final_summary();
}
