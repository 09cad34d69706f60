//! Runs clients against the real stack and writes down what passes: `record_traffic FOLDER NAME=COMMAND...`.
//!
//! `NAME` is `postgres/node`; the command gets the address of a link to that service as its last argument. Behind the link
//! is a recorder, which writes a file for each connection: chunks in the order in which they passed, each a byte for the
//! direction (0: request, 1: reply), four bytes for its length (big-endian), and its bytes.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fireassay::fault::Edge;
use fireassay::link::{Link, Protocol};
use fireassay::sandbox::{Stack, StackConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a client may take.
const DEADLINE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("say where to, then NAME=COMMAND for each client")?);
    let stack = Stack::start(&StackConfig::from_env()?, &|_| ()).await?;
    for client in args {
        let (name, command) = client.split_once('=').ok_or("a client is NAME=COMMAND")?;
        let (service, upstream) = match name.split('/').next() {
            Some("postgres") => (Protocol::Postgres, stack.postgres().address()),
            Some("redis") => (Protocol::Redis, stack.redis().address()),
            Some("kafka") => (Protocol::Kafka, stack.kafka().address()),
            _ => return Err("a client's name begins with postgres/, redis/ or kafka/".into()),
        };
        if service == Protocol::Kafka {
            stack.kafka().create_topics(&[("run-1.transfers".to_owned(), 1)]).await?;
        }
        let recorder = TcpListener::bind("127.0.0.1:0").await?;
        let link = Link::open(Edge::try_from("api-1->redis".to_owned())?, recorder.local_addr()?, service, 1).await?;
        link.accept();
        let done = CancellationToken::new();
        let recording = tokio::spawn(record(recorder, upstream, folder.join(name), done.clone()));
        let target = match service {
            Protocol::Postgres => stack.postgres().url("postgres", link.address()),
            Protocol::Redis => stack.redis().url(0, link.address()),
            _ => link.address().to_string(),
        };
        let words: Vec<_> = command.split(' ').collect();
        let mut client = Command::new(words[0]).args(&words[1..]).arg(target).kill_on_drop(true).spawn()?;
        let status = tokio::time::timeout(DEADLINE, client.wait()).await??;
        if !status.success() {
            return Err(format!("{name} failed: {status}").into());
        }
        done.cancel();
        recording.await??;
        link.close().await;
        println!("{name}: {:?}, {}", link.counters(), link.complaint().unwrap_or_default());
    }
    Ok(())
}

/// Takes connections until it is `done`, and waits until the last one has ended.
async fn record(listener: TcpListener, upstream: SocketAddr, name: PathBuf, done: CancellationToken) -> io::Result<()> {
    let mut connections = JoinSet::new();
    let mut number = 0;
    while let Some(accepted) = done.run_until_cancelled(listener.accept()).await {
        number += 1;
        let path = PathBuf::from(format!("{}-{number}.bin", name.display()));
        connections.spawn(connection(accepted?.0, upstream, path));
    }
    while let Some(ended) = connections.join_next().await {
        ended??;
    }
    Ok(())
}

async fn connection(client: TcpStream, upstream: SocketAddr, path: PathBuf) -> io::Result<()> {
    let server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let chunks = Arc::new(Mutex::new(Vec::new()));
    // An end that is broken is an end: what passed before is recorded all the same.
    let _ = tokio::join!(
        pass(0, from_client, to_server, Arc::clone(&chunks)),
        pass(1, from_server, to_client, Arc::clone(&chunks)),
    );
    let chunks = chunks.lock().unwrap_or_else(PoisonError::into_inner).clone();
    write(&path, &chunks)
}

async fn pass(
    way: u8,
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    chunks: Arc<Mutex<Vec<u8>>>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let len = from.read(&mut buffer).await?;
        if len == 0 {
            return to.shutdown().await;
        }
        {
            let mut chunks = chunks.lock().unwrap_or_else(PoisonError::into_inner);
            chunks.push(way);
            chunks.extend((len as u32).to_be_bytes());
            chunks.extend(&buffer[..len]);
        }
        to.write_all(&buffer[..len]).await?;
    }
}

fn write(path: &Path, chunks: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(path, chunks)
}
