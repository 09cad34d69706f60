//! What an idle link costs: a round trip straight to a server and the same through a link, in turns in one run.
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

const REQUEST: &[u8] =
    b"POST /transfers HTTP/1.1\r\nHost: h\r\nContent-Length: 34\r\n\r\n{\"from\":\"a\",\"to\":\"b\",\"amount\":12.5}";
const REPLY_SIZES: [usize; 2] = [100, 16 << 10];
const PROTOCOLS: [Protocol; 2] = [Protocol::Postgres, Protocol::Http];

/// Turns of each kind, and round trips per turn.
const TURNS: usize = 40;
const TRIPS: usize = 250;

/// Clients at once, to see what throughput is left.
const CLIENTS: usize = 8;

/// Answers each request with `size` bytes.
fn server(size: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let head = |body: usize| format!("HTTP/1.1 201 Created\r\nContent-Length: {body:05}\r\n\r\n");
    let body = size - head(0).len();
    let reply = [head(body).as_bytes(), &vec![b'x'; body]].concat();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let reply = reply.clone();
            std::thread::spawn(move || serve(stream, &reply));
        }
    });
    address
}

fn serve(mut stream: TcpStream, reply: &[u8]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = vec![0; REQUEST.len()];
    loop {
        stream.read_exact(&mut request)?;
        stream.write_all(reply)?;
    }
}

struct Client {
    stream: TcpStream,
    reply: Vec<u8>,
}

impl Client {
    fn new(address: SocketAddr, size: usize) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("an open socket");
        Self { stream, reply: vec![0; size] }
    }

    fn trip(&mut self) {
        self.stream.write_all(REQUEST).expect("an open connection");
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
fn saturated(address: SocketAddr, size: usize) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::new(address, size);
                (0..TRIPS * 4).for_each(|_| client.trip());
            });
        }
    });
    start.elapsed()
}

/// Prints the added latency of one client, and how much of the throughput of several is left.
fn compare(protocol: Protocol, size: usize, direct: SocketAddr, linked: SocketAddr) {
    let (mut straight, mut through) = (Client::new(direct, size), Client::new(linked, size));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    straight.timed_trips(&mut Vec::new());
    through.timed_trips(&mut Vec::new());
    for _ in 0..TURNS {
        straight.timed_trips(&mut without);
        through.timed_trips(&mut with);
    }
    let (mut busy_without, mut busy_with) = (Vec::new(), Vec::new());
    for _ in 0..TURNS / 4 {
        busy_without.push(saturated(direct, size));
        busy_with.push(saturated(linked, size));
    }
    let ratio = percentile(&mut busy_without, 50).as_secs_f64() / percentile(&mut busy_with, 50).as_secs_f64();
    let [p50, p99] = [50, 99].map(|percent| (percentile(&mut without, percent), percentile(&mut with, percent)));
    println!(
        "{protocol:?}, reply of {size} B: p50 {:?} direct, {:?} linked, {:?} added; p99 {:?} direct, {:?} linked; throughput of {CLIENTS} clients {ratio:.2} of direct",
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
    for protocol in PROTOCOLS {
        let mut group = criterion.benchmark_group(format!("round trip, {protocol:?}"));
        for size in REPLY_SIZES {
            let direct = server(size);
            let link = runtime.block_on(Link::open(edge.clone(), direct, protocol, 1)).expect("a link");
            link.accept();
            compare(protocol, size, direct, link.address());
            group.throughput(Throughput::Bytes((REQUEST.len() + size) as u64));
            for (name, address) in [("direct", direct), ("linked", link.address())] {
                let mut client = Client::new(address, size);
                group.bench_function(BenchmarkId::new(name, size), |bencher| bencher.iter(|| client.trip()));
            }
        }
        group.finish();
    }
    criterion.final_summary();
}
