//! Whether the servers are still there, so that the target is not blamed for what is not.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use super::check::SSL_REQUEST;
use super::{External, TRY_DEADLINE};

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Looks at the servers for as long as it exists.
#[derive(Debug)]
pub(in crate::sandbox) struct Watch {
    servers: [(&'static str, SocketAddr); 3],
    lost: Arc<Mutex<Option<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Watch {
    /// Begins to look.
    pub(in crate::sandbox) fn start(external: &External) -> Self {
        let servers =
            [("postgres", external.postgres.address), ("redis", external.redis.address), ("kafka", external.kafka)];
        let lost = Arc::<Mutex<Option<String>>>::default();
        let told = Arc::clone(&lost);
        let task = async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let found = find_lost(servers).await.map(|(server, at, why)| {
                    format!("{server} at {at}, which fireassay did not start, does not answer any more ({why})")
                });
                *told.lock().unwrap_or_else(PoisonError::into_inner) = found;
            }
        };
        Self { servers, lost, _task: AbortOnDropHandle::new(tokio::spawn(task)) }
    }

    /// Which server did not answer when it was last looked at, and how.
    pub(in crate::sandbox) fn lost_by_itself(&self) -> Option<String> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Which server does not answer now.
    pub(in crate::sandbox) async fn lost(&self) -> Option<&'static str> {
        find_lost(self.servers).await.map(|(server, ..)| server)
    }
}

/// A few bytes that each server answers to whoever it is: a proxy before a server that is gone accepts connections, and so
/// does the kernel for one that is frozen.
const QUESTIONS: [&[u8]; 3] = [&SSL_REQUEST, b"PING\r\n", &API_VERSIONS];

/// `ApiVersions`, version 0, without the name of a client; see <https://kafka.apache.org/protocol>.
const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255];

async fn ask(at: SocketAddr, question: &[u8]) -> std::io::Result<u8> {
    let mut stream = TcpStream::connect(at).await?;
    stream.write_all(question).await?;
    stream.read_u8().await
}

async fn find_lost(servers: [(&'static str, SocketAddr); 3]) -> Option<(&'static str, SocketAddr, String)> {
    for ((server, at), question) in servers.into_iter().zip(QUESTIONS) {
        match tokio::time::timeout(TRY_DEADLINE, ask(at, question)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Some((server, at, error.to_string())),
            Err(_) => return Some((server, at, format!("no answer within {} s", TRY_DEADLINE.as_secs()))),
        }
    }
    None
}
