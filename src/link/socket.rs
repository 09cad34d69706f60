//! The two kinds of sockets that a link reaches an upstream by.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// How long the upstream may take to accept a connection; on one machine this only ends a full backlog.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Pause before a local socket with a full backlog is tried again: unlike TCP, it does not queue those who wait.
const BACKLOG_PAUSE: Duration = Duration::from_millis(5);

/// Where a link connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// A port.
    Tcp(SocketAddr),
    /// A socket of the file system. Costs about half of what a port does, for the link and for the server. A server that
    /// distinguishes broken connections from closed ones cannot do so here: it sees the end of the stream for both.
    Unix(PathBuf),
}

impl From<SocketAddr> for Upstream {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Upstream {
    /// Connects.
    ///
    /// # Errors
    /// When nobody accepts within 10 s.
    pub(super) async fn connect(&self) -> io::Result<Socket> {
        tokio::time::timeout(CONNECT_DEADLINE, async {
            match self {
                Self::Tcp(address) => {
                    let stream = TcpStream::connect(address).await?;
                    // Without it a message in two parts waits 40 ms for a delayed acknowledgement.
                    stream.set_nodelay(true)?;
                    Ok(Socket::Tcp(stream))
                }
                Self::Unix(path) => loop {
                    match UnixStream::connect(path).await {
                        Err(full) if full.kind() == io::ErrorKind::WouldBlock => {
                            tokio::time::sleep(BACKLOG_PAUSE).await;
                        }
                        result => return Ok(Socket::Unix(result?)),
                    }
                },
            }
        })
        .await?
    }
}

/// One end of a connection.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The same call on either kind.
macro_rules! either {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket {
            Socket::Tcp($stream) => $call,
            Socket::Unix($stream) => $call,
        }
    };
}

impl Socket {
    /// The end of this connection will be a reset, where there is such a thing.
    pub(super) fn end_with_reset(&self) {
        if let Self::Tcp(stream) = self {
            // Cannot fail on an open socket; if it did, the peer would see an ordinary end.
            let _ = stream.set_zero_linger();
        }
    }

    /// Reads what is there, or waits for something.
    pub(super) async fn read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        loop {
            let room = buffer.capacity() - buffer.len();
            let mut read = None;
            // What leaves room has emptied the socket, so the next read would find nothing: say so now and wait for news
            // instead. That was every other read and a fourth of all system calls. The end of the stream stays known, and
            // what comes during the read is not forgotten: `try_io` only takes back what it knew before.
            let result = either!(self, stream => stream.try_io(Interest::READABLE, || {
                let len = stream.try_read_buf(buffer)?;
                read = Some(len);
                if (1..room).contains(&len) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            }));
            match (read, result) {
                (Some(len), _) => return Ok(len),
                (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                (None, _) => either!(self, stream => stream.readable().await?),
            }
        }
    }

    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match either!(self, stream => stream.try_write(bytes)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    either!(self, stream => stream.writable().await?);
                }
                result => bytes = &bytes[result?..],
            }
        }
        Ok(())
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        either!(self, stream => stream.as_raw_fd())
    }
}
